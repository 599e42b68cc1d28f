// The port between the scheduler and the world outside the process.
//
// A driver belongs to one scheduler and is used by its thread alone; only `wake` may be called from
// any thread. Everything that plait asks of the kernel goes through a driver, so that a test can put
// a world of its own in the kernel's place.
//
// A waiting operation is handed over with `watch` (or, for an io_driver in io/, `submit`) and
// belongs to the driver until the driver completes it, exactly once, from `park` or from the call
// itself. Cancelling is a request: the completion follows, and says what really happened.
#pragma once

#include <plait/clock.hpp>
#include <plait/operation.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace plait {

class system_calls;
struct pool_job;
namespace detail {
struct resumable;
}

enum class driver_kind : std::uint8_t { automatic, io_uring, epoll, sim };

// What a driver holds from `watch` or `submit` until it completes it. The members are the driver's
// while it holds the request.
class driver_request : public operation {
 public:
  // The driver's answer, once and last: a result or a negative errno, and what else the kernel said.
  virtual void finish_request(int result, unsigned flags) noexcept = 0;

  driver_request* next = nullptr;
  driver_request* previous = nullptr;
  int early_result = 0;
  unsigned early_flags = 0;
  std::uint8_t stage = 0;
  bool cancel_asked = false;
  bool is_readiness = false;  // an fd_wait

 protected:
  driver_request() = default;
  driver_request(driver_request&&) = default;
  ~driver_request() = default;
};

// Readiness of a descriptor that somebody else owns. The kernel's answer is in `ready_events()`:
// POLLIN, POLLOUT, POLLERR, POLLHUP as poll(2) has them; POLLERR and POLLHUP end any wait.
// A regular file is always ready. The descriptor is neither read nor closed nor changed.
class fd_wait : public driver_request {
 public:
  static constexpr bool claimable = true;

  fd_wait(int fd, short events) noexcept : fd_(fd), events_(events) { is_readiness = true; }

  bool start(detail::task_state& task);
  short result();  // throws std::system_error

  int fd() const noexcept { return fd_; }
  short events() const noexcept { return events_; }
  short ready_events() const noexcept { return ready_; }

  void finish_request(int result, unsigned flags) noexcept override;
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

 private:
  void cancel() noexcept override;

  int fd_;
  short events_;
  short ready_ = 0;
  int error_ = 0;
};

class driver {
 public:
  driver() = default;
  driver(driver const&) = delete;
  driver& operator=(driver const&) = delete;
  virtual ~driver();

  virtual std::string_view name() const noexcept = 0;
  virtual time_point now() noexcept = 0;
  virtual std::uint64_t random() noexcept = 0;

  // Submits what is queued, completes what is done, and sleeps until something completes, `wake` is
  // called, or the deadline has passed. A deadline in the past only looks. May return early.
  virtual void park(time_point deadline) = 0;

  // From any thread, any number of times: the next or the current `park` returns soon.
  virtual void wake() noexcept = 0;

  virtual void watch(fd_wait& wait) = 0;
  virtual void unwatch(fd_wait& wait) noexcept = 0;

  virtual system_calls& sys() noexcept = 0;

  // How many requests the driver holds. While it is 0 a busy scheduler does not look.
  std::size_t in_flight() const noexcept { return in_flight_; }
  // The same, without what a driver counts only so as to be looked at. Where it is 0, nothing but time and
  // `wake` ends a park.
  virtual std::size_t requests() const noexcept { return in_flight_; }
  // Those among them that a destructor has cancelled without waiting: a run ends after them.
  std::size_t orphans() const noexcept { return orphans_; }
  // Whether it is an io::io_driver: sockets and files need one.
  bool does_io() const noexcept { return does_io_; }
  // For simulations: whether `order_ready` is asked at the beginning of a turn.
  bool reorders() const noexcept { return reorders_; }
  // Puts the tasks that are to run in this turn in front, and gives their number.
  virtual int order_ready(std::span<detail::resumable*> ready);
  // For simulations: whether the jobs of thread pools that a task awaits run here, on the scheduler's own
  // thread, and not on the pool's.
  bool runs_jobs() const noexcept { return runs_jobs_; }
  virtual void run_job_later(pool_job&) {}
  virtual bool withdraw_job(pool_job&) noexcept { return false; }  // true: it will not run

 protected:
  std::size_t in_flight_ = 0;
  std::size_t orphans_ = 0;
  bool does_io_ = false;
  bool reorders_ = false;
  bool runs_jobs_ = false;
};

// What was chosen, and why not the other.
struct driver_report {
  driver_kind kind = driver_kind::automatic;
  std::string reason;
};

struct driver_options {
  driver_kind kind = driver_kind::automatic;
  unsigned queue_entries = 256;        // of the submission queue; small values are for tests
  unsigned completion_entries = 4096;  // of the completion queue
  // io_uring's opcodes to do without, a bit for each, as if the kernel lacked them; for tests.
  std::uint64_t masked_opcodes = 0;
};

// An explicit kind, then PLAIT_DRIVER=io_uring|epoll|sim, then a probe: io_uring where the kernel gives
// it, else epoll. What is closed of the descriptors 0 to 2 is opened as /dev/null, or a socket would get
// what the program prints. `sim` is a world in memory of this program's own, as testing/sim.hpp has them,
// with the seed PLAIT_SEED, or 1; a program in which nothing can happen any more is stopped there. Throws
// std::invalid_argument for a PLAIT_DRIVER that is none of these or a PLAIT_SEED that is no number, and
// std::system_error when a driver that was asked for by name is refused. Defined in io/.
std::unique_ptr<driver> make_driver(driver_options options = {});

// The same decision without keeping a driver, for diagnostics.
driver_report choose_driver(driver_options options = {});

}  // namespace plait
