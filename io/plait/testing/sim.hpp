// A simulated world for tests of services: plait's sockets, files and timers without a kernel, on
// virtual time. Time jumps to the next thing that happens; which of several ready tasks runs first,
// how long a segment travels, how a read is split and whether a cancelled operation still completes
// are drawn from one seed. The same seed gives the same run.
//
//     run_sim([] { return client_and_server(); }, {.seed = 42});
//     for_each_seed(1000, [] { return client_and_server(); });   // a failure names its seed
//
// A run in which nothing can happen any more, while tasks wait, is cancelled and throws sim_stuck.
// One thread; a world has TCP, UDP, UNIX sockets with descriptor passing, pipes, files and timers. The
// jobs of thread pools that a task awaits run on it, too, each after a while. Several programs in one world:
// testing/sim_process.hpp. Process pools are not in it.
#pragma once

#include <plait/cancel.hpp>
#include <plait/clock.hpp>
#include <plait/run.hpp>
#include <plait/scheduler.hpp>
#include <plait/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace plait::testing {

// Which of the ready tasks runs next: any; the first that became ready; or the one of the highest
// priority, which each task draws at its beginning and which drops at a few points of the run
// (probabilistic concurrency testing: a bug that takes `pct_depth` ordered steps is found with a known
// probability).
enum class sim_order : std::uint8_t { random, fifo, pct };

// How latencies lie between the shortest and the longest: alike, with one in a thousand 50 times as long;
// most of them short, and one in a hundred longer than the longest; alike, with one in twenty 50 times
// as long.
enum class sim_latency : std::uint8_t { uniform, exponential, slow_tail };

struct sim_options {
  std::uint64_t seed = 1;
  // Bytes that make the decisions in place of the seed, a fuzzer's for one: which task is next, delays,
  // splits, faults. After the last one nothing is late, short or wrong, and the first in line is next.
  std::optional<std::span<std::byte const>> bytes = std::nullopt;
  sim_order order = sim_order::random;
  unsigned pct_depth = 3;     // one more than the points at which a priority drops
  unsigned pct_steps = 1000;  // the resumptions from the beginning among which these lie
  duration latency_min = std::chrono::microseconds(20);  // of each segment, one way
  duration latency_max = std::chrono::milliseconds(2);
  sim_latency latency_shape = sim_latency::uniform;
  std::size_t window_bytes_max = 65536;  // of each direction; each connection draws its own, from 1 up
  duration job_max = std::chrono::milliseconds(1);  // that a thread pool's job takes, at most
  double short_transfer = 0.3;           // probability that a read or write does only a part
  double interrupted = 0.02;             // that an operation answers EINTR first
  double wrong_again = 0.01;             // that one that has to wait answers EAGAIN instead
  double reset = 0;                      // that a segment is answered by a reset
  double read_error = 0;                 // that a read of a file answers EIO
  double write_error = 0;                // that a write does
  double sync_error = 0;                 // that a sync does, with some of the file lost
  std::uint64_t disk_bytes = std::uint64_t{1} << 32;  // in files; then ENOSPC
  double exhausted = 0;                  // that what makes a descriptor finds none left, or no memory
  double many_accepts = 0.5;             // that the driver accepts many connections by one submission
  double missing_opcodes = 0.1;          // that one kind of operation is tried at once, then by readiness
  unsigned queue_entries = 0;            // so many submissions in a turn, others wait; 0: any number
  duration completion_grid{};            // completions come at its multiples, many at once
  long spin_limit = 100'000;             // turns in a row in which the program waits for nothing
  double loss = 0;                       // that a datagram, or a segment that opens a connection, is lost
  double duplicate = 0;                  // that it comes twice; in any order they come anyway
  std::size_t descriptors_max = 65536;   // then EMFILE
  duration time_limit = std::chrono::hours(24);

