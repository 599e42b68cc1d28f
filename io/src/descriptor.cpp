#include <plait/io/descriptor.hpp>

#include "io_driver.hpp"
#include "sys.hpp"

#include <plait/detail/ledger.hpp>
#include <plait/scheduler.hpp>

namespace plait::io {
namespace {

class last_waiter_gone : public close_wait {
 public:
  explicit last_waiter_gone(int fd) noexcept : fd_(fd) {}
  static constexpr bool ignores_cancel = true;  // a close is finished, always

  bool start(plait::detail::task_state& task) {
    begin(task);
    if (!io_driver::current().interrupt(fd_, *this)) return true;
    complete(status::done);
    return true;
  }
  void result() const noexcept {}

 private:
  void cancel() noexcept override {}

  int fd_;
};

void forget(int fd) noexcept {
  scheduler* const s = scheduler::current_or_null();
  if (s != nullptr && s->io().does_io()) static_cast<io_driver&>(s->io()).forget(fd);
}

}  // namespace

descriptor::descriptor(int fd) noexcept : fd_(fd) {
  if (fd >= 0) plait::detail::count(&plait::detail::ledger::descriptors, 1);
}

descriptor::~descriptor() { close_now(); }

int descriptor::release() noexcept {
  if (fd_ < 0) return -1;
  forget(fd_);
  plait::detail::count(&plait::detail::ledger::descriptors, -1);
  return std::exchange(fd_, -1);
}

void descriptor::close_now() noexcept {
  if (fd_ >= 0) sys_here().close(release());
}

task<> descriptor::close() {
  int const fd = fd_;
  if (fd < 0) co_return;
  co_await last_waiter_gone(fd);
  close_now();
}

}  // namespace plait::io
