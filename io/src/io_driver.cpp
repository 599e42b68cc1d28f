#include "io_driver.hpp"

#include <plait/io/detail/fault_plan.hpp>
#include <plait/io/lowerings.hpp>
#include <plait/scheduler.hpp>
#include <plait/system_calls.hpp>

#include <algorithm>
#include <cerrno>
#include <poll.h>

namespace plait::io {

io_driver::~io_driver() = default;

io_driver& io_driver::current() noexcept {
  driver& d = scheduler::current().io();
  PLAIT_CHECK(d.does_io(), "this scheduler's driver does no I/O; run on the one of make_driver()");
  return static_cast<io_driver&>(d);
}

fd_record& io_driver::record(int fd) {
  std::size_t const index = index_of(fd);
  if (index >= records_.size()) records_.resize(std::max<std::size_t>(index + 1, records_.size() * 2));
  return records_[index];
}

bool io_driver::plausible(int fd) noexcept {
  if (fd < first_fd_) return false;
  return has_record(fd) || sys().is_open(fd);
}

// Where a stream's operation stands; files have no slots, any number may be under way.
op** io_driver::slot(op& request) {
  if (request.lowering->interest == 0 || request.fd < 0) return nullptr;
  fd_record& r = record(request.fd);
  return request.lowering->interest == POLLIN ? &r.reading : &r.writing;
}

// Whether a test wants it to fail. What is begun again is not counted again.
bool io_driver::fails_on_purpose(op& request) {
  if (request.answer == -EAGAIN || request.answer == -EINTR) return false;
  int const error = detail::next_fault(request.lowering->name);
  if (error == 0) return false;
  if (request.lowering == &lowerings::close) request.lowering->block(request, sys());
  request.answer = -error;
  return true;
}

bool io_driver::submit(op& request) {
  if (detail::faults_here != nullptr && fails_on_purpose(request)) [[unlikely]] return true;
  if (request.lowering->interest != 0 && !plausible(request.fd)) {
    request.answer = -EBADF;
    return true;
  }
  if (op** const place = slot(request)) {
    if (record(request.fd).ends) {
      request.closed = true;
      request.answer = -ECANCELED;
      return true;
    }
    if (*place != nullptr) {
      request.answer = -EBUSY;
      return true;
    }
    *place = &request;
  }
  if (!begin_op(request)) return false;
  vacate(request);
  return true;
}

void io_driver::vacate(op& request) noexcept {
  op** const place = slot(request);
  if (place == nullptr) return;
  *place = nullptr;
  fd_record& r = record(request.fd);
  if (r.reading != nullptr || r.writing != nullptr) return;
  for (close_wait* c = std::exchange(r.closing, nullptr); c != nullptr;) {
    operation_access::wake(*std::exchange(c, c->next));
  }
}

bool io_driver::interrupt(int fd, close_wait& closer) noexcept {
  if (!plausible(fd)) return true;
  fd_record& r = record(fd);
  r.ends = true;
  for (op* const waiting : {r.reading, r.writing}) {
    if (waiting == nullptr) continue;
    waiting->closed = true;
    cancel(*waiting);
  }
  if (r.reading == nullptr && r.writing == nullptr) return true;
  closer.next = std::exchange(r.closing, &closer);
  return false;
}

void io_driver::forget(int fd) noexcept {
  if (!has_record(fd)) return;
  fd_record& r = record(fd);
  PLAIT_CHECK(r.reading == nullptr && r.writing == nullptr,
              "a stream was destroyed while a task waits for it; end the task first, or await close()");
  std::uint32_t const generation = r.generation + 1;
  driver_request* const waits = r.waits;
  r = fd_record();
  r.generation = generation;
  r.waits = waits;
}

int* io_driver::sync_error(int fd) { return plausible(fd) ? &record(fd).sync_error : nullptr; }

}  // namespace plait::io