  // A profile of its own for each seed: which faults there are and how strong, the network's shape and the
  // order of tasks (swarm testing). A program that sees errors and tries again should get through with
  // every one of them, and one that does not with those of `gentle_swarm`, which break no connection and
  // withhold no descriptor.
  static sim_options swarm(std::uint64_t seed);
  static sim_options gentle_swarm(std::uint64_t seed);
};

// What a world still holds when its program has ended and what was under way has arrived. All of it is 0
// after a program that has closed what it opened, but for descriptors that it keeps on purpose.
struct sim_ledger {
  std::size_t descriptors = 0;
  std::size_t files = 0;     // open, and reached by no descriptor
  std::size_t segments = 0;  // under way for ever
  std::size_t events = 0;    // timers that do not end
  std::size_t names = 0;     // ports and addresses that nobody gave back

  bool operator==(sim_ledger const&) const = default;
};

// Nothing could happen any more (a deadlock is reported as scheduler::on_deadlock has it, where the program
// has not set that itself), or the time limit was reached, while tasks waited.
class sim_stuck : public std::runtime_error {
 public:
  explicit sim_stuck(std::string const& why) : std::runtime_error(why) {}
};

// What with_cancel_scope gives.
template <class T>
using sim_outcome = std::conditional_t<std::is_void_v<T>, bool, std::optional<T>>;

// One simulated world and the scheduler in it.
class sim_run {
 public:
  explicit sim_run(sim_options options = {});
  ~sim_run();
  sim_run(sim_run const&) = delete;
  sim_run& operator=(sim_run const&) = delete;

  // Runs fn() to its end and gives its value. Throws sim_stuck where it was cut short.
  template <class Fn>
  auto run(Fn&& fn) {
    return run_on(sched(), watched(*this, fn));
  }

  scheduler& sched() noexcept;
  std::uint64_t trace() const noexcept;  // the same for the same seed and program
  duration elapsed() const noexcept;     // virtual
  std::size_t open_descriptors() const noexcept;
  // Lets what is under way arrive first, which takes virtual time.
  sim_ledger ledger();

  // The machine's power fails, and comes back when `run` is called again. Files and directories keep
  // what was synced; of the rest they lose all, nothing, or some: sectors of 512 bytes, and names
  // that were changed last. Until then, and with descriptors from before, all that is done with
  // files fails with EIO. A program that runs is not stopped: end it yourself.
  void lose_power();

 private:
  template <class Fn>
  static std::invoke_result_t<Fn&> watched(sim_run& self, Fn& fn) {
    using value = typename std::invoke_result_t<Fn&>::value_type;
    auto const body = [&](cancel_scope& scope) -> task<value> {
      watch const over(self, scope);
      co_return co_await std::invoke(fn);
    };
    sim_outcome<value> outcome{};
    try {
      outcome = co_await with_cancel_scope(body);
    } catch (...) {
      self.throw_if_stuck();  // what a program throws that is cut short is no news
      throw;
    }
    self.throw_if_stuck();
    if constexpr (!std::is_void_v<value>) co_return std::move(*outcome);
  }
  // While there is one, its scope is cancelled where the program is stuck.
  class watch {
   public:
    watch(sim_run& run, cancel_scope& scope);
    ~watch();
    watch(watch const&) = delete;
    watch& operator=(watch const&) = delete;

   private:
    sim_run& run_;
  };
  void throw_if_stuck() const;

  struct parts;
  std::unique_ptr<parts> parts_;
};

template <class Fn>
auto run_sim(Fn&& fn, sim_options options = {}) {
  sim_run world(options);
  return world.run(std::forward<Fn>(fn));
}

// Runs fn() with the seeds first, first + 1, ... The exception of a run that fails is rethrown when its
// seed has been written to stderr. PLAIT_SEED in the environment runs that seed alone.
void for_each_seed(std::uint64_t count, std::function<task<>()> const& fn, sim_options options = {});

// The same with a profile of options for each seed: sim_options::swarm, for one.
void for_each_seed(std::uint64_t count, std::function<task<>()> const& fn,
                   sim_options (*profile)(std::uint64_t seed));

}  // namespace plait::testing
