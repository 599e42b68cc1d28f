// The disk of the simulated machine: what a loss of power leaves, how it fills and fails.
#include <plait/testing/sim.hpp>

#include <plait/io/directory.hpp>
#include <plait/io/error.hpp>
#include <plait/io/file.hpp>
#include <plait/io/file_system.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using plait::task;
using plait::io::as_result;
using plait::io::directory;
using plait::io::directory_entry;
using plait::io::file;
using plait::io::file_mode;
using plait::io::io_error;
using plait::testing::run_sim;
using plait::testing::sim_options;
using plait::testing::sim_run;

namespace {

constexpr std::uint64_t seeds = 300;
constexpr std::size_t record_bytes = 100;

// What stands in a log at this place: a torn or an old record looks different.
std::string record(int number) {
  std::string text = std::to_string(number) + ":";
  for (unsigned i = static_cast<unsigned>(number); text.size() < record_bytes; i += 7) {
    text += static_cast<char>('a' + i % 26);
  }
  return text;
}

task<std::string> content_of(std::string path) {
  std::string all;
  file f = co_await file::open(std::move(path));
  for (;;) {
    std::array<char, 4096> buffer;
    std::size_t const n = co_await f.read_at(all.size(), buffer);
    if (n == 0) co_return all;
    all.append(buffer.data(), n);
  }
}

// The same, or "nothing" where there is no such file.
task<std::string> content_or_nothing(std::string path) {
  std::string text;
  try {
    text = co_await content_of(std::move(path));
  } catch (io_error const&) {
    text = "nothing";
  }
  co_return text;
}

task<> write_new(std::string path, std::string text, bool synced) {
  file f = co_await file::open(std::move(path), file_mode::write);
  co_await f.write_at(0, text);
  if (synced) co_await f.sync();
  co_await f.close();
}

task<> sync_directory(std::string path) {
  directory d = co_await directory::open(std::move(path));
  co_await d.sync();
  co_await d.close();
}

// Appends record after record to a log, each acknowledged when it is safe, until the power fails.
task<> keep_a_log(bool syncs, int& acknowledged) {
  try {
    file log = co_await file::open("log", file_mode::create_new);
    if (syncs) co_await sync_directory(".");
    for (;;) {
      co_await log.append(record(acknowledged));
      if (syncs) co_await log.sync_data();
      ++acknowledged;
      co_await plait::sleep_for(10us);
    }
  } catch (io_error const& e) {
    if (e.code() != std::errc::io_error) throw;
  }
}

struct log_outcome {
  int acknowledged = 0;
  int recovered = 0;
  bool torn = false;  // something stands behind the last whole record
};

log_outcome run_a_log(std::uint64_t seed, bool syncs) {
  log_outcome outcome;
  sim_run world({.seed = seed});
  auto const until_the_power_fails = [&]() -> task<> {
    co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
      g.spawn(keep_a_log, syncs, std::ref(outcome.acknowledged));
      co_await plait::sleep_for(std::chrono::microseconds(seed * 7919 % 3000));
      world.lose_power();
      g.cancel();
      co_await g.join();
    });
  };
  world.run(until_the_power_fails);
  std::string const left = world.run([] { return content_or_nothing("log"); });
  std::size_t whole = 0;
  for (; left.substr(whole, record_bytes) == record(outcome.recovered); whole += record_bytes) {
    ++outcome.recovered;
  }
  outcome.torn = left != "nothing" && left.size() > whole;
  return outcome;
}

}  // namespace

TEST_CASE("sim files: a log that syncs before it acknowledges loses nothing when the power fails") {
  int acknowledged = 0;
  int torn = 0;
  int more = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    log_outcome const o = run_a_log(seed, true);
    INFO("seed " << seed);
    CHECK(o.recovered >= o.acknowledged);
    acknowledged += o.acknowledged;
    torn += o.torn ? 1 : 0;
    more += o.recovered > o.acknowledged ? 1 : 0;
  }
  CHECK(acknowledged > static_cast<int>(seeds));
  CHECK(torn > 0);
  CHECK(more > 0);
}

TEST_CASE("sim files: a log that forgets to sync is found out") {
  int lost = 0;
  int kept = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    log_outcome const o = run_a_log(seed, false);
    if (o.recovered < o.acknowledged) ++lost;
    if (o.recovered >= o.acknowledged) ++kept;
  }
  CHECK(lost > 0);
  CHECK(kept > 0);
}

