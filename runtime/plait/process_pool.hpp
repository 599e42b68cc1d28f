// A pool of processes: CPU work that must not take the program down with it, or that wants its memory
// apart.
//
//     int count_primes(int limit);
//     int main(int argc, char** argv) { return plait::run(argc, argv, program); }
//     plait::task<> program() {
//       plait::process_pool pool({.workers = 4});
//       int n = co_await pool.run(count_primes, 1'000'000);
//       co_await pool.shutdown();
//     }
//
// A job is a function, a lambda without captures, or a function object that <plait/codec.hpp> can
// send, with arguments and a value that it can send. It is found in the worker by its place in the
// program, so plait::run(argc, argv, ...) must be the first statement of main: a worker is this
// program started again, and leaves main's path there. What the program did before main or after it
// began is not there in a worker: neither globals that it changed, nor files that it opened.
//
// A job's exception comes back: a standard one as it was, others by their nearest standard base or as
// remote_error (<plait/pool/errors.hpp>). A worker that dies fails the job that it ran with
// worker_died; what it had not begun goes to another, and the worker is replaced, until that happens
// too often (restart_limits): then every job fails with broken_process_pool.
//
// Cancellation: a job that has not begun is taken back and never runs. One that runs is killed with
// its worker, which is replaced, and the await throws `cancelled` when it is dead; a value that came
// before is delivered. With cancel_policy::finish the await ends with the job instead.
//
// A pool belongs to the scheduler that runs where it is made, and no thread is started: its own tasks
// are background tasks of that scheduler. Destroying it kills the workers at once and fails the jobs
// that wait with process_pool_closed; the scheduler reaps the processes soon after, at the latest when
// `run` ends. Await shutdown() to let the jobs end first. When the program dies, so do the workers.
#pragma once

#include <plait/clock.hpp>
#include <plait/codec.hpp>
#include <plait/detail/await_safe.hpp>
#include <plait/detail/pool_function.hpp>
#include <plait/detail/result_slot.hpp>
#include <plait/operation.hpp>
#include <plait/pool/errors.hpp>
#include <plait/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace plait {

enum class cancel_policy : std::uint8_t { kill, finish };

// How often a worker may die without having been killed by the pool, after Erlang's supervisors. The
// first replacement comes at once, each further one within the window after a delay that doubles.
struct restart_limits {
  int deaths = 5;  // of one worker within the window: one more breaks the pool
  duration window = std::chrono::seconds(30);
  duration delay = std::chrono::milliseconds(10);
  duration delay_max = std::chrono::seconds(1);
};

struct process_pool_options {
  unsigned workers = 0;                                 // 0: usable_cpus()
  cancel_policy on_cancel = cancel_policy::kill;
  unsigned window = 2;                                  // jobs that a worker has, the running one counted
  std::size_t message_bytes_max = std::size_t{1} << 30; // of one job's arguments, or its value
  restart_limits restarts = {};
  duration start_limit = std::chrono::seconds(30);      // for a worker to become ready
};

struct process_pool_stats {
  unsigned workers = 0;  // that are ready
  std::size_t queued = 0;   // jobs that no worker has
  std::size_t running = 0;  // jobs that a worker has
  std::uint64_t restarts = 0;  // workers that were replaced
};

class process_operation;

namespace detail {
class process_pool_state;


// What the header of a frame takes, in front of a job's arguments.
inline constexpr std::size_t frame_header_bytes = 32;
}  // namespace detail

class process_pool {
 public:
  // Nothing is started yet. Throws std::logic_error where plait::run(argc, argv, ...) was not the
  // beginning of main, or where no scheduler runs.
  explicit process_pool(process_pool_options options = {});
  ~process_pool();
  process_pool(process_pool const&) = delete;
  process_pool& operator=(process_pool const&) = delete;

  // Starts the workers, which the first job would do otherwise; returns when all are ready. Throws
  // broken_process_pool where they cannot be started.
  task<> start();

