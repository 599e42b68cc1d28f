// Asio's files, which need its io_uring backend (the build defines ASIO_HAS_IO_URING; sockets stay
// on epoll). Opening and closing are synchronous in Asio.
#include <exception>
#include <vector>

#include <asio.hpp>

#include "contenders/contenders.hpp"
#include "workloads/files.hpp"

namespace plait::lab {

namespace {

asio::awaitable<void> reader(file_corpus const& corpus, std::size_t& next) {
  auto const executor = co_await asio::this_coro::executor;
  std::vector<std::byte> buffer(file_corpus::file_bytes);
  while (next < file_corpus::files) {
    std::size_t const i = next++;
    asio::random_access_file file(executor, corpus.path(i), asio::random_access_file::read_only);
    std::size_t const n =
        co_await asio::async_read_at(file, 0, asio::buffer(buffer), asio::use_awaitable);
    corpus.check(i, std::span(buffer).first(n));
  }
}

void read_all(cell const& c, file_corpus const& corpus) {
  asio::io_context context(1);
  std::size_t next = 0;
  for (long i = 0; i < c.n; ++i)
    asio::co_spawn(context, reader(corpus, next), [](std::exception_ptr failure) {
      if (failure) std::rethrow_exception(failure);
    });
  context.run();
}

}  // namespace

rep_result asio_files(cell const& c) { return run_files(c, read_all); }

}  // namespace plait::lab
