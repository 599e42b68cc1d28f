// An io_driver without a kernel: what is submitted stays until the test says how it ended, in any
// order and with any answer. Cancelling is only noted, as with a kernel that answers later. Its
// clock jumps to the next deadline.
#pragma once

#include <plait/detail/config.hpp>

#include <plait/system_calls.hpp>

#include "io_driver.hpp"

#include <plait/system_calls.hpp>

#include <cstddef>
#include <deque>
#include <vector>

namespace plait::test {

class fake_io_driver final : public io::io_driver {
 public:
  std::deque<int> at_once;        // answers to the next submissions; then they are held
  std::vector<io::op*> held;      // oldest first
  system_calls* calls = nullptr;  // the kernel's own where it is not set
  int submissions = 0;
  int cancels = 0;

  void answer(std::size_t which, int result) {
    io::op* const o = held.at(which);
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
    --in_flight_;
    o->finish_request(result, 0);
  }

  std::string_view name() const noexcept override { return "fake"; }
  time_point now() noexcept override { return now_; }
  void park(time_point deadline) override {
    PLAIT_CHECK(deadline != no_deadline, "a test waits for an operation that it has not answered");
    if (deadline > now_) now_ = deadline;
  }
  void wake() noexcept override {}
  std::uint64_t random() noexcept override { return 4; }
  system_calls& sys() noexcept override { return calls != nullptr ? *calls : system_calls::real(); }
  void watch(fd_wait& wait) override { wait.finish_request(wait.events(), 0); }
  void unwatch(fd_wait&) noexcept override {}
  void cancel(io::op& request) noexcept override {
    request.cancel_asked = true;
    ++cancels;
  }
  bool accepts_many() const noexcept override { return false; }
  bool wants_nonblocking() const noexcept override { return false; }

 private:
  bool begin_op(io::op& request) override {
    ++submissions;
    if (!at_once.empty()) {
      request.answer = at_once.front();
      at_once.pop_front();
      return true;
    }
    ++in_flight_;
    held.push_back(&request);
    return false;
  }

  time_point now_{std::chrono::seconds(1000)};
};

}  // namespace plait::test
