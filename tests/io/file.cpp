#include <plait/io/file.hpp>

#include "support/fake_io_driver.hpp"
#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/blocking_op.hpp>
#include <plait/io/error.hpp>
#include <plait/run.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <cerrno>
#include <csignal>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <liburing.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::as_result;
using plait::io::file;
using plait::io::file_mode;
using plait::io::io_error;
using plait::test::open_descriptors;
using plait::test::patterned;
using plait::test::read_file;
using plait::test::temporary_folder;
using plait::test::turns;
using plait::test::write_file;

namespace {

task<std::string> read_all_at(file& f, std::uint64_t offset, std::size_t most) {
  std::string into(most, '\0');
  std::size_t const n = co_await f.read_at(offset, into);
  into.resize(n);
  co_return into;
}

task<std::error_code> code_of_open(std::string path, file_mode mode) {
  auto const opened = co_await as_result(file::open(std::move(path), mode));
  co_return opened ? std::error_code() : opened.error().code;
}

}  // namespace

IO_TEST("file: what is written at a position is read there") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    file f = co_await file::open(folder / "data", file_mode::read_write);
    CHECK(co_await f.write_at(0, "hello world") == 11);
    CHECK(co_await f.write_at(6, "plait") == 5);
    CHECK(co_await read_all_at(f, 0, 100) == "hello plait");
    CHECK(co_await read_all_at(f, 6, 3) == "pla");
    CHECK(f.size() == 11);
    co_await f.close();
    CHECK_FALSE(f.is_open());
    CHECK(read_file(folder / "data") == "hello plait");
  });
}

IO_TEST("file: at and behind its end a read gives 0") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    write_file(folder / "data", "abc");
    file f = co_await file::open(folder / "data");
    CHECK(co_await read_all_at(f, 2, 10) == "c");
    CHECK((co_await read_all_at(f, 3, 10)).empty());
    CHECK((co_await read_all_at(f, 1'000'000, 10)).empty());
    char none[1];
    CHECK(co_await f.read_at(0, plait::io::mutable_buffer(none, 0)) == 0);
    co_await f.close();
  });
}

IO_TEST("file: each mode does what it says") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    std::string const path = folder / "data";
    CHECK(co_await code_of_open(path, file_mode::read) == std::errc::no_such_file_or_directory);
    CHECK(co_await code_of_open(path, file_mode::create_new) == std::error_code());
    CHECK(co_await code_of_open(path, file_mode::create_new) == std::errc::file_exists);
    write_file(path, "kept");
    CHECK(co_await code_of_open(path, file_mode::read_write) == std::error_code());
    CHECK(read_file(path) == "kept");
    CHECK(co_await code_of_open(path, file_mode::write) == std::error_code());
    CHECK(read_file(path).empty());

    file const made = co_await file::open(folder / "secret", file_mode::write, 0600);
    struct stat about{};
    REQUIRE(::fstat(made.fd(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0600);
    CHECK((::fcntl(made.fd(), F_GETFD) & FD_CLOEXEC) != 0);
  });
}

IO_TEST("file: what a mode does not allow is an error of the operation") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    write_file(folder / "data", "abc");
    file reading = co_await file::open(folder / "data", file_mode::read);
    auto const written = co_await as_result(reading.write_at(0, "x"));
    CHECK(written.error().code == std::errc::bad_file_descriptor);
    file writing = co_await file::open(folder / "data", file_mode::write);
    char into[4];
    auto const read = co_await as_result(writing.read_at(0, into));
    CHECK(read.error().code == std::errc::bad_file_descriptor);
    file directory = co_await file::open(folder / "", file_mode::read);
    auto const listed = co_await as_result(directory.read_at(0, into));
    CHECK(listed.error().code == std::errc::is_a_directory);
  });
}

IO_TEST("file: an error of open names the path") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    std::string const path = folder / "not there";
    try {
      co_await file::open(path);
      FAIL("no exception");
    } catch (io_error const& e) {
      CHECK(e.code() == std::errc::no_such_file_or_directory);
      CHECK(std::string(e.what()).find("open \"" + path + "\"") == 0);
    }
    CHECK(co_await code_of_open(folder / "no/folder", file_mode::write) ==
          std::errc::no_such_file_or_directory);
    CHECK(co_await code_of_open("", file_mode::read) == std::errc::no_such_file_or_directory);
    CHECK(co_await code_of_open(std::string(5000, 'x'), file_mode::read) ==
          std::errc::filename_too_long);
    CHECK(co_await code_of_open("/", file_mode::write) == std::errc::is_a_directory);
  });
}

