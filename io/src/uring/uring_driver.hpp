// The io_uring driver: one ring per scheduler, one io_uring_enter per turn.
//
// Life of a request, and who takes each arrow:
//
//   backlogged --fill--> in_kernel --reap--> (finished)
//       |                   |     ^
//       | cancel     cancel |     | unlink_cancelled
//       v                   v     |
//   (finished)           linked --submit_cancels--> cancel_sent
//                           |                           |
//                           +----------- reap ----------+
//                                         v
//                                     answered --unlink_cancelled--> (finished)
//
// Cancelling makes no system call and cannot fail: it links the request. `park` reaps first, then
// submits a cancel for what is linked and not answered yet, and unlinks when the kernel has taken
// every submission. A linked request that is answered meanwhile is not finished before that: its
// memory, by whose address the cancel names it, could be in use for another request by then.
#pragma once

#include "../kernel_driver.hpp"

#include <liburing.h>

#include <bitset>

namespace plait::io {

class uring_driver final : public kernel_driver {
 public:
  explicit uring_driver(driver_options const& options);
  ~uring_driver() override;

  std::string_view name() const noexcept override { return "io_uring"; }
  void park(time_point deadline) override;
  void wake() noexcept override;
  void watch(fd_wait& wait) override;
  void unwatch(fd_wait& wait) noexcept override { cancel_request(wait); }
  void cancel(op& request) noexcept override;
  bool wants_nonblocking() const noexcept override { return false; }
  bool accepts_many() const noexcept override { return accepts_many_; }

 private:
  enum stage : std::uint8_t { idle, backlogged, in_kernel, linked, cancel_sent, answered };

  struct request_list {
    driver_request* first = nullptr;
    driver_request* last = nullptr;
    void push(driver_request& r) noexcept;
    driver_request* pop() noexcept;
    void remove(driver_request& r) noexcept;
  };

  bool begin_op(op& request) override;
  bool begin_by_hand(op& request);
  bool by_ring(op const& o) const noexcept;
  bool refuses(op const& o, int result) const noexcept;
  bool redo_by_hand(op& request) noexcept;
  void begin(driver_request& request);
  void prepare(driver_request& request, io_uring_sqe& sqe);
  void cancel_request(driver_request& request) noexcept;
  io_uring_sqe* free_sqe() noexcept;
  void arm_doorbell();
  void enable();
  void fill();
  void submit_cancels();
  void unlink_cancelled();
  unsigned flush() noexcept;
  unsigned unsubmitted() const noexcept;
  int enter(unsigned wait_for, time_point deadline);
  bool reap();
  void terminal(driver_request& request, int result, unsigned flags) noexcept;
  void finish(driver_request& request, int result, unsigned flags) noexcept;

  io_uring ring_{};
  int doorbell_ = -1;
  bool enabled_ = false;
  bool accepts_many_ = false;
  bool doorbell_armed_ = false;
  unsigned enter_flags_ = 0;
  std::bitset<256> opcodes_;  // that the kernel has
  request_list backlog_;
  request_list linked_;  // cancelled, the cancel not yet submitted or not yet taken
};

}  // namespace plait::io
