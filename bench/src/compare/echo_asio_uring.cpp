// An echo server in Asio's coroutines on Asio's io_uring backend, for bench/echo_compare:
//
//   plait_echo_asio_uring [PORT]      prints its port, then serves 127.0.0.1 until it is killed
//
// The same code as the lab's contender on epoll (contenders/asio_io.cpp).
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <utility>

#include <asio.hpp>

namespace {

using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;

awaitable<void> echo(tcp::socket socket) {
  std::size_t const buffer_bytes = 16 * 1024;
  auto buffer = std::make_unique_for_overwrite<char[]>(buffer_bytes);
  try {
    for (;;) {
      std::size_t const n =
          co_await socket.async_read_some(asio::buffer(buffer.get(), buffer_bytes), use_awaitable);
      co_await asio::async_write(socket, asio::buffer(buffer.get(), n), use_awaitable);
    }
  } catch (std::system_error const&) {
    // The peer has closed or reset its connection.
  }
}

awaitable<void> serve(unsigned short port) {
  auto const executor = co_await asio::this_coro::executor;
  tcp::acceptor acceptor(executor, tcp::v4());
  acceptor.set_option(tcp::acceptor::reuse_address(true));
  acceptor.bind({asio::ip::address_v4::loopback(), port});
  acceptor.listen(4096);
  std::printf("%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(use_awaitable);
    socket.set_option(tcp::no_delay(true));
    asio::co_spawn(executor, echo(std::move(socket)), asio::detached);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    asio::io_context context(1);
    auto const port = static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 0);
    asio::co_spawn(context, serve(port), [](std::exception_ptr failure) {
      if (failure) std::rethrow_exception(failure);
    });
    context.run();
    return 0;
  } catch (std::exception const& e) {
    std::fprintf(stderr, "plait_echo_asio_uring: %s\n", e.what());
    return 1;
  }
}
