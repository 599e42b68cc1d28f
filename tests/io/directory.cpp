#include <plait/io/directory.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/io/file_system.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::as_result;
using plait::io::directory;
using plait::io::directory_entry;
using plait::io::file;
using plait::io::file_type;
using plait::io::io_error;
using plait::test::open_descriptors;
using plait::test::temporary_folder;
using plait::test::turns;
using plait::test::write_file;

namespace {

using entries = std::vector<directory_entry>;

task<std::map<std::string, file_type>> all_in(std::string path) {
  std::map<std::string, file_type> found;
  directory d = co_await directory::open(std::move(path));
  for (;;) {
    entries const some = co_await d.read_some();
    if (some.empty()) break;
    for (directory_entry const& e : some) found[e.name] = e.type;
  }
  co_await d.close();
  co_return found;
}

}  // namespace

IO_TEST("directory: each entry is told once, with its type") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    write_file(folder / "file", "x");
    ::mkdir((folder / "folder").c_str(), 0700);
    REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
    REQUIRE(::symlink("file", (folder / "link").c_str()) == 0);
    write_file(folder / std::string(255, 'n'), "x");
    auto const found = co_await all_in(folder / "");
    std::map<std::string, file_type> const expected{{"file", file_type::regular},
                                                    {"folder", file_type::directory},
                                                    {"pipe", file_type::pipe},
                                                    {"link", file_type::symbolic_link},
                                                    {std::string(255, 'n'), file_type::regular}};
    CHECK((found == expected));
    auto const devices = co_await all_in("/dev");
    CHECK(devices.at("null") == file_type::character_device);
  });
}

IO_TEST("directory: an empty one has no entries, and stays at its end") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    directory d = co_await directory::open(folder / "");
    for (int i = 0; i < 3; ++i) {
      entries const none = co_await d.read_some();
      CHECK(none.empty());
    }
    co_await d.close();
    CHECK_FALSE(d.is_open());
  });
}

IO_TEST("directory: a large one comes in parts, and can be cancelled between them") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    for (int i = 0; i < 1500; ++i) write_file(folder / ("entry " + std::to_string(i)), "");
    directory d = co_await directory::open(folder / "");
    std::set<std::string> names;
    int parts = 0;
    for (;; ++parts) {
      entries const some = co_await d.read_some();
      if (some.empty()) break;
      CHECK(some.size() < 1000);
      for (directory_entry const& e : some) CHECK(names.insert(e.name).second);
    }
    CHECK(parts > 1);
    CHECK(names.size() == 1500);

    directory again = co_await directory::open(folder / "");
    std::size_t told = 0;
    co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
      for (;;) {
        entries const some = co_await again.read_some();
        told += some.size();
        s.cancel();
      }
    });
    CHECK(told > 0);
    CHECK(told < 1000);
    entries const more = co_await again.read_some();
    CHECK_FALSE(more.empty());
  });
}

IO_TEST("directory: cancelled while it is read, no entry is lost") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    for (int i = 0; i < 1200; ++i) write_file(folder / ("entry " + std::to_string(i)), "");
    directory d = co_await directory::open(folder / "");
    std::size_t told = 0;
    bool over = false;
    for (int round = 0; !over; ++round) {
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        g.spawn([&]() -> task<> {
          entries const some = co_await d.read_some();
          told += some.size();
          over = some.empty();
        });
        co_await turns(round % 5);
        g.cancel();
        co_await g.join();
      });
    }
    CHECK(told == 1200);
  });
}

IO_TEST("directory: what cannot be opened or read as one is an error with the path") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    write_file(folder / "file", "x");
    int const before = open_descriptors();
    try {
      co_await directory::open(folder / "file");
      FAIL("no exception");
    } catch (io_error const& e) {
      CHECK(e.code() == std::errc::not_a_directory);
      CHECK(std::string(e.what()).find("open \"" + folder / "file" + "\"") == 0);
    }
    auto const none = co_await as_result(directory::open(folder / "none"));
    REQUIRE_FALSE(none.has_value());
    CHECK(none.error().code == std::errc::no_such_file_or_directory);
    file f = co_await file::open(folder / "file");
    directory wrong{plait::io::descriptor(::dup(f.fd()))};
    auto const listed = co_await as_result(wrong.read_some());
    REQUIRE_FALSE(listed.has_value());
    CHECK(listed.error().code == std::errc::not_a_directory);
    directory closed;
    CHECK_THROWS_AS(co_await closed.read_some(), io_error);
    CHECK_THROWS_AS(co_await closed.sync(), io_error);
    co_await wrong.close();
    co_await f.close();
    CHECK(open_descriptors() == before);
  });
}

IO_TEST("directory: one that was removed has no entries, and can be synced") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    co_await plait::io::make_directory(folder / "d");
    directory d = co_await directory::open(folder / "d");
    co_await d.sync();
    co_await plait::io::remove_directory(folder / "d");
    auto const left = co_await as_result(d.read_some());
    // Some file systems answer ENOENT.
    CHECK((left ? left->empty() : left.error().code == std::errc::no_such_file_or_directory));
    co_await d.sync();
    auto const opened = co_await as_result(with_timeout(-1s, directory::open(folder / "")));
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().code == std::errc::timed_out);
  });
}
