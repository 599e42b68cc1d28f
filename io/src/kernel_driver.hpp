// What the drivers over a kernel have in common: its clock, its random numbers, its table of system
// calls, and threads for what it can only do by blocking.
#pragma once

#include "io_driver.hpp"

#include <plait/thread_pool.hpp>

#include <memory>

namespace plait::io {

class kernel_driver : public io_driver {
 public:
  ~kernel_driver() override;

  system_calls& sys() noexcept final;
  time_point now() noexcept final;
  std::uint64_t random() noexcept final;

 protected:
  // By hand: the lowering's answer, asked again where a signal interrupts it.
  int try_now(op& request);
  // What the driver cannot wait for itself, on a thread of the blocking pool.
  bool begin_blocking(op& request);
  void cancel_blocking(op& request) noexcept;

 private:
  thread_pool& blocking_pool();  // made at first use

  std::unique_ptr<thread_pool> blocking_pool_;
};

}  // namespace plait::io
