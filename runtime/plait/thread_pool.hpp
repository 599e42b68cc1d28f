// A pool of threads for what would block the loop: CPU work, blocking calls.
//
//     plait::thread_pool pool({.threads = 4, .name = "cpu"});
//     int n = co_await pool.run(count_primes, 1'000'000);
//
// Threads run plain callables, never coroutines. First in, first out; in a simulated world (testing/sim.hpp)
// the awaited jobs run on the simulation's thread instead, each after a while. The pool may be used from any
// thread and from the tasks of any scheduler; the awaiting task goes on where it was. Nothing is
// allocated on the way: the job lives in the awaiting frame.
//
// Cancellation: a job that still queues is removed and never runs. One that runs sees its
// std::stop_token, where its function takes one as the first parameter, and the await ends when the
// job has ended. What it then gave is delivered: completion wins. A job that wants to end early for
// good throws job_stopped, and the await throws `cancelled`.
//
// Idle threads look round for some microseconds and then sleep; they do so only where CPUs are to
// spare, and no more than that many at once.
//
// Destruction runs what was submitted and joins the threads. Destroying the pool while a task awaits
// one of its jobs, or from one of its own threads, is an error that stops the program.
#pragma once

#include <plait/detail/await_safe.hpp>
#include <plait/detail/result_slot.hpp>
#include <plait/operation.hpp>
#include <plait/scheduler.hpp>
#include <plait/system_calls.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace plait {

// How many CPUs this process may use: its affinity mask, and no more than the quota of its control
// groups allows, rounded up. At least 1.
unsigned usable_cpus() noexcept;

// Thrown by a job to say that it ended early because it was asked to stop.
class job_stopped : public std::exception {
 public:
  char const* what() const noexcept override;
};

struct thread_pool_options {
  unsigned threads = 0;              // 0: usable_cpus()
  std::string_view name = "plait";   // the threads are called name-0, name-1, ...
};

// The low-level job: what to run and a place in the queue, owned by whoever submits it. It must stay
// until `run` was called or it was withdrawn; `run` may free it or submit it again.
struct pool_job {
  using run_fn = void (*)(pool_job&) noexcept;
  explicit pool_job(run_fn what) noexcept : run(what) {}

  pool_job* next = nullptr;
  pool_job* previous = nullptr;
  run_fn run;
  bool queued = false;  // the pool's
};

namespace detail {
template <class R, class Fn, class... Args>
class thread_run;

template <class Fn, class... Args>
inline constexpr bool takes_stop_token = !std::is_invocable_v<Fn, Args...>;

template <class Fn, class... Args>
struct job_result : std::invoke_result<Fn, Args...> {};
template <class Fn, class... Args>
  requires takes_stop_token<Fn, Args...>
struct job_result<Fn, Args...> : std::invoke_result<Fn, std::stop_token, Args...> {};
}  // namespace detail

// A callable that a pool can run with these arguments, with or without a std::stop_token in front.
template <class Fn, class... Args>
concept thread_job_function =
    std::is_invocable_v<Fn, Args...> || std::is_invocable_v<Fn, std::stop_token, Args...>;

class thread_pool {
 public:
  // Throws std::system_error where not even one thread can be started; with fewer than were asked
  // for it makes do (see size()).
  explicit thread_pool(thread_pool_options options = {}, system_calls& sys = system_calls::real());
  ~thread_pool();
  thread_pool(thread_pool const&) = delete;
  thread_pool& operator=(thread_pool const&) = delete;

  unsigned size() const noexcept;

  // `co_await pool.run(fn, args...)`: fn(args...) on one of the pool's threads; gives its value or
  // throws its exception. Callable and arguments are moved or copied into the operation.
  template <class Fn, class... Args>
    requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...) &&
             thread_job_function<std::decay_t<Fn>&, std::decay_t<Args>...>
  [[nodiscard("co_await this: the job starts when it is awaited")]] auto run(Fn&& fn, Args&&... args);

  // From any thread.
  void submit(pool_job& job) noexcept;
  // True: the job was still in the queue, is out of it, and will not run. From any thread, while the
  // job certainly exists.
  bool try_withdraw(pool_job& job) noexcept;

 private:
  friend class thread_operation;
  class impl;

  std::unique_ptr<impl> impl_;
  alignas(64) std::atomic<long> awaited_{0};  // jobs that a task waits for
};

