// The driver of a simulated world. An operation is attempted after a while, waits until what it works
// on has changed where the world answers -EAGAIN, and completes a while after it has taken effect: a
// cancellation that comes in between is too late, as with a kernel.
#pragma once

#include "../io_driver.hpp"
#include "ready_order.hpp"
#include "sim_world.hpp"

#include <plait/detail/splitmix64.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>

namespace plait::io::sim {

class sim_driver final : public io_driver {
 public:
  explicit sim_driver(testing::sim_options const& options);
  ~sim_driver() override;

  // Called once when nothing can happen any more or the time is over; it cancels what waits.
  std::function<void(char const* why)> on_stuck;

  std::uint64_t trace() const noexcept { return trace_.value(); }
  duration elapsed() const noexcept { return plan_.now() - begin_; }
  file_system& files() noexcept { return world_.files(); }
  std::size_t open_descriptors() const noexcept { return world_.open_descriptors(); }

  std::string_view name() const noexcept override { return "sim"; }
  time_point now() noexcept override { return plan_.now(); }
  std::uint64_t random() noexcept override { return plait::detail::splitmix64(program_random_); }
  int order_ready(std::span<plait::detail::resumable*> ready) override { return order_.choose(ready); }
  system_calls& sys() noexcept override { return world_; }
  void park(time_point deadline) override;
  void wake() noexcept override {}
  void watch(fd_wait& wait) override;
  void unwatch(fd_wait& wait) noexcept override;
  void cancel(op& request) noexcept override;
  bool accepts_many() const noexcept override { return false; }
  bool wants_nonblocking() const noexcept override { return false; }

 private:
  enum class phase : std::uint8_t { planned, parked, answered };
  struct held {
    std::uint64_t id;
    phase is;
  };

  bool begin_op(op& request) override;
  int try_once(op& request);
  void hold(driver_request& request);
  held* find(driver_request* request, std::uint64_t id);
  void plan_attempt(op& request);
  void attempt(op& request);
  void look(fd_wait& wait);
  void plan_end(driver_request& request, int answer);
  void plan_cancel(driver_request& request);
  void end(driver_request& request, int answer);
  void changed(int fd);
  void get_stuck(char const* why);

  testing::sim_options options_;
  random_numbers random_;
  ready_order order_;
  std::uint64_t program_random_;  // the program's own numbers
  agenda plan_;
  world world_;
  trace_hash trace_;
  time_point begin_;
  std::unordered_map<driver_request*, held> held_;  // looked up, never walked: its order is no seed's
  std::map<std::uint64_t, fd_wait*> waits_;         // by their ids
  std::uint64_t last_id_ = 0;
  bool stuck_ = false;
};

}  // namespace plait::io::sim