  // `co_await pool.run(fn, args...)`: fn(args...) in a worker; gives its value or throws its
  // exception. The arguments are encoded here and now, converted to the types of fn's parameters
  // where fn has one signature. Throws codec_error or message_too_large where that fails,
  // process_pool_closed after shutdown, broken_process_pool where the pool gave up.
  template <class Fn, class... Args>
    requires detail::await_safe<Fn>
  [[nodiscard("co_await this: the job starts when it is awaited")]] auto run(Fn&& fn, Args&&... args);

  // Takes no more jobs, lets those that it has end, then ends the workers and waits until all have
  // been reaped. May be awaited again. A cancelled shutdown leaves the pool closed.
  task<> shutdown();

  process_pool_stats stats() const noexcept;
  std::vector<pid_t> worker_pids() const;  // of those that are ready
  pid_t zygote_pid() const noexcept;       // of the process that forks them; 0: there is none now

 private:
  friend class process_operation;

  std::shared_ptr<detail::process_pool_state> state_;
};

// What a task waits on while a process works for it.
class process_operation : public operation {
 public:
  bool start(detail::task_state& task);
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

 protected:
  process_operation(process_pool& pool, detail::job_function const& function);
  process_operation(process_operation&& other) = default;
  ~process_operation() = default;

  detail::byte_buffer& message() noexcept { return message_; }
  std::size_t message_bytes_max() const noexcept;

  virtual void take_value(decoder& from) = 0;
  virtual void take_error(std::exception_ptr error) noexcept = 0;

 private:
  friend class detail::process_pool_state;

  void cancel() noexcept override;

  std::shared_ptr<detail::process_pool_state> pool_;
  detail::job_function const* function_;
  detail::byte_buffer message_;  // room for the frame's header, then the payload
  std::uint64_t number_ = 0;
  // Its place in the queue, while it has no worker.
  process_operation* next_ = nullptr;
  process_operation* previous_ = nullptr;
  int worker_ = -1;  // that has it; -1: queued
  std::size_t slot_ = 0;
  bool cancel_asked_ = false;
};

namespace detail {

template <class R>
class process_run final : public process_operation {
 public:
  process_run(process_pool& pool, job_function const& function)
      : process_operation(pool, function) {}
  process_run(process_run&& other) noexcept : process_operation(std::move(other)) {}

  R result() { return result_.take(); }

  template <class Fn, class... Sent, class... Args>
  void encode_job(Fn const& fn, std::type_identity<std::tuple<Sent...>>, Args&&... args) {
    encoder to(message(), message_bytes_max() + frame_header_bytes);
    encode_callable(to, fn);
    (encode_as<Sent>(to, std::forward<Args>(args)), ...);
  }

 private:
  void take_value(decoder& from) override {
    if constexpr (std::is_void_v<R>) {
      from.expect_end();
    } else {
      R value = decoded<R>(from);
      from.expect_end();
      result_.emplace(std::move(value));
    }
  }
  void take_error(std::exception_ptr error) noexcept override { result_.fail(std::move(error)); }

  result_slot<R> result_;
};

template <class Fn, class Places, class... Args>
struct job_of;
template <class Fn, std::size_t... I, class... Args>
struct job_of<Fn, std::index_sequence<I...>, Args...> {
  using sent = std::tuple<sent_type_t<Fn, I, Args, sizeof...(Args)>...>;
  using remote = remote_job<Fn, sent_type_t<Fn, I, Args, sizeof...(Args)>...>;
};

}  // namespace detail

template <class Fn, class... Args>
  requires detail::await_safe<Fn>
auto process_pool::run(Fn&& fn, Args&&... args) {
  using callable = std::decay_t<Fn>;
  using job = detail::job_of<callable, std::index_sequence_for<Args...>, Args...>;
  detail::process_run<typename job::remote::value> op(*this, job::remote::registered);
  op.encode_job(static_cast<callable const&>(fn), std::type_identity<typename job::sent>(),
                std::forward<Args>(args)...);
  return op;
}

}  // namespace plait