namespace {

struct care {
  bool file_synced;
  bool directory_synced;
};

task<> replace_config(care with) {
  co_await write_new("config.new", std::string(2000, 'n'), with.file_synced);
  co_await plait::io::rename("config.new", "config");
  if (with.directory_synced) co_await sync_directory(".");
}

// What is found under the name, over the seeds, when the power fails after the replacement.
std::set<std::string> configs_after(care with) {
  std::set<std::string> found;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    sim_run world({.seed = seed});
    world.run([] { return write_new("config", std::string(2000, 'o'), true); });
    world.run([] { return sync_directory("."); });
    world.run([&] { return replace_config(with); });
    world.lose_power();
    std::string const text = world.run([] { return content_or_nothing("config"); });
    found.insert(text == std::string(2000, 'n')   ? "new"
                 : text == std::string(2000, 'o') ? "old"
                 : text.empty()                   ? "empty"
                                                  : "torn");
  }
  return found;
}

using words = std::set<std::string>;

}  // namespace

TEST_CASE("sim files: a replacement is safe when the file was synced, and then its directory") {
  CHECK((configs_after({.file_synced = true, .directory_synced = true}) == words{"new"}));
}
TEST_CASE("sim files: a replacement without a sync of the directory can be taken back") {
  CHECK((configs_after({.file_synced = true, .directory_synced = false}) == words{"new", "old"}));
}
TEST_CASE("sim files: a replacement without a sync of the file can be empty or torn") {
  CHECK((configs_after({.file_synced = false, .directory_synced = true}) ==
         words{"empty", "new", "torn"}));
}

TEST_CASE("sim files: a rename into another directory is kept or lost as a whole") {
  words found;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    sim_run world({.seed = seed});
    auto const prepare = []() -> task<> {
      co_await plait::io::make_directory("a");
      co_await plait::io::make_directory("b");
      co_await sync_directory(".");
      co_await write_new("a/f", "x", true);
      co_await sync_directory("a");
      co_await write_new("b/unrelated", "x", true);
      co_await plait::io::rename("a/f", "b/f");
      co_await plait::io::remove_file("b/unrelated");
    };
    world.run(prepare);
    world.lose_power();
    std::string const before = world.run([] { return content_or_nothing("a/f"); });
    std::string const after = world.run([] { return content_or_nothing("b/f"); });
    INFO("seed " << seed);
    CHECK((before == "x") != (after == "x"));
    found.insert(after);
  }
  CHECK((found == words{"nothing", "x"}));
}

TEST_CASE("sim files: a sync that failed is not made good by another one") {
  int reported = 0;
  int lost = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    sim_run world({.seed = seed, .sync_error = 0.3});
    bool acknowledged = false;
    auto const program = [&]() -> task<> {
      file f = co_await file::open("f", file_mode::write);
      co_await f.write_at(0, std::string(3000, 'x'));
      auto const first = co_await as_result(f.sync());
      if (first) co_return;
      ++reported;
      auto const second = co_await as_result(f.sync());
      CHECK_FALSE(second.has_value());
      // Whoever opens it anew to try again is told a success that is none.
      file again = co_await file::open("f", file_mode::read_write);
      directory d = co_await directory::open(".");
      auto const third = co_await as_result(again.sync());
      auto const name = co_await as_result(d.sync());
      acknowledged = third.has_value() && name.has_value();
    };
    world.run(program);
    world.lose_power();
    std::string const left = world.run([] { return content_or_nothing("f"); });
    if (acknowledged && left != std::string(3000, 'x')) ++lost;
  }
  CHECK(reported > 0);
  CHECK(lost > 0);
}

TEST_CASE("sim files: each descriptor of a file learns of a failed sync") {
  run_sim([]() -> task<> {
    file f = co_await file::open("f", file_mode::write);
    file other = co_await file::open("f", file_mode::read_write);
    co_await f.write_at(0, "x");
    auto const first = co_await as_result(f.sync());
    CHECK(first.error().code == std::errc::io_error);
    auto const second = co_await as_result(other.sync_data());
    CHECK(second.error().code == std::errc::io_error);
  }, {.sync_error = 1});
}

