// An operation that readiness cannot tell, on files: under epoll a thread of the driver's blocking
// pool carries it out. A cancelled one that still waits for a thread never runs; one that runs is
// waited for, and its result is delivered.
#pragma once

#include <plait/io/op.hpp>
#include <plait/scheduler.hpp>
#include <plait/thread_pool.hpp>

#include <cstddef>

namespace plait::io {

class blocking_op : public op {
 public:
  using op::op;

  // The driver's side. `in_flight` is its count of requests, which the completion lowers.
  void send_to(thread_pool& pool, std::size_t& in_flight);
  bool withdraw(thread_pool& pool) noexcept;

 protected:
  blocking_op(blocking_op&& other) noexcept : op(std::move(other)) {}
  ~blocking_op() = default;

 private:
  struct thread_job : pool_job {
    explicit thread_job(blocking_op& o) noexcept;
    blocking_op& owner;
  };
  struct homecoming : remote_call {
    explicit homecoming(blocking_op& o) noexcept;
    blocking_op& owner;
  };

  thread_job job_{*this};
  homecoming homecoming_{*this};
  scheduler* home_ = nullptr;
  std::size_t* in_flight_ = nullptr;
  int outcome_ = 0;
};

}  // namespace plait::io
