// Where a listener's connections come from. Under io_uring one submission brings connection after
// connection (multishot) until the kernel ends it, or too many have landed that nobody accepts: the
// others wait in the backlog. Elsewhere each brings one. It owns the listening descriptor and outlives
// its listener until the kernel has let go.
#pragma once

#include "io_driver.hpp"

#include <plait/io/descriptor.hpp>
#include <plait/io/detail/accept_source_ptr.hpp>
#include <plait/io/lowerings.hpp>
#include <plait/task.hpp>

#include <deque>

namespace plait::io::detail {

class accept_source final : public op {
 public:
  explicit accept_source(descriptor listening) noexcept
      : op(lowerings::accept, listening.get(), nullptr, 0), listening_(std::move(listening)) {}

  // An accepted descriptor or a negative errno.
  class next_operation : public operation {
   public:
    explicit next_operation(accept_source& s) noexcept : source_(&s) {}
    bool start(plait::detail::task_state& task);
    int result() const noexcept { return answer_; }
    bool waits_for(std::size_t n, wait_info& into) const noexcept override {
      into = wait_info();
      into.what = "accept";
      into.number = source_->listening_fd();
      return n == 0;
    }

   private:
    friend class accept_source;
    void cancel() noexcept override;

    accept_source* source_;
    int answer_ = 0;
  };

  next_operation next() noexcept { return next_operation(*this); }
  // The next connection, whatever happens to others; `exhausted` counts the waits for descriptors.
  task<descriptor> accept(std::uint64_t& exhausted);
  int listening_fd() const noexcept { return listening_.get(); }

  // The listener is gone. Frees itself as soon as the kernel has let go.
  void orphan() noexcept;
  void close() noexcept;

  void finish_request(int result, unsigned flags) noexcept override;

 private:
  ~accept_source() { drop_landed(); }
  void arm();
  void drop_landed() noexcept;
  void deliver(int answer) noexcept;

  static constexpr std::size_t landed_max = 64;  // a few more come while the kernel is told to stop

  descriptor listening_;
  std::deque<int> landed_;
  next_operation* waiter_ = nullptr;
  scheduler* home_ = nullptr;  // where it is armed
  bool armed_ = false;
  bool closed_ = false;
  bool orphaned_ = false;
};

}  // namespace plait::io::detail
