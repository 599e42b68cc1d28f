#include "support/sim_programs.hpp"

#include <plait/task_group.hpp>

#include <array>
#include <stdexcept>

namespace plait::test {

using io::address;
using io::tcp_listener;
using io::tcp_stream;

std::string text_of(std::size_t bytes, unsigned from) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + (i * 7 + from) % 26);
  return text;
}

task<> echo(tcp_stream peer) {
  std::array<char, 300> buffer;
  for (;;) {
    std::size_t const n = co_await peer.read_some(buffer);
    if (n == 0) co_return;
    co_await peer.write_all({buffer.data(), n});
  }
}

task<> ask(address server, std::string text) {
  tcp_stream stream = co_await tcp_stream::connect(server);
  std::string back(text.size(), '\0');
  co_await with_task_group([&](task_group& g) -> task<> {
    auto const write = [&]() -> task<> { co_await stream.write_all(text); };
    g.spawn(write);
    co_await stream.read_exactly(back);
    co_await g.join();
  });
  if (back != text) throw std::runtime_error("the echo differs");
}

task<> echo_among(int clients) {
  tcp_listener listener = tcp_listener::listen(address::loopback(7000));
  co_await with_task_group([&](task_group& g) -> task<> {
    for (int i = 0; i < clients; ++i) {
      g.spawn(ask, address::loopback(7000), text_of(1000, static_cast<unsigned>(i)));
    }
    for (int i = 0; i < clients; ++i) {
      tcp_stream peer = co_await listener.accept();
      g.spawn(echo, std::move(peer));
    }
    co_await g.join();
  });
}

}  // namespace plait::test
