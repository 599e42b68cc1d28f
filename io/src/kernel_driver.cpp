#include "kernel_driver.hpp"

#include <plait/io/blocking_op.hpp>
#include <plait/system_calls.hpp>

#include <cerrno>
#include <chrono>
#include <sys/random.h>
#include <time.h>

namespace plait::io {

kernel_driver::~kernel_driver() = default;

thread_pool& kernel_driver::blocking_pool() {
  if (!blocking_pool_) {
    thread_pool_options const options{.threads = 4, .name = "plait-files"};
    blocking_pool_ = std::make_unique<thread_pool>(options);
  }
  return *blocking_pool_;
}

int kernel_driver::try_now(op& request) {
  int answer = 0;
  do {
    answer = request.lowering->try_now(request, sys());
  } while (answer == -EINTR);
  return answer;
}

bool kernel_driver::begin_blocking(op& request) {
  if (request.lowering->try_now != nullptr) {
    request.answer = request.lowering->try_now(request, sys());
    if (request.answer != -EAGAIN) return true;
  }
  thread_pool& pool = blocking_pool();  // may throw
  ++in_flight_;
  static_cast<blocking_op&>(request).send_to(pool, in_flight_);
  return false;
}

void kernel_driver::cancel_blocking(op& request) noexcept {
  request.cancel_asked = true;
  auto& blocking = static_cast<blocking_op&>(request);
  if (!blocking.withdraw(blocking_pool())) return;  // it runs: completion wins
  --in_flight_;
  request.finish_request(-ECANCELED, 0);
}

system_calls& kernel_driver::sys() noexcept { return system_calls::real(); }

time_point kernel_driver::now() noexcept {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return time_point(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

std::uint64_t kernel_driver::random() noexcept {
  std::uint64_t value = 0;
  while (getrandom(&value, sizeof value, 0) != sizeof value) {
  }
  return value;
}

}  // namespace plait::io
