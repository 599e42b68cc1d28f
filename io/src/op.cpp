#include <plait/io/op.hpp>

#include "io_driver.hpp"

#include <cerrno>

#if PLAIT_ASAN && PLAIT_ASSERTIONS
#include <algorithm>
#include <sanitizer/asan_interface.h>
#include <sys/socket.h>
#endif

namespace plait::io {
namespace {

#if PLAIT_ASAN && PLAIT_ASSERTIONS
bool is_alive(void const* bytes, std::size_t length) noexcept {
  return bytes == nullptr || length == 0 ||
         __asan_region_is_poisoned(const_cast<void*>(bytes), length) == nullptr;
}

bool is_alive(msghdr const& message) noexcept {
  if (!is_alive(message.msg_name, message.msg_namelen)) return false;
  if (!is_alive(message.msg_control, message.msg_controllen)) return false;
  return std::all_of(message.msg_iov, message.msg_iov + message.msg_iovlen,
                     [](iovec const& part) { return is_alive(part.iov_base, part.iov_len); });
}
#endif

// The kernel writes behind AddressSanitizer's back; the least we can do is to look whether the
// buffer was still alive when it had written.
void check_buffer([[maybe_unused]] op const& o, [[maybe_unused]] int result) noexcept {
#if PLAIT_ASAN && PLAIT_ASSERTIONS
  if (result <= 0) return;
  bool const alive = o.lowering->is_message ? is_alive(*reinterpret_cast<msghdr const*>(o.buffer))
                                            : is_alive(o.buffer, o.length);
  PLAIT_CHECK(alive, "an I/O buffer was freed before its operation had completed");
#endif
}

}  // namespace

bool op::start(plait::detail::task_state& task) {
  if (proceed(io_driver::current())) {
    complete_inline(status::done);
    return false;
  }
  begin(task);
  return true;
}

// Hands it to the driver, again where there is more to do; true when it has come to its end.
bool op::proceed(io_driver& driver) {
  do {
    if (!driver.submit(*this)) return false;
    check_buffer(*this, answer);
  } while (goes_on());
  return true;
}

// A driver may say -EAGAIN or -EINTR although it was asked to wait; nobody else shall see that.
bool op::goes_on() noexcept {
  if (cancel_asked || closed) {
    if (all && answer > 0) done += static_cast<std::size_t>(answer);
    // What io_uring says of a cancelled operation that a thread of its own carried out.
    if (answer == -EAGAIN || answer == -EINTR) answer = -ECANCELED;
    return false;
  }
  if (answer == -EAGAIN || answer == -EINTR) {
    data_likely = false;
    return true;
  }
  if (!all || answer <= 0) return false;
  done += static_cast<std::size_t>(answer);
  return done < length;
}

void op::finish_request(int result, unsigned) noexcept {
  io_driver& driver = io_driver::current();
  driver.vacate(*this);
  check_buffer(*this, result);
  answer = result;
  if (goes_on() && !proceed(driver)) return;
  bool const cut_short = answer == -ECANCELED || (all && answer > 0 && done < length);
  complete(cancel_asked && !closed && cut_short ? status::cancelled : status::done);
}

bool op::waits_for(std::size_t n, wait_info& into) const noexcept {
  if (n != 0) return false;
  into = wait_info();
  into.what = lowering->name;
  if (fd >= 0) into.number = fd;
  return true;
}

void op::cancel() noexcept { io_driver::current().cancel(*this); }

io_failure op::failure() const noexcept {
  std::error_code code;
  if (closed && (answer == -ECANCELED || answer > 0)) {
    code = errc::closed;
  } else if (answer == -EBUSY && lowering->interest != 0) {
    code = errc::busy;
  } else if (answer < 0) {
    code = {-answer, std::generic_category()};
  } else {
    code = errc::end_of_file;
  }
  return {code, done, lowering->name};
}

void op::throw_failure() const { throw io_error(failure()); }

}  // namespace plait::io
