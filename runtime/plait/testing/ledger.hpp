// What a process holds, before and after: for tests that must leave nothing behind.
//
// A snapshot has plait's own counts (live coroutine frames, operations that somebody waits for, armed
// timers, descriptors, children and bytes; all 0 where PLAIT_ASSERTIONS is off) and, always, what the
// kernel says: open descriptors, child processes, threads, shared memory. Any thread may take one; the
// numbers are exact when nothing else runs.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace plait::testing {

struct ledger_snapshot {
  static ledger_snapshot take();

  long frames = 0;
  long operations = 0;
  long timers = 0;
  long descriptors = 0;
  long children = 0;
  long bytes = 0;
  std::map<int, std::string> open_descriptors;  // number -> what it refers to
  std::map<int, std::string> child_processes;  // pid -> name; also those that nobody has waited for
  std::map<int, std::string> threads;          // tid -> name
  // What it is -> how often: the mappings of memfds and of /dev/shm, and the entries of /dev/shm whose
  // names begin with "plait-" and this process's id.
  std::map<std::string, int> shared_memory;
};

// One sentence for each thing that `after` holds and `before` did not, or that is gone.
std::vector<std::string> ledger_differences(ledger_snapshot const& before,
                                            ledger_snapshot const& after);

// Remembers what the process held when it was made.
//
//     ledger_guard ledger;
//     ... the scenario ...
//     CHECK(ledger.differences() == "");
//
// One that was never asked asks itself at its end: where something is left it prints that and
// aborts, unless an exception is on its way.
class ledger_guard {
 public:
  ledger_guard();
  ~ledger_guard();
  ledger_guard(ledger_guard const&) = delete;
  ledger_guard& operator=(ledger_guard const&) = delete;

  // Empty when nothing differs; else a line for each difference. A thread that has been joined
  // stays visible for a moment, so one more thread counts only when it is there for a second.
  std::string differences();

 private:
  ledger_snapshot before_;
  int exceptions_;
  bool asked_ = false;
};

}  // namespace plait::testing
