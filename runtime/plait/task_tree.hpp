// What every task of a scheduler is doing: its name, what it waits for and since when, and the chain of
// awaits that leads there, with file and line.
//
//     std::fputs(plait::snapshot(plait::scheduler::current()).to_tree().c_str(), stderr);
//
//     program  waits for end of its children (3.2 s) at bank.cpp:31
//     ├─ transfer  waits for mutex 'accounts', held by audit (3.2 s) at bank.cpp:12
//     └─ audit  waits for sleep, 96.8 s left (3.2 s) at bank.cpp:19
//
// Tasks are found through the groups that own them, so that being found costs them nothing. Taken on the
// scheduler's thread, or while it does not run; in the middle of a turn the task that takes it shows as
// running, without its awaits. Allocates. In a build with PLAIT_TASK_TRACKING=OFF there are no names, lines
// and times.
#pragma once

#include <plait/clock.hpp>
#include <plait/scheduler.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plait {

enum class task_activity : std::uint8_t { running, ready, waiting };

std::string_view to_string(task_activity a) noexcept;

// A coroutine, and the await that it stands at.
struct await_point {
  std::string function;
  std::string file;
  unsigned line = 0;  // 0: it has not awaited anything yet
};

struct live_task {
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  std::uint64_t id = 0;  // of one task at a time; a later task may have it again
  std::string name;      // given, or the name of its coroutine function
  task_activity activity = task_activity::ready;
  bool cancelled = false;  // its next await throws
  std::vector<std::string> waits_for;  // several where it selects
  duration waited{0};                  // to a few milliseconds
  std::vector<await_point> awaits;     // innermost first; without plait's own coroutines
  std::size_t parent = none;           // the task in whose group it is: its place in `tasks`
};

struct task_tree {
  std::vector<live_task> tasks;  // each before its children, siblings as they were spawned

  std::string to_text() const;  // a table, like ps
  std::string to_tree() const;  // like pstree
  std::string to_json() const;  // an array
  // The awaits of one task, whose name or whose id, in hexadecimal, this is. Empty: there is none.
  std::string to_backtrace(std::string_view task) const;
};

task_tree snapshot(scheduler& s);

// "1.5 s", "2 h 5 min"
std::string to_string(duration d);

// The function's qualified name without its type, parameters and template arguments, from what the compiler
// calls a coroutine.
std::string function_name(char const* pretty);

}  // namespace plait
