#include "uring_driver.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace plait::io {
namespace {

// liburing maps and unmaps the rings by system calls that ThreadSanitizer does not see, and the kernel
// may give one thread the pages that another gave back: all that was done to the old ring came before.
std::atomic<unsigned> rings_unmapped{0};

// Named by number: liburing 2.3 is older than they are.
constexpr unsigned enter_no_iowait = 1U << 7;     // Linux 6.15: a sleeping loop is not "waiting for I/O"
constexpr unsigned feature_no_iowait = 1U << 17;

constexpr std::uint64_t doorbell_tag = 1;
constexpr std::uint64_t cancel_tag = 2;

// Some kernels let a number out that is meant for themselves: the open of a FIFO that is cancelled
// ends with ERESTARTSYS. All four mean that the call was interrupted.
int public_result(int result) noexcept {
  switch (result) {
    case -512:  // ERESTARTSYS
    case -513:  // ERESTARTNOINTR
    case -514:  // ERESTARTNOHAND
    case -516:  // ERESTART_RESTARTBLOCK
      return -EINTR;
    default: return result;
  }
}

// What each kernel refuses is left out step by step: deferred task work came with 6.1, cooperative
// with 5.19.
int set_up(io_uring& ring, driver_options const& options) {
  constexpr unsigned base = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  constexpr unsigned ladder[] = {
      base | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
          IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED,
      base | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
          IORING_SETUP_R_DISABLED,
      base | IORING_SETUP_R_DISABLED,
  };
  int refused = 0;
  for (unsigned const flags : ladder) {
    io_uring_params params{};
    params.flags = flags;
    params.cq_entries = options.completion_entries;
    refused = io_uring_queue_init_params(options.queue_entries, &ring, &params);
    if (refused != -EINVAL) return refused;
  }
  return refused;
}

std::bitset<256> opcodes_of(io_uring& ring, std::uint64_t masked) {
  std::bitset<256> found;
  io_uring_probe* const probe = io_uring_get_probe_ring(&ring);
  for (unsigned i = 0; probe != nullptr && i < probe->ops_len; ++i) {
    found[probe->ops[i].op] = (probe->ops[i].flags & IO_URING_OP_SUPPORTED) != 0;
  }
  io_uring_free_probe(probe);
  return found & ~std::bitset<256>(masked);
}

}  // namespace

void uring_driver::request_list::push(driver_request& r) noexcept {
  r.next = nullptr;
  r.previous = last;
  (last != nullptr ? last->next : first) = &r;
  last = &r;
}

driver_request* uring_driver::request_list::pop() noexcept {
  driver_request* const r = first;
  if (r != nullptr) remove(*r);
  return r;
}

void uring_driver::request_list::remove(driver_request& r) noexcept {
  (r.previous != nullptr ? r.previous->next : first) = r.next;
  (r.next != nullptr ? r.next->previous : last) = r.previous;
}

uring_driver::uring_driver(driver_options const& options) {
  if (int const refused = set_up(ring_, options); refused < 0) {
    throw std::system_error(-refused, std::generic_category(), "io_uring_setup");
  }
  static_cast<void>(rings_unmapped.load(std::memory_order_acquire));
  opcodes_ = opcodes_of(ring_, options.masked_opcodes);
  doorbell_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  // Both are there from 5.17 on. Before that a cancel that asks for no completion is refused, and
  // what it should have ended would go on for ever.
  constexpr unsigned needed = IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
  if (doorbell_ < 0 || !opcodes_[IORING_OP_ASYNC_CANCEL] ||
      (ring_.features & needed) != needed) {
    int const error = doorbell_ < 0 ? errno : ENOSYS;
    io_uring_queue_exit(&ring_);
    if (doorbell_ >= 0) close(doorbell_);
    throw std::system_error(error, std::generic_category(),
                            error == ENOSYS ? "io_uring: the kernel is too old" : "eventfd");
  }
  io_uring_ring_dontfork(&ring_);
  // IORING_OP_SOCKET came with multishot accept, in 5.19, and is what a probe can see of it.
  accepts_many_ = opcodes_[IORING_OP_SOCKET];
}

uring_driver::~uring_driver() {
  PLAIT_CHECK(in_flight_ == 0,
              "a driver was destroyed while operations were in flight; a listener must not outlive "
              "its scheduler");
  rings_unmapped.fetch_add(1, std::memory_order_release);
  io_uring_queue_exit(&ring_);
  close(doorbell_);
}

// On the scheduler's own thread: a ring with one issuer belongs to the thread that enables it.
void uring_driver::enable() {
  enabled_ = true;
  // By system call: Debian 12's liburing declares io_uring_enable_rings but does not export it.
  if (syscall(SYS_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) < 0) {
    throw std::system_error(errno, std::generic_category(), "enabling the io_uring");
  }
  enter_flags_ = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
  if ((ring_.features & feature_no_iowait) != 0) enter_flags_ |= enter_no_iowait;
  // Before 6.0 some kernels accept this and deadlock at exit; deferred task work tells 6.1.
  if ((ring_.flags & IORING_SETUP_DEFER_TASKRUN) != 0 && io_uring_register_ring_fd(&ring_) == 1) {
    enter_flags_ |= IORING_ENTER_REGISTERED_RING;
  }
}