TEST_CASE("sim files: a full disk takes what fits, and what is removed makes room") {
  auto const program = []() -> task<> {
    file f = co_await file::open("f", file_mode::write);
    auto const written = co_await as_result(f.write_at(0, std::string(1500, 'x')));
    REQUIRE_FALSE(written.has_value());
    CHECK(written.error().code == std::errc::no_space_on_device);
    CHECK(written.error().transferred == 1000);
    auto const longer = co_await as_result(f.truncate(1001));
    CHECK(longer.error().code == std::errc::no_space_on_device);
    co_await f.truncate(400);
    file g = co_await file::open("g", file_mode::write);
    co_await g.append(std::string(600, 'x'));
    co_await plait::io::remove_file("f");
    auto const still_open = co_await as_result(g.append("x"));
    CHECK(still_open.error().code == std::errc::no_space_on_device);
    co_await f.close();
    co_await g.append(std::string(400, 'x'));
    co_await write_new("empty", "", false);
    co_await plait::io::rename("empty", "g");  // the old g is open
    auto const replaced = co_await as_result(g.append("x"));
    CHECK(replaced.error().code == std::errc::no_space_on_device);
    co_await g.close();
    co_await write_new("h", std::string(1000, 'x'), true);
    co_await sync_directory(".");
  };
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    sim_run world({.seed = seed, .disk_bytes = 1000});
    world.run(program);
    world.lose_power();
    auto const full = []() -> task<bool> {
      file f = co_await file::open("i", file_mode::write);
      auto const written = co_await as_result(f.append("x"));
      co_return !written.has_value();
    };
    bool const still_full = world.run(full);
    CHECK(still_full);
  }
}

TEST_CASE("sim files: reads and writes fail as often as they are told to") {
  run_sim([]() -> task<> {
    file f = co_await file::open("f", file_mode::read_write);
    auto const written = co_await as_result(f.write_at(0, "x"));
    CHECK(written.error().code == std::errc::io_error);
    CHECK(f.size() == 0);
  }, {.write_error = 1});
  run_sim([]() -> task<> {
    co_await write_new("f", "x", true);
    file f = co_await file::open("f");
    std::array<char, 4> into;
    auto const read = co_await as_result(f.read_at(0, into));
    CHECK(read.error().code == std::errc::io_error);
  }, {.read_error = 1});
}

TEST_CASE("sim files: without power nothing can be done, and a descriptor from before is dead") {
  sim_run world;
  file kept;
  auto const before = [&]() -> task<> {
    co_await write_new("f", "x", true);
    co_await sync_directory(".");
    kept = co_await file::open("f", file_mode::read_write);
    world.lose_power();
    auto const opened = co_await as_result(file::open("f"));
    CHECK(opened.error().code == std::errc::io_error);
    auto const made = co_await as_result(plait::io::make_directory("d"));
    CHECK(made.error().code == std::errc::io_error);
    auto const written = co_await as_result(kept.write_at(0, "y"));
    CHECK(written.error().code == std::errc::io_error);
  };
  world.run(before);
  auto const after = [&]() -> task<> {
    std::array<char, 4> into;
    auto const read = co_await as_result(kept.read_at(0, into));
    CHECK(read.error().code == std::errc::io_error);
    auto const synced = co_await as_result(kept.sync());
    CHECK(synced.error().code == std::errc::io_error);
    co_await kept.close();
    std::string const text = co_await content_of("f");
    CHECK(text == "x");
  };
  world.run(after);
  CHECK(world.open_descriptors() == 0);
}

namespace {

task<> list(std::vector<std::string>& names) {
  directory d = co_await directory::open(".");
  for (;;) {
    std::vector<directory_entry> const some = co_await d.read_some();
    if (some.empty()) co_return;
    for (directory_entry const& e : some) names.push_back(e.name);
    // Neither disturbs the others.
    co_await as_result(plait::io::remove_file("f3"));
    co_await write_new("late", "", false);
  }
}

}  // namespace

TEST_CASE("sim files: a directory is listed in an order of the seed's, each entry once") {
  std::set<std::vector<std::string>> orders;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::vector<std::string> names;
    auto const program = [&]() -> task<> {
      for (int i = 0; i < 6; ++i) co_await write_new("f" + std::to_string(i), "", false);
      co_await list(names);
    };
    run_sim(program, {.seed = seed});
    orders.insert(names);
    std::sort(names.begin(), names.end());
    CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
    for (char const* const name : {"f0", "f1", "f2", "f4", "f5"}) {
      CHECK(std::count(names.begin(), names.end(), name) == 1);
    }
  }
  CHECK(orders.size() > 10);
}

TEST_CASE("sim files: the same seed leaves the same files") {
  auto const left_by = [](std::uint64_t seed) {
    sim_run world({.seed = seed});
    world.run([] { return replace_config({.file_synced = false, .directory_synced = false}); });
    world.run([] { return write_new("other", std::string(5000, 'x'), false); });
    world.lose_power();
    std::string const config = world.run([] { return content_or_nothing("config"); });
    std::string const other = world.run([] { return content_or_nothing("other"); });
    return config + "|" + other + "|" + std::to_string(world.trace());
  };
  words all;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    std::string const once = left_by(seed);
    CHECK((once == left_by(seed)));
    all.insert(once);
  }
  CHECK(all.size() == 30);
}
