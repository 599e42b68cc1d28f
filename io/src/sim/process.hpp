// A process of a simulated world: a program whose turns are events of the agenda.
//
//   (made) --start--> running <--pause, resume--> paused
//                       |  \                        |
//                       |   +-------- kill ---------+---> dead --unwound--> ended
//                       +-- its program has returned, no background task is left --> ended
#pragma once

#include "process_calls.hpp"
#include "sim_driver.hpp"

#include <plait/scheduler.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/sim_process.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace plait::io::sim {

// The wait for its end, of a task of any program.
class process_end : public operation {
 public:
  explicit process_end(process& of) noexcept : of_(&of) {}
  bool start(plait::detail::task_state& task);
  void result() const noexcept {}
  bool waits_for(std::size_t n, wait_info& into) const noexcept override {
    into = wait_info();
    into.what = "end of a simulated process";
    return n == 0;
  }
  // The process has ended.
  void tell() noexcept;

 private:
  void cancel() noexcept override;

  process* of_;
  scheduler* waiting_ = nullptr;
};

class process {
 public:
  process(simulation& run, std::size_t number);
  ~process();
  process(process const&) = delete;
  process& operator=(process const&) = delete;

  void start(task<int> program);
  void kill() noexcept;
  void pause() noexcept { paused_ = true; }
  void resume() noexcept;
  // The simulation ends.
  void leave() noexcept;

  bool has_ended() const noexcept { return ended_; }
  testing::sim_exit const& how_it_ended() const noexcept { return exit_; }
  std::vector<process_end*>& joiners() noexcept { return joiners_; }

  system_calls& calls() noexcept { return calls_; }
  std::string name() const { return "process " + std::to_string(number_); }
  void tell_waiting(std::map<std::string, int>& counts) const;

  // what() with its scheduler as the current one; then it may want a turn.
  template <class What>
  void visit(What const& what) {
    {
      scheduler_switch const to(*sched_);
      what();
    }
    spins_ = 0;
    plan_turn();
  }
  void plan_turn();

 private:
  bool is_done() noexcept;
  void turn();
  void take_turn();
  void unwind();
  void finish();
  void take_result();

  simulation& run_;
  std::size_t number_;
  process_calls calls_;
  std::optional<sim_driver> driver_;
  std::optional<scheduler> sched_;
  std::optional<task_group> group_;
  std::optional<join_handle<int>> main_;
  std::optional<agenda::event> planned_;
  std::vector<process_end*> joiners_;
  testing::sim_exit exit_;
  long spins_ = 0;  // turns in a row after which it wanted another at once
  bool in_turn_ = false;
  bool paused_ = false;
  bool killed_ = false;
  bool ended_ = false;
};

}  // namespace plait::io::sim
