// The driver of a program in a simulated world.
//
//   (begun) --room in the queue--> planned --attempt: -EAGAIN--> parked --changed--> planned
//      |                              |
//      | no room                      +--attempt: an effect or an error--> answered --> (finished)
//      +--> backlogged --park--> planned
//
// A cancellation takes a while, too: one that finds an operation answered comes too late, as with a
// kernel; one that finds it backlogged ends it at once, and the world never hears of it.
#pragma once

#include "../io_driver.hpp"
#include "ready_order.hpp"
#include "simulation.hpp"

#include <plait/detail/splitmix64.hpp>
#include <plait/thread_pool.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

namespace plait::io::sim {

class process;

class sim_driver final : public io_driver {
 public:
  // Of the program whose scheduler moves the time.
  explicit sim_driver(simulation& run);
  // Of a process, whose turns are events.
  sim_driver(simulation& run, process& of);
  // In a simulation of its own.
  explicit sim_driver(std::unique_ptr<simulation> run);
  ~sim_driver() override;

  simulation& run() noexcept { return run_; }
  void tell_waiting(std::map<std::string, int>& counts) const;
  // What can be done with a descriptor may have changed.
  void changed(int fd);

  // The process was killed: every operation is answered at once, here and now, and the world hears of none
  // any more. Its clock leaves the others' behind.
  void die();
  bool is_dead() const noexcept { return dead_; }
  void skip_to(time_point t) noexcept { own_time_ = t; }
  bool has_backlog() const noexcept { return !backlog_.empty(); }
  // The program may have something to do, for another one has done something.
  void wake_program();

  std::string_view name() const noexcept override { return "sim"; }
  time_point now() noexcept override { return dead_ ? own_time_ : run_.plan.now(); }
  std::uint64_t random() noexcept override { return plait::detail::splitmix64(program_random_); }
  int order_ready(std::span<plait::detail::resumable*> ready) override { return order_.choose(ready); }
  system_calls& sys() noexcept override { return sys_; }
  void park(time_point deadline) override;
  void wake() noexcept override {}
  std::size_t requests() const noexcept override { return in_flight_ - 1; }  // without the world
  void watch(fd_wait& wait) override;
  void unwatch(fd_wait& wait) noexcept override;
  void cancel(op& request) noexcept override;
  void run_job_later(pool_job& job) override;
  bool withdraw_job(pool_job& job) noexcept override;
  bool accepts_many() const noexcept override { return accepts_many_; }
  bool wants_nonblocking() const noexcept override { return false; }

 private:
  enum class phase : std::uint8_t { backlogged, planned, parked, answered };
  struct held {
    std::uint64_t id;
    phase is;
    time_point last_result{};  // when the last of many results comes
  };
  enum class way : std::uint8_t { unknown, ring, by_hand };

  sim_driver(simulation& run, system_calls& calls, process* of, std::uint64_t own_numbers);

  bool begin_op(op& request) override;
  bool goes_by_hand(op const& request);
  bool gives_many(op const& request) const noexcept;
  int try_once(op& request);
  held& hold(driver_request& request);
  held* find(driver_request* request, std::uint64_t id);
  template <class What>
  void after(duration d, driver_request& request, What what);
  template <class What>
  void in_program(What const& what);
  void plan_attempt(op& request);
  void attempt(op& request);
  void look(fd_wait& wait);
  duration until_completion();
  void plan_result(op& request, int answer);
  void plan_end(driver_request& request, int answer);
  void plan_cancel(driver_request& request);
  void note(int answer) noexcept;
  void end(driver_request& request, int answer);
  void fill();
  void get_stuck(char const* why);

  std::unique_ptr<simulation> owned_run_;
  simulation& run_;
  process* process_;
  system_calls& sys_;
  random_numbers& random_;
  agenda& plan_;
  ready_order order_;
  std::uint64_t program_random_;  // the program's own numbers
  bool accepts_many_;
  std::array<way, 256> ways_{};  // of io_uring's opcodes

  std::unordered_map<driver_request*, held> held_;  // looked up; where it is walked the order is no matter
  std::map<std::uint64_t, fd_wait*> waits_;         // by their ids
  std::unordered_map<pool_job*, agenda::event> jobs_;  // that have not begun
  std::deque<std::pair<op*, std::uint64_t>> backlog_;
  unsigned submitted_ = 0;  // in this turn
  std::uint64_t last_id_ = 0;
  long fruitless_turns_ = 0;  // in a row, in which nothing but the program's own steps took time
  bool stuck_ = false;
  bool dead_ = false;
  time_point own_time_{};
};

}  // namespace plait::io::sim
