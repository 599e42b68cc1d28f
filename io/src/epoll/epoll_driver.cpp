#include "epoll_driver.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace plait::io {
namespace {

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR && EPOLLHUP == POLLHUP,
              "poll's and epoll's events are one set of bits");

constexpr unsigned both_edges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;

std::uint64_t key_of(int fd, std::uint32_t generation) noexcept {
  return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(fd);
}

int control(int epoll, int what, int fd, unsigned events, std::uint32_t generation) noexcept {
  epoll_event e{};
  e.events = events;
  e.data.u64 = key_of(fd, generation);
  return epoll_ctl(epoll, what, fd, &e) == 0 ? 0 : -errno;
}

// A number that was registered before, for a file that a duplicate keeps alive, answers EEXIST.
int register_fd(int epoll, int fd, unsigned events, std::uint32_t generation) noexcept {
  int const answer = control(epoll, EPOLL_CTL_ADD, fd, events, generation);
  return answer == -EEXIST ? control(epoll, EPOLL_CTL_MOD, fd, events, generation) : answer;
}

short ready_now(int fd, short events) noexcept {
  pollfd p{fd, events, 0};
  return ::poll(&p, 1, 0) == 1 ? p.revents : short{0};
}

constexpr std::uint64_t doorbell_key = ~std::uint64_t{0};

}  // namespace

epoll_driver::epoll_driver() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  doorbell_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (doorbell_ < 0) {
    int const error = errno;
    close(epoll_);
    throw std::system_error(error, std::generic_category(), "eventfd");
  }
  epoll_event e{};
  e.events = EPOLLIN | EPOLLET;  // an edge for each write: it need never be read
  e.data.u64 = doorbell_key;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, doorbell_, &e);
}

epoll_driver::~epoll_driver() {
  PLAIT_CHECK(in_flight_ == 0,
              "a driver was destroyed while operations were in flight; a listener must not outlive "
              "its scheduler");
  close(epoll_);
  close(doorbell_);
}

// 0 or a negative errno: the limit of watched descriptors, or no memory.
int epoll_driver::enroll(int fd, fd_record& r) noexcept {
  if (r.registered) return 0;
  int const answer = register_fd(epoll_, fd, both_edges, r.generation);
  // EPERM: a regular file, which is always ready. EBADF is for the operation itself to find.
  if (answer == -EBADF) return 0;
  if (answer < 0 && answer != -EPERM) return answer;
  r.registered = true;
  r.one_shot = false;
  return 0;
}

bool epoll_driver::attempt(op& request, fd_record& r) {
  bool const reads = request.lowering->interest == POLLIN;
  bool& ready = reads ? r.readable : r.writable;
  if (!ready) return false;
  int const answer = try_now(request);
  if (answer == -EAGAIN) {
    ready = false;
    return false;
  }
  bool const stopped_short = answer > 0 && static_cast<std::size_t>(answer) < request.next_length();
  if (stopped_short && request.lowering->short_is_all && !r.may_stop_short) ready = false;
  request.answer = answer;
  return true;
}

bool epoll_driver::begin_op(op& request) {
  if (request.lowering->interest == 0) return begin_blocking(request);
  fd_record& r = record(request.fd);
  request.answer = enroll(request.fd, r);
  if (request.answer < 0) return true;
  if (attempt(request, r)) return true;
  ++in_flight_;
  return false;
}

void epoll_driver::cancel(op& request) noexcept {
  if (request.lowering->interest == 0) return cancel_blocking(request);
  request.cancel_asked = true;
  --in_flight_;
  request.finish_request(-ECANCELED, 0);
}

void epoll_driver::retry(op* request, fd_record& r) {
  if (request == nullptr || !attempt(*request, r)) return;
  --in_flight_;
  request->finish_request(request->answer, 0);
}

void epoll_driver::dispatch(int fd, std::uint32_t generation, unsigned events) {
  if (record(fd).generation != generation) return;  // of a descriptor that plait has closed
  bool const ended = (events & (EPOLLERR | EPOLLHUP)) != 0;
  if (record(fd).registered) {
    fd_record& r = record(fd);
    if ((events & (EPOLLIN | EPOLLRDHUP)) != 0 || ended) r.readable = true;
    if ((events & EPOLLOUT) != 0 || ended) r.writable = true;
    if ((events & (EPOLLRDHUP | EPOLLPRI)) != 0 || ended) r.may_stop_short = true;
    retry(r.reading, r);
    retry(record(fd).writing, record(fd));
  }
  if (record(fd).waits != nullptr) finish_waits(fd, record(fd), events);
}

