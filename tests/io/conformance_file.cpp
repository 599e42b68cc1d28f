// What files do on every driver, one operation and one event at a time.
#include "support/conformance.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/io/file.hpp>
#include <plait/io/file_status.hpp>
#include <plait/task_group.hpp>
#include <plait/scheduler.hpp>
#include <plait/timeout.hpp>

#include <array>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using plait::cancel_scope;
using plait::task;
using plait::io::as_result;
using plait::io::file;
using plait::io::file_mode;
using plait::io::io_error;
using plait::test::cancelled_before;
using plait::test::cancelled_meanwhile;
using plait::test::make_file;
using plait::test::past_its_deadline;
using plait::test::stage;

namespace {

std::string word_of(std::error_code const& code) {
  if (code == std::errc::no_such_file_or_directory) return "not there";
  if (code == std::errc::file_exists) return "is there";
  if (code == std::errc::bad_file_descriptor) return "not open for that";
  if (code == std::errc::invalid_argument) return "invalid";
  return code.message();
}

std::string word_of(io_error const& e) { return word_of(e.code()); }

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

template <class Op>
task<std::string> said_by(Op op) {
  auto const got = co_await as_result(std::move(op));
  co_return got ? "ok" : word_of(got.error().code);
}

}  // namespace

CONFORMANCE_TEST("file open: to read, it is there", "ok") {
  co_await make_file(at.path("f"), "x");
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
  co_await make_file(at.path("f"), "old");
  file const f = co_await file::open(at.path("f"), file_mode::write);
  co_return f.size() == 0 ? "emptied" : "kept";
}
CONFORMANCE_TEST("file open: to read and write, it is kept", "kept") {
  co_await make_file(at.path("f"), "old");
  file f = co_await file::open(at.path("f"), file_mode::read_write);
  std::string const text = co_await all_of(f, 0);
  co_return text == "old" ? "kept" : text;
}
CONFORMANCE_TEST("file open: new, it is there already", "is there") {
  co_await make_file(at.path("f"), "old");
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
  co_await make_file(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"));
  co_return co_await all_of(f, 0);
}
CONFORMANCE_TEST("file read_at: from the middle", "llo") {
  co_await make_file(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"));
  co_return co_await all_of(f, 2);
}
CONFORMANCE_TEST("file read_at: at the end", "0") {
  co_await make_file(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"));
  std::array<char, 8> buffer;
  std::size_t const n = co_await f.read_at(5, buffer);
  co_return std::to_string(n);
}
CONFORMANCE_TEST("file read_at: behind the end", "0") {
  co_await make_file(at.path("f"), "hello");
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
  co_await make_file(at.path("f"), "hello");
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
  co_await make_file(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"), file_mode::read_write);
  co_await f.write_at(2, "LL");
  co_return co_await all_of(f, 0);
}
CONFORMANCE_TEST("file write_at: the file is only for reading", "not open for that") {
  co_await make_file(at.path("f"), "hello");
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
// The ledger sees a descriptor that stays open.
CONFORMANCE_TEST("file close: cancelled meanwhile", "closed") {
  auto const close_ten = [&]() -> task<std::string> {
    std::array<file, 10> files;
    for (file& f : files) f = co_await file::open(at.path("f"), file_mode::write);
    co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
      auto const close = [](file& f) -> task<> { co_await f.close(); };
      for (file& f : files) g.spawn(close, std::ref(f));
      co_await plait::yield();
      g.cancel();
    });
    co_return "closed";
  };
  co_return co_await close_ten();
}

CONFORMANCE_TEST("file append: behind what is there", "hello world") {
  co_await make_file(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"), file_mode::read_write);
  co_await f.append(" world");
  co_return co_await all_of(f, 0);
}
CONFORMANCE_TEST("file append: by two descriptors", "one two three ") {
  file f = co_await file::open(at.path("f"), file_mode::read_write);
  file g = co_await file::open(at.path("f"), file_mode::read_write);
  co_await f.append("one ");
  co_await g.append("two ");
  co_await f.append("three ");
  co_return co_await all_of(f, 0);
}
CONFORMANCE_TEST("file append: two at a time", "nothing lost") {
  file f = co_await file::open(at.path("f"), file_mode::read_write);
  std::string const text(300, 'x');
  auto const append = [&]() -> task<> { co_await f.append(text); };
  auto const both = [&](plait::task_group& g) -> task<> {
    g.spawn(append);
    g.spawn(append);
    co_await g.join();
  };
  co_await plait::with_task_group(both);
  co_return f.size() == 600 ? "nothing lost" : std::to_string(f.size());
}
CONFORMANCE_TEST("file append: the file is only for reading", "not open for that") {
  co_await make_file(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"));
  co_return co_await said_by(f.append("x"));
}
CONFORMANCE_TEST("file append: cancelled before", "cancelled 0") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  std::string const word = co_await cancelled_before(said_by(f.append("x")));
  co_return word + " " + std::to_string(f.size());
}
CONFORMANCE_TEST("file append: cancelled meanwhile", "cancelled 0", "ok 1") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  std::string const word = co_await cancelled_meanwhile(said_by(f.append("x")));
  co_return word + " " + std::to_string(f.size());
}

CONFORMANCE_TEST("file truncate: shorter", "hel") {
  co_await make_file(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"), file_mode::read_write);
  co_await f.truncate(3);
  co_return co_await all_of(f, 0);
}
CONFORMANCE_TEST("file truncate: longer, with zeros", "zeros") {
  co_await make_file(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"), file_mode::read_write);
  co_await f.truncate(3);
  co_await f.truncate(6);
  std::string const text = co_await all_of(f, 0);
  co_return text == std::string("hel\0\0\0", 6) ? "zeros" : text;
}
CONFORMANCE_TEST("file truncate: the file is only for reading", "invalid") {
  co_await make_file(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"));
  co_return co_await said_by(f.truncate(0));
}
CONFORMANCE_TEST("file truncate: longer than a file can be", "invalid") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  co_return co_await said_by(f.truncate(~std::uint64_t{0}));
}
CONFORMANCE_TEST("file truncate: after the close", "not open for that") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  co_await f.close();
  co_return co_await said_by(f.truncate(0));
}
CONFORMANCE_TEST("file truncate: cancelled before", "cancelled 5") {
  co_await make_file(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"), file_mode::read_write);
  std::string const word = co_await cancelled_before(said_by(f.truncate(0)));
  co_return word + " " + std::to_string(f.size());
}
CONFORMANCE_TEST("file truncate: cancelled meanwhile", "cancelled 5", "ok 0") {
  co_await make_file(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"), file_mode::read_write);
  std::string const word = co_await cancelled_meanwhile(said_by(f.truncate(0)));
  co_return word + " " + std::to_string(f.size());
}
CONFORMANCE_TEST("file truncate: the deadline has passed", "timed out 5") {
  co_await make_file(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"), file_mode::read_write);
  std::string const word = co_await past_its_deadline(said_by(f.truncate(0)));
  co_return word + " " + std::to_string(f.size());
}

CONFORMANCE_TEST("file sync: after a write", "ok, ok") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  co_await f.write_at(0, "x");
  std::string const all = co_await said_by(f.sync());
  std::string const data = co_await said_by(f.sync_data());
  co_return all + ", " + data;
}
CONFORMANCE_TEST("file sync: the file is only for reading", "ok") {
  co_await make_file(at.path("f"), "x");
  file f = co_await file::open(at.path("f"));
  co_return co_await said_by(f.sync());
}
CONFORMANCE_TEST("file sync: after the close", "not open for that") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  co_await f.close();
  co_return co_await said_by(f.sync());
}
CONFORMANCE_TEST("file sync: cancelled before", "cancelled") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  co_return co_await cancelled_before(said_by(f.sync()));
}
CONFORMANCE_TEST("file sync: cancelled meanwhile", "cancelled", "ok") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  co_await f.write_at(0, "x");
  co_return co_await cancelled_meanwhile(said_by(f.sync_data()));
}
CONFORMANCE_TEST("file sync: the deadline has passed", "timed out") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  co_return co_await past_its_deadline(said_by(f.sync()));
}

CONFORMANCE_TEST("file read_status: of an open file", "a file of 5 bytes with 1 name") {
  co_await make_file(at.path("f"), "hello");
  file const f = co_await file::open(at.path("f"));
  plait::io::file_status const s = co_await f.read_status();
  std::string const type = s.type == plait::io::file_type::regular ? "a file" : "no file";
  co_return type + " of " + std::to_string(s.size) + " bytes with " + std::to_string(s.links) + " name";
}
CONFORMANCE_TEST("file read_status: a write moves its time on", "later") {
  co_await make_file(at.path("f"), "hello");
  file f = co_await file::open(at.path("f"), file_mode::read_write);
  plait::io::file_status const before = co_await f.read_status();
  plait::io::file_status after = before;
  while (after.modified == before.modified) {  // the kernel's clock ticks
    co_await f.write_at(0, "H");
    after = co_await f.read_status();
  }
  co_return after.modified > before.modified && after.inode == before.inode ? "later" : "earlier";
}
CONFORMANCE_TEST("file read_status: after the close", "not open for that") {
  file f = co_await file::open(at.path("f"), file_mode::write);
  co_await f.close();
  co_return co_await said_by(f.read_status());
}
