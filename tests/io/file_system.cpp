#include <plait/io/file_system.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"
#include "support/skip.hpp"

#include <plait/cancel.hpp>
#include <plait/io/directory.hpp>
#include <plait/io/error.hpp>
#include <plait/io/file.hpp>
#include <plait/io/file_status.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <chrono>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <liburing.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace std::chrono_literals;
using plait::task;
using plait::io::as_result;
using plait::io::directory;
using plait::io::file;
using plait::io::file_mode;
using plait::io::file_status;
using plait::io::file_type;
using plait::io::io_error;
using plait::io::make_directory;
using plait::io::read_status;
using plait::io::remove_directory;
using plait::io::remove_file;
using plait::io::rename;
using plait::test::patterned;
using plait::test::read_file;
using plait::test::temporary_folder;
using plait::test::turns;
using plait::test::write_file;

namespace {

bool exists(std::string const& path) { return ::access(path.c_str(), F_OK) == 0; }

// What an operation on paths says when it fails.
struct complaint {
  std::error_code code;
  std::string text;
  bool has(std::string const& part) const { return text.find(part) != std::string::npos; }
};

task<complaint> complaint_of(plait::io::path_operation operation) {
  complaint said;
  try {
    co_await std::move(operation);
  } catch (io_error const& e) {
    said = {e.code(), e.what()};
  }
  co_return said;
}

// A file system in memory with room for `bytes`; not there where mounting is not allowed.
class small_disk {
 public:
  small_disk(std::string path, std::string const& options) : path_(std::move(path)) {
    ::mkdir(path_.c_str(), 0700);
    if (::mount("plait-test", path_.c_str(), "tmpfs", MS_NODEV, options.c_str()) == 0) return;
    why_not_ = std::string("mounting a tmpfs: ") + std::strerror(errno);
  }
  ~small_disk() {
    if (why_not_.empty()) ::umount2(path_.c_str(), MNT_DETACH);
  }
  small_disk(small_disk const&) = delete;
  small_disk& operator=(small_disk const&) = delete;

  std::string const& why_not() const noexcept { return why_not_; }
  bool make_read_only() const {
    return ::mount(nullptr, path_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0;
  }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
  std::string why_not_;
};

// Each operation once, and what it changed.
task<> life_of_a_name(temporary_folder const& folder) {
  co_await make_directory(folder / "d", 0700);
  file_status const made = co_await read_status(folder / "d");
  CHECK(made.type == file_type::directory);
  CHECK(made.permissions == 0700);
  write_file(folder / "d/a", "text");
  co_await rename(folder / "d/a", folder / "b");
  CHECK_FALSE(exists(folder / "d/a"));
  CHECK(read_file(folder / "b") == "text");
  write_file(folder / "c", "other");
  co_await rename(folder / "b", folder / "c");
  CHECK(read_file(folder / "c") == "text");
  write_file(folder / "b", "kept");
  complaint const taken = co_await complaint_of(rename(folder / "b", folder / "c", {.replace = false}));
  CHECK(taken.code == std::errc::file_exists);
  CHECK(read_file(folder / "c") == "text");
  co_await rename(folder / "b", folder / "e", {.replace = false});
  CHECK(read_file(folder / "e") == "kept");
  co_await remove_file(folder / "c");
  CHECK_FALSE(exists(folder / "c"));
  co_await remove_directory(folder / "d");
  CHECK_FALSE(exists(folder / "d"));
}

}  // namespace

IO_TEST("file system: what is made, renamed and removed is") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    co_await life_of_a_name(folder);
  });
}

IO_TEST("file system: a kernel without the ring's operations on names is served by the pool") {
  io.options.masked_opcodes = 1ULL << IORING_OP_RENAMEAT | 1ULL << IORING_OP_UNLINKAT |
                              1ULL << IORING_OP_MKDIRAT | 1ULL << IORING_OP_STATX;
  io.run([&]() -> task<> {
    temporary_folder const folder;
    co_await life_of_a_name(folder);
  });
}

