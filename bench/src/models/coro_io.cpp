// The model "coro" for sockets and files, as a user of plait writes them.
#include <memory>
#include <vector>

#include <plait/io/error.hpp>
#include <plait/io/file.hpp>
#include <plait/io/tcp.hpp>
#include <plait/run.hpp>
#include <plait/task.hpp>
#include <plait/task_group.hpp>

#include "method/window.hpp"
#include "models/coro.hpp"
#include "workloads/files.hpp"

namespace plait::lab {

namespace {

constexpr std::size_t echo_buffer_bytes = 16 * 1024;

task<> echo(io::tcp_stream peer) {
  auto const buffer = std::make_unique_for_overwrite<char[]>(echo_buffer_bytes);
  try {
    for (;;) {
      std::size_t const n =
          co_await peer.read_some(io::mutable_buffer(buffer.get(), echo_buffer_bytes));
      if (n == 0) break;
      co_await peer.write_all(io::const_buffer(buffer.get(), n));
    }
  } catch (io::io_error const&) {
    // The peer has reset its connection.
  }
}

task<> accept_all(task_group& sessions, io::tcp_listener* listener) {
  for (;;) {
    io::tcp_stream peer = co_await listener->accept();
    sessions.spawn(echo, std::move(peer));
  }
}

task<> serve(std::uint16_t port, announce_port const* announce) {
  auto listener = io::tcp_listener::listen(io::address::loopback(port));
  (*announce)(listener.local_address().port());
  co_await with_task_group(accept_all, &listener);
}

// Takes the next file until none is left.
task<> reader(file_corpus const* corpus, std::size_t* next) {
  std::vector<std::byte> buffer(file_corpus::file_bytes);
  while (*next < file_corpus::files) {
    std::size_t const i = (*next)++;
    io::file file = co_await io::file::open(corpus->path(i));
    std::size_t const n = co_await file.read_at(0, buffer);
    co_await file.close();
    corpus->check(i, std::span(buffer).first(n));
  }
}

task<> start_readers(task_group& group, file_corpus const* corpus, std::size_t* next, long n) {
  for (long i = 0; i < n; ++i) group.spawn(reader, corpus, next);
  co_return;
}

task<rep_result> files(cell c) {
  file_corpus const corpus;
  window w(c);
  while (w.more()) {
    std::size_t next = 0;
    co_await with_task_group(start_readers, &corpus, &next, c.n);
    w.add(file_corpus::files);
  }
  co_return w.result();
}

}  // namespace

void coro_serve_echo(std::uint16_t port, announce_port const& announce) {
  plait::run([&] { return serve(port, &announce); });
}

rep_result coro_files(cell const& c) {
  return plait::run([&] { return files(c); });
}

}  // namespace plait::lab