// What a task waits on while a thread works for it.
class thread_operation : public operation, private pool_job, private remote_call {
 public:
  bool start(detail::task_state& task);
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

 protected:
  thread_operation(thread_pool& pool, pool_job::run_fn execute) noexcept;
  thread_operation(thread_operation&& other) noexcept;
  ~thread_operation() = default;

  virtual void ask_to_stop() noexcept {}

  // On the pool's thread, as the last thing: the operation may be gone when these return.
  void post_home() noexcept { home_->post(*this); }
  void note_stopped() noexcept { stopped_ = true; }

  template <class Derived>
  static Derived& self(pool_job& job) noexcept {
    return static_cast<Derived&>(static_cast<thread_operation&>(job));
  }

 private:
  void cancel() noexcept override;
  static void come_home(remote_call& call) noexcept;
  void forget() noexcept;

  thread_pool* pool_;
  scheduler* home_ = nullptr;
  bool cancel_asked_ = false;  // the scheduler's thread
  bool by_driver_ = false;     // it runs the job, in a simulation
  bool stopped_ = false;       // the pool's thread, until it posts
};

namespace detail {

template <class R, class Fn, class... Args>
class thread_run final : public thread_operation {
  static constexpr bool stoppable = takes_stop_token<Fn&, Args...>;

 public:
  template <class F, class... A>
  explicit thread_run(thread_pool& pool, F&& fn, A&&... args)
      : thread_operation(pool, &execute), fn_(std::forward<F>(fn)), args_(std::forward<A>(args)...) {}
  thread_run(thread_run&& other)
      : thread_operation(std::move(other)),
        fn_(std::move(other.fn_)),
        args_(std::move(other.args_)) {}

  bool start(task_state& task) {
    if constexpr (stoppable) stop_ = std::stop_source();
    return thread_operation::start(task);
  }
  R result() { return result_.take(); }

 private:
  friend class plait::thread_operation;

  static void execute(plait::pool_job& job) noexcept {
    auto& op = thread_operation::self<thread_run>(job);
    op.invoke();
    op.post_home();
  }

  void invoke() noexcept {
    try {
      std::apply(
          [this](Args&... args) {
            if constexpr (stoppable) {
              keep([&]() -> R { return std::invoke(fn_, stop_.get_token(), std::move(args)...); });
            } else {
              keep([&]() -> R { return std::invoke(fn_, std::move(args)...); });
            }
          },
          args_);
    } catch (job_stopped const&) {
      this->note_stopped();
      result_.fail(std::current_exception());
    } catch (...) {
      result_.fail(std::current_exception());
    }
  }

  template <class Call>
  void keep(Call call) {
    if constexpr (std::is_void_v<R>) {
      call();
    } else {
      result_.emplace(call());
    }
  }

  void ask_to_stop() noexcept override {
    if constexpr (stoppable) stop_.request_stop();
  }

  struct no_stop {};

  [[no_unique_address]] Fn fn_;
  [[no_unique_address]] std::tuple<Args...> args_;
  [[no_unique_address]] std::conditional_t<stoppable, std::stop_source, no_stop> stop_ = unstarted();
  result_slot<R> result_;

  // The stop state is allocated when the job starts, not for an operation that nobody awaits.
  static auto unstarted() noexcept {
    if constexpr (stoppable) {
      return std::stop_source(std::nostopstate);
    } else {
      return no_stop();
    }
  }
};

}  // namespace detail

template <class Fn, class... Args>
  requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...) &&
           thread_job_function<std::decay_t<Fn>&, std::decay_t<Args>...>
auto thread_pool::run(Fn&& fn, Args&&... args) {
  using value = typename detail::job_result<std::decay_t<Fn>&, std::decay_t<Args>...>::type;
  return detail::thread_run<value, std::decay_t<Fn>, std::decay_t<Args>...>(
      *this, std::forward<Fn>(fn), std::forward<Args>(args)...);
}

}  // namespace plait