IO_TEST("file system: a status is what stat(2) says, of a path and of an open file") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    auto const before = std::chrono::system_clock::now() - 2s;  // the kernel's clock is coarse
    write_file(folder / "data", std::string(5000, 'x'));
    REQUIRE(::chmod((folder / "data").c_str(), 04640) == 0);
    REQUIRE(::link((folder / "data").c_str(), (folder / "second").c_str()) == 0);
    struct stat truth{};
    REQUIRE(::stat((folder / "data").c_str(), &truth) == 0);

    file_status const s = co_await read_status(folder / "data");
    CHECK(s.type == file_type::regular);
    CHECK(s.permissions == 04640);
    CHECK(s.size == 5000);
    CHECK(s.allocated_bytes == static_cast<std::uint64_t>(truth.st_blocks) * 512);
    CHECK(s.device == truth.st_dev);
    CHECK(s.inode == truth.st_ino);
    CHECK(s.links == 2);
    CHECK(s.owner == truth.st_uid);
    CHECK(s.group == truth.st_gid);
    CHECK(s.modified.time_since_epoch() ==
          std::chrono::seconds(truth.st_mtim.tv_sec) + std::chrono::nanoseconds(truth.st_mtim.tv_nsec));
    CHECK(s.modified > before);
    CHECK(s.changed >= s.modified);

    file const opened = co_await file::open(folder / "second");
    file_status const same = co_await opened.read_status();
    CHECK(same.inode == s.inode);
    CHECK(same.device == s.device);
    CHECK(same.size == 5000);
  });
}

IO_TEST("file system: a link is followed unless it is asked for") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    write_file(folder / "data", "abc");
    REQUIRE(::symlink("data", (folder / "link").c_str()) == 0);
    REQUIRE(::symlink("nowhere", (folder / "dangling").c_str()) == 0);
    file_status const followed = co_await read_status(folder / "link");
    CHECK(followed.type == file_type::regular);
    file_status const itself = co_await read_status(folder / "link", {.follow_links = false});
    CHECK(itself.type == file_type::symbolic_link);
    auto const lost = co_await as_result(read_status(folder / "dangling"));
    REQUIRE_FALSE(lost.has_value());
    CHECK(lost.error().code == std::errc::no_such_file_or_directory);
    file_status const null = co_await read_status("/dev/null");
    CHECK(null.type == file_type::character_device);
  });
}

IO_TEST("file system: errors name the paths and say what to do") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    ::mkdir((folder / "full").c_str(), 0700);
    write_file(folder / "full/f", "x");
    write_file(folder / "f", "x");
    ::mkdir((folder / "empty").c_str(), 0700);

    complaint c = co_await complaint_of(remove_directory(folder / "full"));
    CHECK(c.code == std::errc::directory_not_empty);
    CHECK(c.has("remove_directory \"" + folder / "full" + "\" (remove what is in it first)"));
    c = co_await complaint_of(remove_directory(folder / "f"));
    CHECK(c.code == std::errc::not_a_directory);
    CHECK(c.has("use remove_file"));
    c = co_await complaint_of(remove_file(folder / "empty"));
    CHECK(c.code == std::errc::is_a_directory);
    CHECK(c.has("use remove_directory"));
    c = co_await complaint_of(remove_file(folder / "none"));
    CHECK(c.code == std::errc::no_such_file_or_directory);
    CHECK(c.has(folder / "none"));
    c = co_await complaint_of(make_directory(folder / "none/d"));
    CHECK(c.code == std::errc::no_such_file_or_directory);
    CHECK(c.has("make the one above it first"));
    c = co_await complaint_of(make_directory(folder / "empty"));
    CHECK(c.code == std::errc::file_exists);
    c = co_await complaint_of(rename(folder / "empty", folder / "full"));
    CHECK(c.code == std::errc::directory_not_empty);
    CHECK(c.has("rename \"" + folder / "empty" + "\" to \"" + folder / "full" + "\" (there is a dir"));
    c = co_await complaint_of(rename(folder / "empty", folder / "empty/below"));
    CHECK(c.code == std::errc::invalid_argument);
    c = co_await complaint_of(rename(folder / "f", folder / "empty"));
    CHECK(c.code == std::errc::is_a_directory);
    c = co_await complaint_of(rename(folder / "none", folder / "other"));
    CHECK(c.code == std::errc::no_such_file_or_directory);
    c = co_await complaint_of(remove_file(std::string(5000, 'x')));
    CHECK(c.code == std::errc::filename_too_long);
    // A mount point is busy: that is the kernel's word, and none of two readers of a stream.
    c = co_await complaint_of(remove_directory("/proc"));
    CHECK(c.code == std::errc::device_or_resource_busy);
  });
}

