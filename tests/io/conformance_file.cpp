// What files do on every driver, one operation and one event at a time.
#include "support/conformance.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/io/file.hpp>
#include <plait/timeout.hpp>

#include <array>
#include <string>

using namespace std::chrono_literals;
using plait::cancel_scope;
using plait::task;
using plait::io::file;
using plait::io::file_mode;
using plait::io::io_error;
using plait::test::stage;

namespace {

std::string word_of(io_error const& e) {
  if (e.code() == std::errc::no_such_file_or_directory) return "not there";
  if (e.code() == std::errc::file_exists) return "is there";
  if (e.code() == std::errc::bad_file_descriptor) return "not open for that";
  return e.what();
}

task<> make(std::string path, std::string text) {
  file made = co_await file::open(std::move(path), file_mode::write);
  co_await made.write_at(0, text);
  co_await made.close();
}

task<std::string> opening(std::string path, file_mode mode) {
  std::string word = "ok";
  try {
    file const opened = co_await file::open(std::move(path), mode);
  } catch (io_error const& e) {
    word = word_of(e);
  }
  co_return word;
}

// In a scope that is cancelled already.
template <class Fn>
task<std::string> too_late(Fn fn) {
  std::string word = "cancelled";
  auto const body = [&](cancel_scope& s) -> task<> {
    s.cancel();
    word = co_await fn();
  };
  co_await plait::with_cancel_scope(body);
  co_return word;
}

// Like read_exactly: reads may be short before the end.
task<std::string> all_of(file& f, std::uint64_t from) {
  std::string all;
  for (;;) {
    std::array<char, 64> buffer;
    std::size_t const n = co_await f.read_at(from + all.size(), buffer);
    if (n == 0) co_return all;
    all.append(buffer.data(), n);
  }
}

}  // namespace

CONFORMANCE_TEST("file open: to read, it is there", "ok") {
  co_await make(at.path("f"), "x");
  co_return co_await opening(at.path("f"), file_mode::read);
}
CONFORMANCE_TEST("file open: to read, it is not there", "not there") {
  co_return co_await opening(at.path("f"), file_mode::read);
}
CONFORMANCE_TEST("file open: to write, it is made", "made empty") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  co_return f.size() == 0 ? "made empty" : "not empty";
}
CONFORMANCE_TEST("file open: to write, it is emptied", "emptied") {
  co_await make(at.path("f"), "old");
  file const f = co_await file::open(at.path("f"), file_mode::write);
  co_return f.size() == 0 ? "emptied" : "kept";
}
CONFORMANCE_TEST("file open: to read and write, it is kept", "kept") {
  co_await make(at.path("f"), "old");
  file f = co_await file::open(at.path("f"), file_mode::read_write);
  std::string const text = co_await all_of(f, 0);
  co_return text == "old" ? "kept" : text;
}
CONFORMANCE_TEST("file open: new, it is there already", "is there") {
  co_await make(at.path("f"), "old");
  co_return co_await opening(at.path("f"), file_mode::create_new);
}
CONFORMANCE_TEST("file open: cancelled before", "cancelled") {
  auto const open = [&]() -> task<std::string> {
    std::string const word = co_await opening(at.path("f"), file_mode::write);
    co_return word;
  };
  co_return co_await too_late(open);
}
CONFORMANCE_TEST("file open: the deadline has passed", "timed out") {
  std::string word = "ok";
  try {
    file const f = co_await plait::with_timeout(-1s, file::open(at.path("f"), file_mode::write));
  } catch (plait::timed_out const&) {
    word = "timed out";
  }
  co_return word;
}

CONFORMANCE_TEST("file read_at: what was written is there", "hello") {
  co_await make(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"));
  co_return co_await all_of(f, 0);
}
CONFORMANCE_TEST("file read_at: from the middle", "llo") {
  co_await make(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"));
  co_return co_await all_of(f, 2);
}
CONFORMANCE_TEST("file read_at: at the end", "0") {
  co_await make(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"));
  std::array<char, 8> buffer;
  std::size_t const n = co_await f.read_at(5, buffer);
  co_return std::to_string(n);
}
CONFORMANCE_TEST("file read_at: behind the end", "0") {
  co_await make(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"));
  std::array<char, 8> buffer;
  std::size_t const n = co_await f.read_at(1000, buffer);
  co_return std::to_string(n);
}
CONFORMANCE_TEST("file read_at: the file is only for writing", "not open for that") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  std::array<char, 8> buffer;
  std::string word = "ok";
  try {
    co_await f.read_at(0, buffer);
  } catch (io_error const& e) {
    word = word_of(e);
  }
  co_return word;
}
CONFORMANCE_TEST("file read_at: cancelled before", "cancelled") {
  co_await make(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"));
  auto const read = [&]() -> task<std::string> {
    std::array<char, 8> buffer;
    co_await f.read_at(0, buffer);
    co_return "ok";
  };
  co_return co_await too_late(read);
}

CONFORMANCE_TEST("file write_at: all of it is written", "20000 bytes") {
  file f = co_await file::open(at.path("f"), file_mode::create_new);
  std::string const text(20'000, 'x');
  co_await f.write_at(0, text);
  co_return std::to_string(f.size()) + " bytes";
}
CONFORMANCE_TEST("file write_at: behind the end, with a hole before it", "hole") {
  file f = co_await file::open(at.path("f"), file_mode::create_new);
  co_await f.write_at(3, "x");
  std::string const text = co_await all_of(f, 0);
  co_return text == std::string("\0\0\0x", 4) ? "hole" : text;
}
CONFORMANCE_TEST("file write_at: over what is there", "heLLo") {
  co_await make(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"), file_mode::read_write);
  co_await f.write_at(2, "LL");
  co_return co_await all_of(f, 0);
}
CONFORMANCE_TEST("file write_at: the file is only for reading", "not open for that") {
  co_await make(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"));
  std::string word = "ok";
  try {
    co_await f.write_at(0, "x");
  } catch (io_error const& e) {
    word = word_of(e);
  }
  co_return word;
}
CONFORMANCE_TEST("file write_at: cancelled before", "cancelled, and nothing written") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  auto const write = [&]() -> task<std::string> {
    co_await f.write_at(0, "x");
    co_return "ok";
  };
  std::string const word = co_await too_late(write);
  co_return word + (f.size() == 0 ? ", and nothing written" : ", and something written");
}

CONFORMANCE_TEST("file close: twice", "ok") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  co_await f.close();
  co_await f.close();
  co_return f.is_open() ? "open" : "ok";
}
CONFORMANCE_TEST("file close: in a cancelled scope", "closed") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  auto const close = [&]() -> task<std::string> {
    co_await f.close();
    co_return "closed";
  };
  co_return co_await too_late(close);
}