unsigned uring_driver::flush() noexcept {
  io_uring_sq& sq = ring_.sq;
  unsigned tail = *sq.ktail;
  for (; sq.sqe_head != sq.sqe_tail; ++sq.sqe_head, ++tail) {
    sq.array[tail & sq.ring_mask] = sq.sqe_head & sq.ring_mask;
  }
  io_uring_smp_store_release(sq.ktail, tail);
  return tail - io_uring_smp_load_acquire(sq.khead);
}

unsigned uring_driver::unsubmitted() const noexcept {
  return ring_.sq.sqe_tail - io_uring_smp_load_acquire(ring_.sq.khead);
}

int uring_driver::enter(unsigned wait_for, time_point deadline) {
  __kernel_timespec timeout{};
  io_uring_getevents_arg arg{};
  if (wait_for != 0 && deadline != no_deadline) {
    auto const left = std::max(deadline - now(), duration::zero());
    timeout.tv_sec = left / std::chrono::seconds(1);
    timeout.tv_nsec = (left % std::chrono::seconds(1)).count();
    arg.ts = reinterpret_cast<std::uintptr_t>(&timeout);
  }
  return io_uring_enter2(static_cast<unsigned>(ring_.enter_ring_fd), flush(), wait_for, enter_flags_,
                         reinterpret_cast<sigset_t*>(&arg), sizeof arg);
}

io_uring_sqe* uring_driver::free_sqe() noexcept {
  io_uring_sqe* const sqe = io_uring_get_sqe(&ring_);
  if (sqe != nullptr) std::memset(sqe, 0, sizeof *sqe);  // liburing 2.3 leaves old values
  return sqe;
}

void uring_driver::prepare(driver_request& request, io_uring_sqe& sqe) {
  if (request.is_readiness) {
    auto const& wait = static_cast<fd_wait&>(request);
    io_uring_prep_poll_add(&sqe, wait.fd(), static_cast<unsigned short>(wait.events()));
  } else {
    auto& o = static_cast<op&>(request);
    if (by_ring(o)) {
      o.lowering->prepare(o, sqe);
    } else {
      io_uring_prep_poll_add(&sqe, o.fd, static_cast<unsigned short>(o.lowering->interest));
    }
  }
  sqe.user_data = reinterpret_cast<std::uintptr_t>(&request);
  request.stage = in_kernel;
}

void uring_driver::begin(driver_request& request) {
  ++in_flight_;
  if (backlog_.first == nullptr) {
    if (io_uring_sqe* const sqe = free_sqe()) return prepare(request, *sqe);
  }
  request.stage = backlogged;
  backlog_.push(request);
}

bool uring_driver::by_ring(op const& o) const noexcept {
  return !o.by_hand && o.lowering->prepare != nullptr && opcodes_[o.lowering->opcode];
}

// A file operation that the kernel did not even begin: it says -ECANCELED, of itself, where a signal
// keeps it from making a thread, and -EINVAL or -EOPNOTSUPP where a file system knows no such request,
// whatever the probe said. What is wrong with the operation itself is wrong by hand as well.
bool uring_driver::refuses(op const& o, int result) const noexcept {
  bool const begun = result != -ECANCELED && result != -EINVAL && result != -EOPNOTSUPP;
  return !begun && o.lowering->interest == 0 && by_ring(o) && !o.cancel_asked && !o.closed;
}

// True when it is done at once.
bool uring_driver::redo_by_hand(op& request) noexcept {
  request.by_hand = true;
  try {
    return begin_blocking(request);
  } catch (std::exception const&) {
    request.answer = -ENOMEM;  // not the -EAGAIN of a thread that cannot be made: that is asked again
    return true;
  }
}

// What the kernel has no opcode for: the pool, or readiness.
bool uring_driver::begin_by_hand(op& request) {
  if (request.lowering->interest == 0) return begin_blocking(request);
  request.answer = try_now(request);
  if (request.answer != -EAGAIN) return true;
  begin(request);
  return false;
}

bool uring_driver::begin_op(op& request) {
  if (!by_ring(request)) return begin_by_hand(request);
  if (request.lowering->interest == POLLIN) {
    request.data_likely = request.data_likely && record(request.fd).readable;
  }
  begin(request);
  return false;
}

void uring_driver::watch(fd_wait& wait) { begin(wait); }

void uring_driver::cancel(op& request) noexcept {
  if (request.lowering->interest == 0 && !by_ring(request)) return cancel_blocking(request);
  cancel_request(request);
}

