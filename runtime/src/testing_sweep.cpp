#include <plait/testing/sweep.hpp>

#include "check_context.hpp"

#include <plait/cancel.hpp>
#include <plait/detail/ledger.hpp>
#include <plait/run.hpp>
#include <plait/testing/allocation_fault.hpp>
#include <plait/testing/checkpoints.hpp>
#include <plait/testing/manual_driver.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <source_location>

namespace plait::testing {
namespace {

// More is taken for a loop without end.
constexpr long awaits_max = 100'000;
constexpr long faults_max = 100'000;

// What PLAIT_SWEEP asks for.
struct request {
  request() {
    char const* const asked = std::getenv("PLAIT_SWEEP");
    if (asked == nullptr) return;
    print = std::string_view(asked) == "print";
    if (!print) only = asked;
  }
  bool wants(std::string const& run) const { return only.empty() || only == run; }
  bool wants_any_of(std::string const& sweep) const {
    return only.empty() || only.starts_with(sweep);
  }

  bool print = false;
  std::string only;
};

// Whoever stops the program during a run names the run.
class run_name {
 public:
  explicit run_name(std::string run) : run_(std::move(run)) {
    if (request().print) {
      std::printf("sweep: %s\n", run_.c_str());
      std::fflush(stdout);
    }
    show();
    previous_ = std::set_terminate(&name_run_and_terminate);
  }
  ~run_name() {
    std::set_terminate(previous_);
    detail::check_context = nullptr;
  }
  run_name(run_name const&) = delete;
  run_name& operator=(run_name const&) = delete;

  void add_await(std::source_location const& await) {
    where_ = " (the await at " + std::string(await.file_name()) + ":" +
             std::to_string(await.line()) + ")";
    show();
  }
  std::string describe(std::string const& what) const {
    return "in run " + run_ + where_ + ": " + what + "\n  repeat it alone with PLAIT_SWEEP='" +
           run_ + "'";
  }

 private:
  void show() {
    shown_ = run_ + where_;
    detail::check_context = shown_.c_str();
  }
  [[noreturn]] static void name_run_and_terminate() {
    std::fprintf(stderr, "plait: the program ends in the sweep's run %s\n",
                 detail::check_context != nullptr ? detail::check_context : "(of another thread)");
    std::fflush(stderr);
    previous_();
    std::abort();
  }

  static inline std::terminate_handler previous_ = nullptr;
  std::string run_;
  std::string where_;
  std::string shown_;
};

struct counts {
  long frames = detail::the_ledger.frames.load(std::memory_order_relaxed);
  long operations = detail::the_ledger.operations.load(std::memory_order_relaxed);
  long bytes = detail::the_ledger.bytes.load(std::memory_order_relaxed);
};

// How a run ended. Nothing here allocates before the run is over.
struct outcome {
  enum class kind { completed, cancelled, injected, no_memory, other };

  kind how = kind::completed;
  std::exception_ptr error;
  long unhandled = 0;  // went to the scheduler's hook
  std::size_t timers = 0;
  std::string left;  // in the world
  int cancelled_scopes = 0;

  run_report report(bool no_memory) const noexcept {
    using end = run_report::end;
    if (how == kind::completed) return {end::completed, no_memory};
    return {how == kind::cancelled ? end::cancelled : end::failed, no_memory};
  }
};

void classify(outcome& o) noexcept {
  o.error = std::current_exception();
  try {
    throw;
  } catch (injected_error const&) {
    o.how = outcome::kind::injected;
  } catch (std::bad_alloc const&) {
    o.how = outcome::kind::no_memory;
  } catch (...) {
    o.how = outcome::kind::other;
  }
}

struct count_unhandled {
  outcome& o;
  void operator()(std::exception_ptr const&) const noexcept { ++o.unhandled; }
};

class manual_world final : public sweep_world {
 public:
  scheduler& sched() override { return manual_.sched(); }
  bool run(std::function<task<bool>()> const& whole) override {
    return run_on(manual_.sched(), whole());
  }
  void pass_time() override { manual_.io().advance(std::chrono::nanoseconds(1)); }
  std::string left() override {
    std::size_t const waits = manual_.io().waits().size();
    return waits == 0 ? "" : std::to_string(waits) + " waits for descriptors left";
  }