IO_TEST("file: with no descriptor left open says so, and works again later") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    write_file(folder / "data", "abc");
    file warm = co_await file::open(folder / "data");  // the pool's threads are there
    plait::test::descriptor_famine famine;
    auto const code = co_await code_of_open(folder / "data", file_mode::read);
    famine.end();
    CHECK(code == std::errc::too_many_files_open);
    CHECK(co_await code_of_open(folder / "data", file_mode::read) == std::error_code());
  });
}

IO_TEST("file: operations on one file overlap") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    std::string const content = patterned(1 << 20);
    constexpr std::size_t piece = 64 << 10;
    file f = co_await file::open(folder / "data", file_mode::read_write);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (std::size_t at = 0; at < content.size(); at += piece) {
        g.spawn([&](std::size_t from) -> task<> {
          std::string_view const part = std::string_view(content).substr(from, piece);
          co_await f.write_at(from, part);
        }, at);
      }
      co_await g.join();
    });
    CHECK((read_file(folder / "data") == content));
    std::string got(content.size(), '\0');
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (std::size_t at = 0; at < got.size(); at += piece) {
        g.spawn([&](std::size_t from) -> task<> {
          std::size_t n = 0;
          while (n < piece) n += co_await f.read_at(from + n, std::span(got).subspan(from + n, piece - n));
        }, at);
      }
      co_await g.join();
    });
    CHECK((got == content));
    co_await f.close();
  });
}

IO_TEST("file: a full device is an error of the write") {
  io.run([&]() -> task<> {
    auto opened = co_await as_result(file::open("/dev/full", file_mode::read_write));
    REQUIRE(opened.has_value());
    try {
      co_await opened->write_at(0, "does not fit");
      FAIL("no exception");
    } catch (io_error const& e) {
      CHECK(e.code() == std::errc::no_space_on_device);
      CHECK(e.transferred() == 0);
    }
    co_await opened->close();
  });
}

IO_TEST("file: a write that a limit cuts short says how much was written") {
  auto const previous = std::signal(SIGXFSZ, SIG_IGN);
  rlimit unlimited{};
  ::getrlimit(RLIMIT_FSIZE, &unlimited);
  rlimit const small{1000, unlimited.rlim_max};
  io.run([&]() -> task<> {
    temporary_folder const folder;
    file f = co_await file::open(folder / "data", file_mode::write);
    std::string const large = patterned(3000);
    ::setrlimit(RLIMIT_FSIZE, &small);
    auto const got = co_await as_result(f.write_at(0, large));
    ::setrlimit(RLIMIT_FSIZE, &unlimited);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().code == std::errc::file_too_large);
    CHECK(got.error().transferred == 1000);
    CHECK(got.error().message().find("write_at (after 1000 bytes): ") == 0);
    co_await f.close();
    CHECK((read_file(folder / "data") == large.substr(0, 1000)));
  });
  std::signal(SIGXFSZ, previous);
}

IO_TEST("file: closing twice is nothing, closing in a cancelled scope closes") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    int const before = open_descriptors();
    file f = co_await file::open(folder / "data", file_mode::write);
    co_await f.close();
    co_await f.close();
    file g = co_await file::open(folder / "data", file_mode::write);
    co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
      s.cancel();
      co_await g.close();
    });
    CHECK_FALSE(g.is_open());
    CHECK(open_descriptors() == before);
  });
}

IO_TEST("file: a close that is never awaited, or not begun, leaves no descriptor") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    int const before = open_descriptors();
    {
      file f = co_await file::open(folder / "data", file_mode::write);
      auto const dropped = f.close();
      CHECK_FALSE(f.is_open());
    }
    CHECK(open_descriptors() == before);
    file f = co_await file::open(folder / "data", file_mode::write);
    co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
      s.cancel();
      auto const closed = co_await as_result(f.close());
      CHECK(closed.has_value());
    });
    CHECK(open_descriptors() == before);
  });
}

IO_TEST("file: close reports what went wrong") {
  io.run([&]() -> task<> {
    file f((plait::io::descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC))));
    ::close(f.fd());  // behind its back
    auto const closed = co_await as_result(f.close());
    REQUIRE_FALSE(closed.has_value());
    CHECK(closed.error().code == std::errc::bad_file_descriptor);
  });
}

