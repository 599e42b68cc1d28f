#include "workloads/files.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "contenders/contenders.hpp"
#include "method/rng.hpp"
#include "method/window.hpp"
#include "models/coro.hpp"
#include "models/pools.hpp"
#include "workloads/units.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

using contents = std::vector<std::uint64_t>;

contents contents_of(std::size_t file) {
  contents words(file_corpus::file_bytes / sizeof(std::uint64_t));
  rng random(file);
  for (std::uint64_t& word : words) word = random.next();
  return words;
}

// Sensitive to the order of the words, yet far cheaper than the read.
std::uint64_t sum_of(std::span<std::byte const> bytes) {
  std::uint64_t sum = 0;
  std::uint64_t sum_of_sums = 0;
  for (std::size_t at = 0; at + sizeof sum <= bytes.size(); at += sizeof sum) {
    std::uint64_t word = 0;
    std::memcpy(&word, &bytes[at], sizeof word);
    sum += word;
    sum_of_sums += sum;
  }
  return sum_of_sums ^ (sum << 1);
}

std::string path_in(std::string const& folder, std::size_t file) {
  return fmt::format("{}/{:04}", folder, file);
}

void inline_all(cell const&, file_corpus const& corpus) {
  std::vector<std::byte> buffer(file_corpus::file_bytes);
  for (std::size_t i = 0; i < file_corpus::files; ++i) read_file_blocking(corpus, i, buffer);
}

// Reader k of n reads the files k, k + n, k + 2n, ...
void read_share(cell const& c, file_corpus const& corpus, long reader) {
  std::vector<std::byte> buffer(file_corpus::file_bytes);
  for (auto i = static_cast<std::size_t>(reader); i < file_corpus::files;
       i += static_cast<std::size_t>(c.n))
    read_file_blocking(corpus, i, buffer);
}

void thread_all(cell const& c, file_corpus const& corpus) {
  std::vector<std::string> failures(static_cast<std::size_t>(c.n));
  run_threads(c.n, [&](long i) {
    try {
      read_share(c, corpus, i);
    } catch (std::exception const& e) {
      failures[static_cast<std::size_t>(i)] = e.what();
    }
  });
  for (auto const& failure : failures)
    if (!failure.empty()) throw std::runtime_error(failure);
}

void process_all(cell const& c, file_corpus const& corpus) {
  run_processes(c.n, [&](long i) { read_share(c, corpus, i); });
}

rep_result inline_run(cell const& c) { return run_files(c, inline_all); }
rep_result thread_run(cell const& c) { return run_files(c, thread_all); }
rep_result process_run(cell const& c) { return run_files(c, process_all); }

}  // namespace

file_corpus::owner::owner() {
  char const* base = std::getenv("TMPDIR");
  folder_ = fmt::format("{}/plait-lab-XXXXXX", base && *base ? base : "/tmp");
  if (!::mkdtemp(folder_.data()))
    throw_errno(fmt::format("making {} for io.files (set TMPDIR to a writable folder)", folder_));
  for (std::size_t i = 0; i < files; ++i) {
    auto const words = contents_of(i);
    std::ofstream file(path_in(folder_, i), std::ios::binary);
    file.write(reinterpret_cast<char const*>(words.data()), file_bytes);
    if (!file.flush()) {
      std::error_code ignored;
      std::filesystem::remove_all(folder_, ignored);
      throw std::runtime_error("writing the files of io.files into " + folder_ +
                               " failed; it takes 16 MiB");
    }
  }
}

file_corpus::owner::~owner() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

file_corpus::file_corpus() {
  char const* folder = std::getenv(variable);
  if (!folder) throw std::runtime_error(fmt::format("{} is not set", variable));
  for (std::size_t i = 0; i < files; ++i) {
    paths_.push_back(path_in(folder, i));
    auto const words = contents_of(i);
    sums_.push_back(sum_of(std::as_bytes(std::span(words))));
  }
}

void file_corpus::check(std::size_t file, std::span<std::byte const> bytes) const {
  check_answer(bytes.size() == file_bytes,
               fmt::format("{} bytes of {} in {}", bytes.size(), file_bytes, path(file)));
  check_answer(sum_of(bytes) == sums_[file], fmt::format("contents of {}", path(file)));
}

void read_file_blocking(file_corpus const& corpus, std::size_t file, std::span<std::byte> buffer) {
  int const fd = ::open(corpus.path(file), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw_errno(std::string("open ") + corpus.path(file));
  ssize_t const n = ::pread(fd, buffer.data(), buffer.size(), 0);
  ::close(fd);
  if (n < 0) throw_errno(std::string("read ") + corpus.path(file));
  corpus.check(file, buffer.first(static_cast<std::size_t>(n)));
}

rep_result run_files(cell const& c, void (*read_all)(cell const&, file_corpus const&)) {
  file_corpus const corpus;
  window w(c);
  while (w.more()) {
    read_all(c, corpus);
    w.add(file_corpus::files);
  }
  return w.result();
}

workload io_files() {
  auto const threads = [](cell const& c) { return needs_threads(static_cast<double>(c.n)); };
  auto const processes = [](cell const& c) { return needs_processes(static_cast<double>(c.n)); };
  auto const descriptors = [](cell const& c) {
    need n;
    n.descriptors = static_cast<double>(c.n);
    return n;
  };
  return {
      .id = "io.files",
      .title = "open, read, close 16 KiB files (cached), N at once: files per second",
      .operation = "file",
      .figure = metric::per_second,
      .sizes = {64},
      .full_sizes = {1, 8, 64, 512},
      .models = {{"inline", inline_run},
                 {"coro", coro_files, descriptors, true},
                 {"thread", thread_run, threads},
                 {"pool", pool_files},
                 {"process", process_run, processes},
                 {"asio", asio_files, descriptors},
                 {"uring", uring_files, descriptors}},
  };
}

}  // namespace plait::lab
