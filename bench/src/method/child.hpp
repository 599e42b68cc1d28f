#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "method/usage.hpp"

namespace plait::lab {

// What became of a child process.
struct child_end {
  std::string output;      // what it wrote to its result pipe
  std::string error_tail;  // the last lines of its standard error
  int status = 0;          // as wait4 gives it
  usage spent;             // it and its reaped children
  long max_rss_kib = 0;
  bool timed_out = false;
  bool interrupted = false;  // the user's SIGINT or SIGTERM came first

  bool ok() const;
  // "killed by signal 11 (Segmentation fault)", "exit status 3", "no result within 30 s, killed",
  // with the last line of its standard error.
  std::string reason() const;
};

// Where a child finds the lab's own commands.
inline constexpr char const* this_program = "/proc/self/exe";

// The descriptor on which a child that run_child started hands back its result.
inline constexpr int result_fd = 3;

// Runs `program` with `arguments` in a process group of its own, with
// the write end of a pipe as descriptor 3, and waits for its end. After `timeout_s`, or when
// interrupted() turns true, the whole group is killed. Throws std::system_error where no process
// can be made.
child_end run_child(std::vector<std::string> const& arguments,
                    std::vector<std::string> const& environment, double timeout_s,
                    char const* program = this_program);

// A process of the lab that outlives the call: a server under test, or its client.
class running_child {
 public:
  // A leader is killed with all its descendants; a member belongs to its starter's group, and is
  // killed alone.
  enum class group { leader, member };

  // As run_child. `cpu` pins it (-1: not).
  running_child(std::vector<std::string> const& arguments,
                std::vector<std::string> const& environment, group membership, int cpu,
                char const* program = this_program);
  ~running_child();  // kills and reaps what is still alive
  running_child(running_child const&) = delete;
  running_child& operator=(running_child const&) = delete;

  pid_t pid() const { return pid_; }
  // One line of its result pipe, without the newline; empty at its end or after the time.
  std::string read_line(double timeout_s);
  // Reads to the end of the pipe, then waits for the process; as run_child.
  child_end finish(double timeout_s);
  void kill();

 private:
  bool exited() const;  // without reaping it: its number stays taken

  pid_t pid_ = -1;
  group membership_;
  int result_ = -1;
  int error_ = -1;
  std::string buffered_;
  std::string errors_;
};

// Notes SIGINT and SIGTERM instead of dying of them, from here on.
void watch_interrupts();
bool interrupted();

// For a process that has no business outliving its starter: SIGKILL when that one dies.
void die_with_parent();

// Pins the calling process (its threads to come inherit it). Quietly nothing for cpu < 0, or
// where the machine has no such CPU.
void pin_to(int cpu);
int usable_cpus();

}  // namespace plait::lab