IO_TEST("file: a cancelled open leaves no descriptor, whenever it is cancelled") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    write_file(folder / "data", "abc");
    file const warm = co_await file::open(folder / "data");
    int const before = open_descriptors();
    int opened = 0;
    for (int round = 0; round < 60; ++round) {
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        g.spawn([&]() -> task<> {
          file const f = co_await file::open(folder / "data");
          ++opened;
        });
        co_await turns(round % 4);
        if (round % 2 == 1) co_await plait::yield();
        g.cancel();
        co_await g.join();
      });
      CHECK(open_descriptors() == before);
    }
    CHECK(opened >= 0);
  });
}

IO_TEST("file: an open that waits for another process is cancelled or waited for, and leaks nothing") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    std::string const fifo = folder / "fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    int const before = open_descriptors();
    bool opened = false;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      plait::cancel_scope* scope = nullptr;
      g.spawn([&]() -> task<> {
        co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
          scope = &s;
          file const f = co_await file::open(fifo, file_mode::write);
          opened = true;
        });
      });
      co_await turns(5);
      scope->cancel();
      co_await turns(5);
      // The kernel gives it up; a thread waits until somebody opens the other end.
      if (!io.on_uring()) {
        int const reader = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        co_await g.join();
        ::close(reader);
      }
      co_await g.join();
    });
    CHECK_FALSE((opened && io.on_uring()));
    CHECK(open_descriptors() == before);
  });
}

IO_TEST("file: with more operations than threads, those that wait for one are cancelled") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    std::string const fifo = folder / "fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    write_file(folder / "data", "abc");
    int opened = 0;
    bool behind = false;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < 4; ++i) {
        g.spawn([&]() -> task<> {
          file const f = co_await file::open(fifo, file_mode::write);
          ++opened;
        });
      }
      co_await turns(5);
      if (!io.on_uring()) {
        // All threads wait for the other end, so this one waits for a thread.
        auto const late = co_await plait::move_on_after(20ms, [&]() -> task<> {
          file const f = co_await file::open(folder / "data");
        });
        behind = !late;
      }
      int const reader = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
      co_await g.join();
      ::close(reader);
    });
    CHECK(opened == 4);
    CHECK(behind == !io.on_uring());
  });
}

IO_TEST("file: a deadline that has passed before the await begins opens and writes nothing") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    auto const opened =
        co_await as_result(with_timeout(0ns, file::open(folder / "data", file_mode::write)));
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().code == std::errc::timed_out);
    CHECK_FALSE(::access((folder / "data").c_str(), F_OK) == 0);
    file f = co_await file::open(folder / "data", file_mode::write);
    CHECK_THROWS_AS(co_await with_timeout(0ns, f.write_at(0, "x")), plait::timed_out);
    CHECK(f.size() == 0);
    co_await f.close();
  });
}

IO_TEST("file: a kernel without the ring's file operations is served by the pool") {
  io.options.masked_opcodes =
      1ULL << IORING_OP_OPENAT | 1ULL << IORING_OP_READ | 1ULL << IORING_OP_WRITE | 1ULL << IORING_OP_CLOSE;
  io.run([&]() -> task<> {
    temporary_folder const folder;
    std::string const fifo = folder / "fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    file f = co_await file::open(folder / "data", file_mode::read_write);
    CHECK(co_await f.write_at(0, "hello") == 5);
    CHECK(co_await read_all_at(f, 1, 100) == "ello");
    co_await f.close();
    CHECK(co_await code_of_open(folder / "none", file_mode::read) ==
          std::errc::no_such_file_or_directory);
    int opened = 0;
    bool behind = false;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < 4; ++i) {
        g.spawn([&]() -> task<> {
          file const waiting = co_await file::open(fifo, file_mode::write);
          ++opened;
        });
      }
      co_await turns(5);
      // All threads wait for the other end, so this one waits for a thread, and is cancelled there.
      auto const late = co_await plait::move_on_after(20ms, [&]() -> task<> {
        file const never = co_await file::open(folder / "data");
      });
      behind = !late;
      int const reader = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
      co_await g.join();
      ::close(reader);
    });
    CHECK(opened == 4);
    CHECK(behind);
  });
}

