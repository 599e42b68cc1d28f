#pragma once

#include <csignal>
#include <functional>
#include <string>

namespace plait::test {

// How a child process ended.
struct child_end {
  int signal = 0;      // that killed it; 0 if it exited
  int exit_code = -1;  // if it exited
  std::string output;  // what it wrote to stderr

  bool aborted() const { return signal == SIGABRT; }
  bool exited_with(int code) const { return signal == 0 && exit_code == code; }
  bool says(std::string const& text) const { return output.find(text) != std::string::npos; }
};

// Runs `body` in a forked child, so that a crash is an answer and not the end of the test binary.
// The child exits with 0 after the body. Main thread only, while no other threads run; no Catch
// assertions in the body. A child that takes longer than a minute of its own time is killed
// (SIGXCPU).
child_end in_child(std::function<void()> const& body);

// Runs this test binary again, with these arguments and NAME=1 in its environment; standard output
// is part of the output.
child_end run_this_binary(std::string const& argument, char const* environment_name);

}  // namespace plait::test
