// Asio's C++20 coroutines on one thread, as a user of Asio writes them.
#include <cstdlib>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <asio.hpp>

#include "contenders/contenders.hpp"
#include "method/window.hpp"
#include "workloads/memory.hpp"
#include "workloads/sleepers.hpp"
#include "workloads/spawn.hpp"

namespace plait::lab {

namespace {

using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;

void rethrow(std::exception_ptr failure) {
  if (failure) std::rethrow_exception(failure);
}

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

awaitable<void> accept_all(tcp::acceptor acceptor) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(use_awaitable);
    auto const executor = socket.get_executor();
    asio::co_spawn(executor, echo(std::move(socket)), asio::detached);
  }
}

awaitable<void> sleeper(std::uint64_t& took) {
  std::uint64_t const began = now_ns();
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(std::chrono::nanoseconds(sleeper_ns));
  co_await timer.async_wait(use_awaitable);
  took = now_ns() - began;
}

awaitable<void> unit(long& ran) {
  ++ran;
  co_return;
}

awaitable<void> spawn_and_join(cell const& c, rep_result& result) {
  auto const executor = co_await asio::this_coro::executor;
  window w(c);
  long ran = 0;
  long expected = 0;
  while (w.more()) {
    for (int i = 0; i < 256; ++i) co_await asio::co_spawn(executor, unit(ran), use_awaitable);
    expected += 256;
    w.add(256);
  }
  result = finish_spawns(w, expected, ran);
}

awaitable<void> await_many(cell const& c, rep_result& result) {
  window w(c);
  long ran = 0;
  long expected = 0;
  while (w.more()) {
    for (int i = 0; i < 1024; ++i) co_await unit(ran);
    expected += 1024;
    w.add(1024);
  }
  result = finish_spawns(w, expected, ran);
}

awaitable<void> partner(bool const& over, long& ran) {
  while (!over) {
    ++ran;
    co_await asio::post(use_awaitable);
  }
}

// Its partner runs once between two of its own turns.
awaitable<void> take_turns(cell const& c, rep_result& result) {
  auto const executor = co_await asio::this_coro::executor;
  bool over = false;
  long ran = 0;
  long expected = 0;
  asio::co_spawn(executor, partner(over, ran), rethrow);
  co_await asio::post(use_awaitable);
  ran = 0;
  window w(c);
  while (w.more()) {
    for (int i = 0; i < 256; ++i) {
      ++ran;
      co_await asio::post(use_awaitable);
    }
    expected += 512;
    w.add(512);
  }
  over = true;
  result = finish_spawns(w, expected, ran);
}

awaitable<void> park(asio::steady_timer& gate, long& released) {
  asio::error_code ignored;
  co_await gate.async_wait(asio::redirect_error(use_awaitable, ignored));
  ++released;
}

}  // namespace

void asio_serve_echo(std::uint16_t port, announce_port const& announce) {
  int const listener = listen_on_loopback(port, false, announce);
  asio::io_context context(1);
  tcp::acceptor acceptor(context, tcp::v4(), listener);
  asio::co_spawn(context, accept_all(std::move(acceptor)), rethrow);
  context.run();
}

rep_result asio_sleepers(cell const& c) {
  return run_sleepers(c, [](std::span<std::uint64_t> took) {
    asio::io_context context(1);
    for (std::uint64_t& t : took) asio::co_spawn(context, sleeper(t), rethrow);
    context.run();
  });
}

template <class Body>
rep_result run_body(Body body, cell const& c) {
  rep_result result;
  asio::io_context context(1);
  asio::co_spawn(context, body(c, result), rethrow);
  context.run();
  return result;
}

rep_result asio_spawn(cell const& c) { return run_body(spawn_and_join, c); }
rep_result asio_await(cell const& c) { return run_body(await_many, c); }
rep_result asio_yield(cell const& c) { return run_body(take_turns, c); }

rep_result asio_memory(cell const& c) {
  memory_book book(c);
  asio::io_context context(1);
  asio::steady_timer gate(context, asio::steady_timer::time_point::max());
  long released = 0;
  for (long i = 0; i < c.n; ++i) asio::co_spawn(context, park(gate, released), rethrow);
  context.poll();
  book.parked();
  gate.cancel();
  context.run();
  return book.result(released);
}

}  // namespace plait::lab