IO_TEST("file: appends go to the end, and do not overwrite each other") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    file f = co_await file::open(folder / "data", file_mode::read_write);
    file other = co_await file::open(folder / "data", file_mode::read_write);
    co_await f.append("one ");
    co_await other.append("two ");
    std::size_t const appended = co_await f.append("three");
    CHECK(appended == 5);
    CHECK(read_file(folder / "data") == "one two three");
    co_await f.truncate(0);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < 20; ++i) {
        g.spawn([&](char c) -> task<> {
          std::string const line(100, c);
          co_await f.append(line);
        }, static_cast<char>('a' + i));
      }
      co_await g.join();
    });
    std::string const text = read_file(folder / "data");
    REQUIRE(text.size() == 2000);
    std::set<char> letters;
    for (std::size_t at = 0; at < text.size(); at += 100) {
      CHECK((text.substr(at, 100) == std::string(100, text[at])));
      letters.insert(text[at]);
    }
    CHECK(letters.size() == 20);
    file reading = co_await file::open(folder / "data");
    auto const refused = co_await as_result(reading.append("x"));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == std::errc::bad_file_descriptor);
  });
}

namespace {

task<> cut_and_sync(temporary_folder const& folder) {
  file f = co_await file::open(folder / "data", file_mode::read_write);
  co_await f.write_at(0, "hello world");
  co_await f.truncate(5);
  CHECK(read_file(folder / "data") == "hello");
  co_await f.truncate(7);
  CHECK(read_file(folder / "data") == std::string("hello\0\0", 7));
  co_await f.sync();
  co_await f.sync_data();
  file reading = co_await file::open(folder / "data");
  auto const cut = co_await as_result(reading.truncate(1));
  REQUIRE_FALSE(cut.has_value());
  CHECK(cut.error().code == std::errc::invalid_argument);
  co_await reading.sync();
  auto const huge = co_await as_result(f.truncate(~std::uint64_t{0}));
  REQUIRE_FALSE(huge.has_value());
  CHECK(huge.error().code == std::errc::invalid_argument);
  file closed;
  CHECK_THROWS_AS(co_await closed.sync(), io_error);
  CHECK_THROWS_AS(co_await closed.truncate(0), io_error);
  CHECK_THROWS_AS(co_await closed.read_status(), io_error);
  file null((plait::io::descriptor(::open("/dev/null", O_WRONLY | O_CLOEXEC))));
  auto const synced = co_await as_result(null.sync());
  REQUIRE_FALSE(synced.has_value());
  CHECK(synced.error().code == std::errc::invalid_argument);
  CHECK(read_file(folder / "data") == std::string("hello\0\0", 7));
}

}  // namespace

IO_TEST("file: truncate cuts and lengthens, sync goes with any file") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    co_await cut_and_sync(folder);
  });
}

IO_TEST("file: a kernel without truncate and sync in its ring is served by the pool") {
  io.options.masked_opcodes = 1ULL << 55 | 1ULL << IORING_OP_FSYNC;  // FTRUNCATE
  io.run([&]() -> task<> {
    temporary_folder const folder;
    co_await cut_and_sync(folder);
  });
}

TEST_CASE("file: a sync that failed to write is final, until the file is opened anew") {
  plait::test::fake_io_driver driver;
  plait::scheduler sched(driver);
  plait::run_on(sched, [&]() -> task<> {
    int const number = ::dup(0);
    file f{plait::io::descriptor(number)};
    driver.at_once = {-EINVAL, 0, -EIO, 0};
    auto const wrong = co_await as_result(f.sync());
    CHECK(wrong.error().code == std::errc::invalid_argument);
    co_await f.sync();  // that was no loss
    try {
      co_await f.sync_data();
      FAIL("no exception");
    } catch (io_error const& e) {
      CHECK(e.code() == std::errc::io_error);
      CHECK(std::string(e.what()).find("write it anew, into another file") != std::string::npos);
    }
    auto const again = co_await as_result(f.sync());
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().code == std::errc::io_error);
    CHECK(driver.submissions == 3);
    file moved = std::move(f);
    CHECK_THROWS_AS(co_await moved.sync(), io_error);
    moved = file();
    REQUIRE(::dup(0) == number);
    file next{plait::io::descriptor(number)};
    co_await next.sync();
    CHECK(driver.submissions == 4);

    // The same where the answer comes later, to an operation that is cancelled meanwhile.
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await as_result(next.sync()); });
      co_await plait::yield();
      g.cancel();
      driver.answer(0, -ENOSPC);
      co_await g.join();
    });
    auto const late = co_await as_result(next.sync());
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().code == std::errc::no_space_on_device);
    CHECK(driver.held.empty());
  }());
}
