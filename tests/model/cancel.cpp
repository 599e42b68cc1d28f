// Other threads ask to cancel a scope that its owner is leaving.
#include <plait/detail/cancel_request.hpp>
#include <plait/detail/inbox.hpp>

#include <optional>

#include "model.hpp"

namespace {

struct call {
  using run_fn = void (*)(call&);
  explicit call(run_fn what) : run(what) {}

  model::plain<call*> next = nullptr;
  run_fn run;
};

// What a cancel_scope does for request_cancel.
struct scope : call {
  scope() : call(&arrive) {}

  static void arrive(call& c) {
    auto& asked = static_cast<scope&>(c);
    RL_ASSERT(asked.request.take() != 0);
    ++asked.cancelled;
  }

  plait::detail::cancel_request<model::plain<int>, model::atomics> request;
  int cancelled = 0;
};

using inbox = plait::detail::inbox<call, model::atomics>;

template <int Requesters>
struct scene {
  void ask(int reason) {
    if (scope_->request.make(reason)) {
      RL_ASSERT(made++ < Requesters);
      inbox_.post(*scope_, [] {});
    }
  }

  template <bool Takes>
  void leave() {
    while (Takes && scope_->request.pending()) {
      if (!inbox_.drain()) model::atomics::yield();
    }
    cancelled = scope_->cancelled;
    scope_.reset();
    inbox_.await_senders();
    inbox_.drain();
  }

  void after() const { RL_ASSERT(made > 0 && cancelled == made); }

  inbox inbox_;
  std::optional<scope> scope_{std::in_place};
  int made = 0;  // requests that were posted
  int cancelled = 0;
};

// The owner works on until both have asked, and leaves with what is then in its inbox.
template <bool Takes>
struct asked_before : rl::test_suite<asked_before<Takes>, 3> {
  void thread(unsigned which) {
    if (which != 2) {
      scene_.ask(1 + static_cast<int>(which));
      asked_.fetch_add(1, std::memory_order_release);
      return;
    }
    while (asked_.load(std::memory_order_acquire) != 2) {
      if (!scene_.inbox_.drain()) model::atomics::yield();
    }
    scene_.template leave<Takes>();
  }
  void after() { scene_.after(); }

  scene<2> scene_;
  model::atomic<long> asked_{0};
};

// The owner leaves as soon as it sees the request, whose sender may still be on its way to the
// inbox.
template <bool Takes>
struct asked_meanwhile : rl::test_suite<asked_meanwhile<Takes>, 2> {
  void thread(unsigned which) {
    if (which == 0) return scene_.ask(1);
    while (!scene_.scope_->request.pending()) model::atomics::yield();
    scene_.template leave<Takes>();
  }
  void after() { scene_.after(); }

  scene<1> scene_;
};

using model::step;
using model::weakening;

model::test_case const taken{
    "cancel request: what was asked before the owner leaves takes effect, once for each post",
    [] { return model::holds<asked_before<true>>(); }};

model::test_case const waited_for{
    "cancel request: the owner waits for a sender that is between its two steps",
    [] { return model::holds<asked_meanwhile<true>>(); }};

model::test_case const left_behind{
    "cancel request: the model finds a use after the end when leaving takes no requests",
    [] { return model::fails<asked_before<false>>({rl::test_result_access_to_freed_memory}); }};

model::test_case const not_waited_for{
    "cancel request: the model finds a use after the end when no sender is waited for",
    [] { return model::fails<asked_meanwhile<false>>({rl::test_result_access_to_freed_memory}); }};

model::test_case const weak_take{
    "cancel request: the model finds a race on the reason when taking a request does not release",
    [] {
      return model::fails<asked_before<true>>(
          {rl::test_result_data_race}, weakening::of<bool>(step::store, std::memory_order_relaxed));
    }};

model::test_case const weak_make{
    "cancel request: the model finds a race on the reason when making a request does not acquire",
    [] {
      return model::fails<asked_before<true>>(
          {rl::test_result_data_race},
          weakening::of<bool>(step::exchange, std::memory_order_relaxed));
    }};

}  // namespace
