// Two threads post to an owner that drains, sleeps and is woken, and that may end its inbox.
#include <plait/detail/inbox.hpp>

#include <optional>

#include "model.hpp"

namespace {

struct call {
  void run(call&) {
    RL_ASSERT(sent == 1);
    ++ran;
  }

  model::plain<call*> next = nullptr;
  model::plain<int> sent = 0;  // what the sender wrote before it posted
  int ran = 0;
};

// Of the owner, and used by those who wake it.
struct driver {
  void park() { place.wait(); }
  void wake() {
    place.wake();
    RL_ASSERT(alive);
    ++woken;
  }

  model::sleeping_place place;
  model::plain<bool> alive = true;
  int woken = 0;
};

using inbox = plait::detail::inbox<call, model::atomics>;

// An owner that looks for calls before it says that it sleeps.
class looks_first {
 public:
  template <class Wake>
  void post(call& c, Wake const& wake) {
    calls_.push(c);
    if (asleep_.take()) wake();
  }
  void drain() {
    for (call* c = calls_.take_all(); c != nullptr; c = c->next) c->run(*c);
  }
  template <class Park>
  void sleep(Park const& park) {
    bool const nothing = calls_.empty();
    asleep_.raise();
    if (nothing) park();
    asleep_.lower();
  }

 private:
  plait::detail::intrusive_stack<call, model::atomics> calls_;
  plait::detail::wake_flag<model::atomics> asleep_;
};

constexpr int senders = 2;

template <class Inbox>
struct posting : rl::test_suite<posting<Inbox>, senders + 1> {
  void thread(unsigned which) {
    if (which == senders) return own();
    calls[which].sent = 1;
    inbox_->post(calls[which], [this] { driver_.wake(); });
  }

  void own() {
    while (calls[0].ran + calls[1].ran != senders) {
      inbox_->drain();
      if (calls[0].ran + calls[1].ran == senders) break;
      ++sleeps;
      inbox_->sleep([this] { driver_.park(); });
    }
  }

  void after() {
    for (call const& c : calls) RL_ASSERT(c.ran == 1);
    RL_ASSERT(driver_.woken <= sleeps);
  }

  call calls[senders];
  driver driver_;
  std::optional<Inbox> inbox_{std::in_place};
  int sleeps = 0;
};

// The last call ends the inbox, as the one that lets a program's main task return.
template <bool Awaits>
struct ending : rl::test_suite<ending<Awaits>, senders + 1> {
  void thread(unsigned which) {
    if (which != senders) return posts.thread(which);
    posts.own();
    if (Awaits) posts.inbox_->await_senders();
    posts.inbox_.reset();
    posts.driver_.alive = false;
  }

  posting<inbox> posts;
};

using model::step;
using model::weakening;

model::test_case const every_call_runs{
    "inbox: no wake-up is lost, each call runs once, and one sleep costs at most one wake-up",
    [] { return model::holds<posting<inbox>>({.preemptions = 3}); }};

model::test_case const looking_first{
    "inbox: the model finds a lost wake-up when the owner looks before it raises its flag",
    [] { return model::fails<posting<looks_first>>({rl::test_result_deadlock}); }};

model::test_case const weak_look{
    "inbox: the model finds a lost wake-up when the owner's look is an acquire", [] {
      return model::fails<posting<inbox>>(
          {rl::test_result_deadlock}, weakening::of<call*>(step::load, std::memory_order_acquire));
    }};

model::test_case const weak_raise{
    "inbox: the model finds a lost wake-up when the owner's flag is raised with a release", [] {
      return model::fails<posting<inbox>>(
          {rl::test_result_deadlock}, weakening::of<bool>(step::store, std::memory_order_release));
    }};

model::test_case const weak_read_of_flag{
    "inbox: the model finds a lost wake-up when the sender reads the flag with an acquire", [] {
      return model::fails<posting<inbox>>(
          {rl::test_result_deadlock}, weakening::of<bool>(step::load, std::memory_order_acquire));
    }};

model::test_case const weak_push{
    "inbox: the model finds a race when a push does not release", [] {
      return model::fails<posting<inbox>>(
          {rl::test_result_data_race},
          weakening::of<call*>(step::compare_exchange, std::memory_order_relaxed));
    }};

model::test_case const weak_drain{
    "inbox: the model finds a race when the owner's taking does not acquire", [] {
      return model::fails<posting<inbox>>(
          {rl::test_result_data_race},
          weakening::of<call*>(step::exchange, std::memory_order_relaxed));
    }};

model::test_case const end_awaits{"inbox: its end waits for a sender that is still inside post",
                                  [] { return model::holds<ending<true>>({.preemptions = 3}); }};

model::test_case const end_at_once{
    "inbox: the model finds a use after the end when the end does not wait for senders", [] {
      return model::fails<ending<false>>({rl::test_result_data_race,
                                          rl::test_result_access_to_freed_memory,
                                          rl::test_result_user_assert_failed});
    }};

model::test_case const weak_count{
    "inbox: the model finds a race with the end when a sender's last step does not release", [] {
      return model::fails<ending<true>>({rl::test_result_data_race},
                                        weakening::of<int>(step::add, std::memory_order_relaxed));
    }};

}  // namespace