 private:
  manual_scheduler manual_;
};

// Runs a task to its end in a world of its own.
template <class MakeTask>
void run_to_end(outcome& o, scenario const& s, MakeTask const& make_task) {
  std::unique_ptr<sweep_world> const world =
      s.world != nullptr ? s.world() : std::make_unique<manual_world>();
  world->sched().on_unhandled = count_unhandled{o};
  auto const whole = [&] { return make_task(*world); };
  try {
    if (!world->run(std::ref(whole))) o.how = outcome::kind::cancelled;
  } catch (...) {
    classify(o);
  }
  o.timers = world->sched().timers().armed();
  o.left = world->left();
  o.cancelled_scopes = world->sched().cancelled_scopes;
}

std::string text_of(std::exception_ptr const& error) {
  try {
    std::rethrow_exception(error);
  } catch (std::exception const& e) {
    return e.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

void add_left(std::string& to, long how_many, char const* what) {
  if (how_many == 0) return;
  if (!to.empty()) to += "; ";
  to += std::to_string(how_many) + " " + what + " left";
}

// Empty, or what does not hold after a run.
std::string judge(outcome const& o, counts const& before, scenario const& s, bool no_memory) {
  counts const after;
  std::string wrong;
  add_left(wrong, after.frames - before.frames, "coroutine frames");
  add_left(wrong, after.bytes - before.bytes, "bytes of frames");
  add_left(wrong, after.operations - before.operations, "operations");
  add_left(wrong, static_cast<long>(o.timers), "timers");
  add_left(wrong, o.cancelled_scopes, "scopes that count as cancelled");
  if (!o.left.empty()) wrong += (wrong.empty() ? "" : "; ") + o.left;
  if (s.check == nullptr) return wrong;
  try {
    s.check(o.report(no_memory));
  } catch (std::exception const& e) {
    wrong += (wrong.empty() ? "" : "; ") + std::string(e.what());
  }
  return wrong;
}

std::string unexpected(outcome const& o) {
  return "another exception came out: " + text_of(o.error);
}

class await_run {
 public:
  await_run(scenario const& s, await_action action, long n, run_name& name)
      : scenario_(s), action_(action), n_(n), name_(name) {}

  long reached() const noexcept { return reached_; }

  // Gives what does not hold.
  std::string make() {
    counts const before;
    outcome o;
    run_to_end(o, scenario_, [&](sweep_world& world) {
      world_ = &world;
      return in_scope();
    });
    std::string const wrong = judge(o, before, scenario_, false);
    return wrong.empty() ? judge_end(o) : wrong;
  }

 private:
  struct late_cancel : remote_call {
    explicit late_cancel(cancel_scope& s) noexcept
        : remote_call([](remote_call& c) noexcept {
            auto& self = static_cast<late_cancel&>(c);
            if (!self.over) self.scope.cancel("the sweep");
          }),
          scope(s) {}
    ~late_cancel() {
      over = true;
      scheduler::current().drain_inbox();  // it may be in there still
    }
    cancel_scope& scope;
    bool over = false;
  };

  task<bool> in_scope() {
    auto const body = [this](cancel_scope& scope) -> task<> {
      late_cancel later(scope);
      checkpoint_watch const watch(world_->sched(), [&](std::source_location const& await) {
        return at_await(await, scope, later);
      });
      co_await scenario_.body();
    };
    bool const completed = co_await with_cancel_scope(std::ref(body));
    co_return completed;
  }

  std::exception_ptr at_await(std::source_location const& await, cancel_scope& scope,
                              late_cancel& later) {
    PLAIT_CHECK(++reached_ < awaits_max,
                "a scenario of a sweep awaits and awaits, and does not end");
    if (reached_ != n_) return nullptr;
    name_.add_await(await);
    switch (action_) {
      case await_action::cancel:
        scope.cancel("the sweep");
        return nullptr;
      case await_action::cancel_suspended:
        world_->sched().post(later);
        return nullptr;
      case await_action::timeout:
        scope.set_deadline(world_->sched().io().now() + std::chrono::nanoseconds(1));
        world_->pass_time();
        return nullptr;
      case await_action::exception:
        return std::make_exception_ptr(injected_error());
      case await_action::bad_alloc:
        return std::make_exception_ptr(std::bad_alloc());
    }
    return nullptr;
  }

  std::string judge_end(outcome const& o) const {
    using kind = outcome::kind;
    if (n_ == 0) {
      if (o.how == kind::completed) return "";
      return o.error != nullptr ? "it fails by itself: " + text_of(o.error)
                                : "it does not complete";
    }
    if (reached_ < n_) {
      return scenario_.same_awaits ? "it does not reach the same awaits each time" : "";
    }
    bool const throws = action_ == await_action::exception || action_ == await_action::bad_alloc;
    if (!throws) {
      bool const fine = o.how == kind::completed || o.how == kind::cancelled;
      return fine ? "" : unexpected(o);
    }
    kind const thrown = action_ == await_action::exception ? kind::injected : kind::no_memory;
    if (o.how == thrown) return "";
    if (o.how == kind::cancelled) return "it was cancelled, and nobody had cancelled it";
    if (o.how != kind::completed) return unexpected(o);
    bool const reached_somebody = o.unhandled != 0 || scenario_.handles_errors;
    return reached_somebody ? "" : "the exception was lost";
  }

  scenario const& scenario_;
  await_action action_;
  long n_;
  run_name& name_;
  sweep_world* world_ = nullptr;
  long reached_ = 0;
};

// Never cancelled from outside.
task<bool> whole_of(scenario const& s) {
  co_await s.body();
  co_return true;
}

void run_whole(outcome& o, scenario const& s) {
  try {
    run_to_end(o, s, [&s](sweep_world&) { return whole_of(s); });
  } catch (...) {  // there was no world
    classify(o);
  }
}

// Gives what does not hold; `happened` where the n-th allocation was asked for.
std::string allocation_run(scenario const& s, allocation_fault::of which, long n, bool& happened) {
  counts const before;
  outcome o;
  {
    allocation_fault const fault(n, which);
    run_whole(o, s);
    happened = fault.happened();
  }
  std::string const wrong = judge(o, before, s, happened);
  if (!wrong.empty()) return wrong;
  using kind = outcome::kind;
  if (o.how == kind::no_memory && happened) return "";
  return o.how == kind::completed ? "" : unexpected(o);
}

std::string fault_run(scenario const& s, std::unique_ptr<sweep_fault> fault, bool& happened) {
  counts const before;
  outcome o;
  run_whole(o, s);
  happened = fault->happened();
  bool const explained = happened && o.error != nullptr && fault->explains(o.error);
  fault.reset();
  std::string const wrong = judge(o, before, s, false);
  if (!wrong.empty() || explained) return wrong;
  if (o.how != outcome::kind::completed) return unexpected(o);
  bool const reached_somebody = !happened || o.unhandled != 0 || s.handles_errors;
  return reached_somebody ? "" : "the failure was lost";
}

// The first, the second, the third ..., until `run` finds that there is none.
template <class Run>
sweep_result sweep_until_none(scenario const& s, std::string_view what, Run const& run) {
  request const asked;
  sweep_result result;
  std::string const sweep = s.name + "/" + std::string(what) + "/";
  if (!asked.wants_any_of(sweep)) return result;
  for (long n = 1; n < faults_max; ++n) {
    std::string const label = sweep + std::to_string(n);
    if (!asked.wants(label)) continue;
    run_name const name(label);
    bool happened = false;
    std::string const wrong = run(n, happened);
    if (!wrong.empty()) {
      result.broken = name.describe(wrong);
      return result;
    }
    result.runs += happened ? 1 : 0;
    if (!happened || !asked.only.empty()) return result;
  }
  result.broken = "scenario " + s.name + " has one " + std::string(what) +
                  " after the other, and does not end";
  return result;
}

}  // namespace

std::string_view name_of(await_action action) noexcept {
  switch (action) {
    case await_action::cancel:
      return "cancel";
    case await_action::cancel_suspended:
      return "cancel_suspended";
    case await_action::timeout:
      return "timeout";
    case await_action::exception:
      return "exception";
    case await_action::bad_alloc:
      return "bad_alloc";
  }
  return "";
}

sweep_result for_each_await(scenario const& s, await_action action) {
  request const asked;
  sweep_result result;
  std::string const sweep = s.name + "/" + std::string(name_of(action)) + "/";
  if (!asked.wants_any_of(sweep)) return result;
  long awaits = 0;
  for (long n = 0; n <= awaits; ++n) {
    std::string const label = sweep + std::to_string(n);
    if (n != 0 && !asked.wants(label)) continue;
    run_name name(label);
    await_run run(s, action, n, name);
    std::string const wrong = run.make();
    if (!wrong.empty()) {
      result.broken = name.describe(wrong);
      return result;
    }
    if (n == 0) awaits = run.reached();
    result.runs += n != 0 ? 1 : 0;
  }
  return result;
}

sweep_result for_each_allocation(scenario const& s) {
  return sweep_until_none(s, "allocation", [&s](long n, bool& happened) {
    return allocation_run(s, allocation_fault::of::everything, n, happened);
  });
}

sweep_result for_each_frame(scenario const& s) {
  return sweep_until_none(s, "frame", [&s](long n, bool& happened) {
    return allocation_run(s, allocation_fault::of::frames, n, happened);
  });
}

sweep_result for_each_fault(scenario const& s, std::string_view name,
                            std::function<std::unique_ptr<sweep_fault>(long n)> const& make) {
  return sweep_until_none(s, name,
                          [&](long n, bool& happened) { return fault_run(s, make(n), happened); });
}

}  // namespace plait::testing