IO_TEST("file system: across file systems, on a full one and on a read-only one, errors say so") {
  temporary_folder const folder;
  small_disk const disk(folder / "disk", "size=64k,nr_inodes=4");
  if (!disk.why_not().empty()) return plait::test::skip(disk.why_not());
  io.run([&]() -> task<> {
    write_file(folder / "f", "x");
    complaint c = co_await complaint_of(rename(folder / "f", disk / "f"));
    CHECK(c.code == std::errc::cross_device_link);
    CHECK(c.has("copy it, then remove it"));
    CHECK(read_file(folder / "f") == "x");

    file f = co_await file::open(disk / "large", file_mode::read_write);
    auto const written = co_await as_result(f.write_at(0, patterned(100'000)));
    REQUIRE_FALSE(written.has_value());
    CHECK(written.error().code == std::errc::no_space_on_device);
    CHECK(written.error().transferred == 65536);
    auto const appended = co_await as_result(f.append("x"));
    REQUIRE_FALSE(appended.has_value());
    CHECK(appended.error().code == std::errc::no_space_on_device);
    co_await f.truncate(10);
    co_await f.append("there is room again");
    co_await f.sync();
    co_await f.close();
    co_await make_directory(disk / "d");
    co_await make_directory(disk / "e");
    c = co_await complaint_of(make_directory(disk / "g"));
    CHECK(c.code == std::errc::no_space_on_device);

    if (!disk.make_read_only()) co_return;
    c = co_await complaint_of(remove_file(disk / "large"));
    CHECK(c.code == std::errc::read_only_file_system);
    c = co_await complaint_of(rename(disk / "d", disk / "g"));
    CHECK(c.code == std::errc::read_only_file_system);
    c = co_await complaint_of(make_directory(disk / "g"));
    CHECK(c.code == std::errc::read_only_file_system);
    c = co_await complaint_of(remove_directory(disk / "d"));
    CHECK(c.code == std::errc::read_only_file_system);
    auto const opened = co_await as_result(file::open(disk / "large", file_mode::read_write));
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().code == std::errc::read_only_file_system);
  });
}

IO_TEST("file system: a rename that is cancelled was done whole or not at all") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    write_file(folder / "a", "text");
    std::string here = folder / "a";
    std::string there = folder / "b";
    for (int round = 0; round < 40; ++round) {
      bool returned = false;
      co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
        g.spawn([&]() -> task<> {
          co_await rename(here, there);
          returned = true;
        });
        co_await turns(round % 4);
        g.cancel();
        co_await g.join();
      });
      CHECK(exists(here) != exists(there));
      CHECK(exists(there) == returned);
      if (returned) std::swap(here, there);
    }
  });
}

IO_TEST("file system: in a cancelled scope, or past the deadline, no name is touched") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    write_file(folder / "f", "x");
    ::mkdir((folder / "d").c_str(), 0700);
    co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
      s.cancel();
      CHECK_THROWS_AS(co_await remove_file(folder / "f"), plait::cancelled);
      CHECK_THROWS_AS(co_await remove_directory(folder / "d"), plait::cancelled);
      CHECK_THROWS_AS(co_await make_directory(folder / "e"), plait::cancelled);
      CHECK_THROWS_AS(co_await rename(folder / "f", folder / "g"), plait::cancelled);
      CHECK_THROWS_AS(co_await read_status(folder / "f"), plait::cancelled);
    });
    CHECK_THROWS_AS(co_await with_timeout(-1s, remove_file(folder / "f")), plait::timed_out);
    auto const late = co_await as_result(with_timeout(-1s, make_directory(folder / "e")));
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().code == std::errc::timed_out);
    CHECK(exists(folder / "f"));
    CHECK(exists(folder / "d"));
    CHECK_FALSE(exists(folder / "e"));
    CHECK_FALSE(exists(folder / "g"));
  });
}