void epoll_driver::watch(fd_wait& wait) {
  int const fd = wait.fd();
  if (!plausible(fd)) return wait.finish_request(-EBADF, 0);
  fd_record& r = record(fd);
  wait.previous = nullptr;
  wait.next = r.waits;
  if (r.waits != nullptr) r.waits->previous = &wait;
  r.waits = &wait;
  wait.stage = 1;
  ++in_flight_;
  if (r.registered) {
    if (short const events = ready_now(fd, wait.events())) finish_wait(wait, r, events);
    return;
  }
  int const answer = arm_waits(fd, r);
  if (answer == -EPERM) {
    finish_wait(wait, r, wait.events());  // a regular file
  } else if (answer < 0) {
    finish_wait(wait, r, answer);
  }
}

int epoll_driver::arm_waits(int fd, fd_record& r) {
  unsigned wanted = 0;
  for (driver_request* w = r.waits; w != nullptr; w = w->next) {
    wanted |= static_cast<unsigned>(static_cast<fd_wait*>(w)->events());
  }
  if (wanted == 0 && r.waits == nullptr) {
    if (r.one_shot) control(epoll_, EPOLL_CTL_DEL, fd, 0, r.generation);
    r.one_shot = false;
    return 0;
  }
  int answer = 0;
  if (r.one_shot) answer = control(epoll_, EPOLL_CTL_MOD, fd, wanted | EPOLLONESHOT, r.generation);
  if (!r.one_shot || answer == -ENOENT) {  // its owner has closed it meanwhile
    answer = register_fd(epoll_, fd, wanted | EPOLLONESHOT, r.generation);
  }
  r.one_shot = answer == 0;
  return answer;
}

void epoll_driver::finish_wait(fd_wait& wait, fd_record& r, int answer) noexcept {
  (wait.previous != nullptr ? wait.previous->next : r.waits) = wait.next;
  if (wait.next != nullptr) wait.next->previous = wait.previous;
  wait.stage = 0;
  --in_flight_;
  wait.finish_request(answer, 0);
}

void epoll_driver::finish_waits(int fd, fd_record& r, unsigned events) {
  driver_request* w = r.waits;
  while (w != nullptr) {
    auto& wait = static_cast<fd_wait&>(*w);
    w = w->next;
    unsigned const asked = static_cast<unsigned>(wait.events()) | EPOLLERR | EPOLLHUP;
    if ((events & asked) != 0) finish_wait(wait, r, static_cast<int>(events & asked));
  }
  if (!r.registered) arm_waits(fd, r);
}

void epoll_driver::unwatch(fd_wait& wait) noexcept {
  if (wait.stage == 0) return;
  fd_record& r = record(wait.fd());
  finish_wait(wait, r, -ECANCELED);
  if (!r.registered) arm_waits(wait.fd(), r);
}

void epoll_driver::forget(int fd) noexcept {
  if (static_cast<std::size_t>(fd) >= records_.size()) return;
  if (record(fd).registered || record(fd).one_shot) control(epoll_, EPOLL_CTL_DEL, fd, 0, 0);
  io_driver::forget(fd);
}

int epoll_driver::sleep(time_point deadline, void* events, int most) {
  auto* const out = static_cast<epoll_event*>(events);
  if (deadline == no_deadline) return epoll_wait(epoll_, out, most, -1);
  if (deadline == time_point::min()) return epoll_wait(epoll_, out, most, 0);
  auto const left = std::max(deadline - now(), duration::zero());
  timespec const timeout{static_cast<time_t>(left / std::chrono::seconds(1)),
                         static_cast<long>((left % std::chrono::seconds(1)).count())};
  int const n = epoll_pwait2(epoll_, out, most, &timeout, nullptr);
  if (n >= 0 || errno != ENOSYS) return n;
  auto const ms = std::min<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(left).count(), INT_MAX);
  return epoll_wait(epoll_, out, most, static_cast<int>(ms));  // before Linux 5.11
}

void epoll_driver::park(time_point deadline) {
  epoll_event events[256];
  int const n = sleep(deadline, events, 256);
  if (n < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "epoll_wait");
  for (int i = 0; i < n; ++i) {
    std::uint64_t const key = events[i].data.u64;
    if (key == doorbell_key) continue;
    dispatch(static_cast<int>(key & 0xffffffff), static_cast<std::uint32_t>(key >> 32), events[i].events);
  }
}

void epoll_driver::wake() noexcept {
  std::uint64_t const one = 1;
  static_cast<void>(::write(doorbell_, &one, sizeof one));
}

std::unique_ptr<driver> make_epoll_driver() { return std::make_unique<epoll_driver>(); }

}  // namespace plait::io