void uring_driver::cancel_request(driver_request& request) noexcept {
  request.cancel_asked = true;
  if (request.stage == backlogged) {
    backlog_.remove(request);
    finish(request, -ECANCELED, 0);
  } else if (request.stage == in_kernel) {
    request.stage = linked;
    linked_.push(request);
  }
}

void uring_driver::terminal(driver_request& request, int result, unsigned flags) noexcept {
  if (request.stage == in_kernel) return finish(request, result, flags);
  request.stage = answered;
  request.early_result = result;
  request.early_flags = flags;
}

void uring_driver::finish(driver_request& request, int result, unsigned flags) noexcept {
  --in_flight_;
  request.stage = idle;
  if (!request.is_readiness) {
    auto& o = static_cast<op&>(request);
    if (refuses(o, result)) {
      if (!redo_by_hand(o)) return;
      result = o.answer;
    } else if (result >= 0 && !by_ring(o)) {
      result = try_now(o);
      if (result == -EAGAIN && !o.cancel_asked) return begin(o);
    }
  }
  request.finish_request(result, flags);
}

bool uring_driver::reap() {
  unsigned seen = 0;
  unsigned head = *ring_.cq.khead;
  unsigned const tail = io_uring_smp_load_acquire(ring_.cq.ktail);
  for (; head != tail; ++head, ++seen) {
    io_uring_cqe const cqe = ring_.cq.cqes[head & ring_.cq.ring_mask];
    if (cqe.user_data == cancel_tag) continue;
    if (cqe.user_data == doorbell_tag) {
      doorbell_armed_ = (cqe.flags & IORING_CQE_F_MORE) != 0;
      continue;
    }
    auto& request = *reinterpret_cast<driver_request*>(cqe.user_data);
    if ((cqe.flags & IORING_CQE_F_MORE) != 0) {
      request.finish_request(cqe.res, cqe.flags);
    } else {
      terminal(request, public_result(cqe.res), cqe.flags);
    }
  }
  io_uring_smp_store_release(ring_.cq.khead, head);
  return seen != 0;
}

void uring_driver::arm_doorbell() {
  io_uring_sqe* const sqe = free_sqe();
  if (sqe == nullptr) return;
  io_uring_prep_poll_multishot(sqe, doorbell_, POLLIN);
  sqe->user_data = doorbell_tag;
  doorbell_armed_ = true;
}

void uring_driver::fill() {
  if (!doorbell_armed_) arm_doorbell();
  while (backlog_.first != nullptr) {
    io_uring_sqe* const sqe = free_sqe();
    if (sqe == nullptr) return;
    prepare(*backlog_.pop(), *sqe);
  }
}

void uring_driver::submit_cancels() {
  for (driver_request* r = linked_.first; r != nullptr; r = r->next) {
    if (r->stage != linked) continue;
    io_uring_sqe* const sqe = free_sqe();
    if (sqe == nullptr) return;
    io_uring_prep_cancel64(sqe, reinterpret_cast<std::uintptr_t>(r), 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = cancel_tag;
    r->stage = cancel_sent;
  }
}

// Once the kernel has taken all submissions, no cancel names a request that is linked here.
void uring_driver::unlink_cancelled() {
  driver_request* r = linked_.first;
  while (r != nullptr) {
    driver_request* const next = r->next;
    if (r->stage == answered) {
      linked_.remove(*r);
      finish(*r, r->early_result, r->early_flags);
    } else if (r->stage == cancel_sent) {
      linked_.remove(*r);
      r->stage = in_kernel;
    }
    r = next;
  }
}

void uring_driver::park(time_point deadline) {
  if (!enabled_) enable();
  bool const found = reap();
  fill();
  if (linked_.first != nullptr) submit_cancels();

  // With cancels on their way, what they end is known right after the kernel has taken them. And
  // nobody sleeps on what the submission queue had no room for: requests, or the doorbell.
  bool const only_look = deadline == time_point::min() || found || linked_.first != nullptr ||
                         backlog_.first != nullptr || !doorbell_armed_;
  unsigned const kernel_flags = IO_URING_READ_ONCE(*ring_.sq.kflags);
  bool const kernel_has_work = (kernel_flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
  if (!only_look || unsubmitted() != 0 || kernel_has_work) {
    int const answer = enter(only_look ? 0 : 1, deadline);
    if (answer < 0 && answer != -ETIME && answer != -EINTR && answer != -EAGAIN && answer != -EBUSY) {
      throw std::system_error(-answer, std::generic_category(), "io_uring_enter");
    }
    reap();
  }
  if (linked_.first != nullptr && unsubmitted() == 0) unlink_cancelled();
}

void uring_driver::wake() noexcept {
  std::uint64_t const one = 1;
  static_cast<void>(::write(doorbell_, &one, sizeof one));
}

std::unique_ptr<driver> make_uring_driver(driver_options const& options) {
  return std::make_unique<uring_driver>(options);
}

}  // namespace plait::io
