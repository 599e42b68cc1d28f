// The table of system calls that pools and IPC make. Only drivers and an implementation of this
// table call the kernel, so that a test can put failures or another world in its place.
#pragma once

namespace plait {

class system_calls {
 public:
  system_calls() = default;
  system_calls(system_calls const&) = delete;
  system_calls& operator=(system_calls const&) = delete;
  virtual ~system_calls();

  // The kernel's own; one for the process, usable from any thread.
  static system_calls& real() noexcept;
};

}  // namespace plait
