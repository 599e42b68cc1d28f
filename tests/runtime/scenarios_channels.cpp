// Channels: whatever goes wrong, an item whose send has returned is received once or is still
// there, and each receiver gets each sender's items in their order. Their kin: a queue, a oneshot, a
// watch, a broadcast.
#include "scenarios.hpp"

#include "support/operations.hpp"

#include <plait/channel/broadcast.hpp>
#include <plait/channel/channel.hpp>
#include <plait/channel/oneshot.hpp>
#include <plait/channel/queue.hpp>
#include <plait/channel/watch.hpp>
#include <plait/mt/channel.hpp>
#include <plait/select.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>

#include <array>
#include <utility>

using namespace std::chrono_literals;
using plait::testing::run_report;
using plait::testing::scenario;

namespace plait::test {
namespace {

constexpr int senders = 3;
constexpr int items_each = 3;

// What has gone in and out in one run. Items are numbered sender * 10 + 1, 2, 3.
struct traffic {
  std::array<int, senders * 10> sent{};
  std::array<int, senders * 10> received{};
  bool in_order = true;
} seen;

using last_seen = std::array<int, senders>;  // of a receiver's

void note_sent(int item) { ++seen.sent[static_cast<std::size_t>(item)]; }
void note_received(int item, last_seen& last) {
  ++seen.received[static_cast<std::size_t>(item)];
  int& before = last[static_cast<std::size_t>(item / 10)];
  if (before >= item) seen.in_order = false;
  before = item;
}

void nothing_is_lost(run_report const&) {
  traffic const run = std::exchange(seen, traffic());
  require(run.in_order, "items came out of order");
  require(run.sent == run.received, "an item was lost, or received twice");
}

// Takes out what is left in the end.
template <class From>
class rest {
 public:
  explicit rest(From& from) : from_(from) {}
  rest(rest const&) = delete;
  rest& operator=(rest const&) = delete;
  ~rest() {
    last_seen last{};
    for (auto item = from_.try_receive(); item; item = from_.try_receive()) {
      note_received(item->value(), last);
    }
  }

 private:
  From& from_;
};

template <class To>
task<> produce(To& to, int sender) {
  for (int i = 1; i <= items_each; ++i) {
    co_await to.send(counted(sender * 10 + i));
    note_sent(sender * 10 + i);
  }
}

template <class From>
task<> consume(From& from) {
  last_seen last{};
  for (auto item = co_await from.receive(); item; item = co_await from.receive()) {
    note_received(item->value(), last);
  }
}

template <class Channel>
task<> produce_and_close(Channel& to) {
  co_await with_task_group(
      [](task_group& g, Channel* into) -> task<> {
        for (int sender = 0; sender < senders; ++sender)
          g.spawn(produce<Channel>, std::ref(*into), sender);
        co_await g.join();
      },
      &to);
  to.close();
}

template <class Channel>
task<> pass_items(Channel& items) {
  rest<Channel> const left(items);
  co_await with_task_group(
      [](task_group& g, Channel* through) -> task<> {
        g.spawn(consume<Channel>, std::ref(*through));
        g.spawn(consume<Channel>, std::ref(*through));
        co_await produce_and_close(*through);
        co_await g.join();
      },
      &items);
}

task<> through_a_small_buffer() {
  auto items = channel<counted>::bounded(2);
  co_await pass_items(items);
}
task<> from_hand_to_hand() {
  auto items = channel<counted>::rendezvous();
  co_await pass_items(items);
}
task<> through_an_unbounded_one() {
  auto items = channel<counted>::unbounded();
  co_await pass_items(items);
}

// From two channels at once, and now and then after a while.
task<> choose_receives(channel<counted>& a, channel<counted>& b) {
  last_seen last{};
  for (int open = 2; open > 0;) {
    auto const got = co_await select(a.receive(), sleep_for(1ms), b.receive());
    if (got.index() == 1) continue;
    auto const& item = got.index() == 0 ? std::get<0>(got) : std::get<2>(got);
    if (item) {
      note_received(item->value(), last);
    } else {
      --open;
      if (a.closed() && b.closed()) break;
    }
  }
}

task<> choose_sends(channel<counted>& a, channel<counted>& b) {
  for (int i = 1; i <= items_each; ++i) {
    counted item(i);
    auto const sent = co_await select(a.send_from(item), b.send_from(item));
    require(sent.index() < 2 && item.value() == -1, "the item was not taken");
    note_sent(i);
    co_await yield();
  }
  a.close();
  b.close();
}

task<> through_either_of_two(std::size_t capacity) {
  auto a = channel<counted>::bounded(capacity);
  auto b = channel<counted>::bounded(capacity);
  rest<channel<counted>> const left_in_a(a);
  rest<channel<counted>> const left_in_b(b);
  co_await with_task_group(
      [](task_group& g, channel<counted>* first, channel<counted>* second) -> task<> {
        g.spawn(choose_receives, std::ref(*first), std::ref(*second));
        co_await choose_sends(*first, *second);
        co_await g.join();
      },
      &a, &b);
}

task<> answer_in_a_while(oneshot<counted>::sender to) {
  co_await nap(1);
  require(to.send(counted(1)), "nobody wants the answer");
}

task<> one_answer() {
  oneshot<counted> answer;
  co_await with_task_group(
      [](task_group& g, oneshot<counted>* from) -> task<> {
        g.spawn(answer_in_a_while, from->make_sender());
        co_await g.join();
      },
      &answer);
  counted const got = co_await answer.receive();
  require(got.value() == 1, "another answer was received");
}

task<> follow(watch<int>::receiver level, int last) {
  auto const reached = [last](int now) { return now == last; };
  bool const was_seen = co_await level.wait_for(reached);
  require(was_seen, "the last value was not seen");
}

task<> follow_a_level() {
  watch<int> level(0);
  co_await with_task_group(
      [](task_group& g, watch<int>* of) -> task<> {
        g.spawn(follow, of->subscribe(), 3);
        g.spawn(follow, of->subscribe(), 2);
        for (int now = 1; now <= 3; ++now) {
          co_await nap(1);
          of->send(now);
          if (now == 2) co_await yield();
        }
        co_await g.join();
      },
      &level);
}

task<> through_one_for_threads() {
  mt::channel<counted> items(2);
  co_await pass_items(items);
}

task<> work_off(queue<counted>& jobs, int& done) {
  auto const count = [&done](counted) -> task<> {
    co_await yield();
    ++done;
  };
  co_await jobs.for_each(count);
}

task<> work_until_all_is_done() {
  queue<counted> jobs;
  int done = 0;
  auto const worked = [&](task_group& g) -> task<> {
    g.spawn(work_off, std::ref(jobs), std::ref(done));
    g.spawn(work_off, std::ref(jobs), std::ref(done));
    for (int i = 0; i < items_each; ++i) co_await jobs.put(counted(i));
    co_await jobs.join();
    require(done == items_each, "join came too early");
    jobs.close();
    co_await g.join();
  };
  co_await with_task_group(worked);
}

task<> hear_all(broadcast<counted>::receiver news) {
  int last = 0;
  for (auto got = co_await news.receive(); got; got = co_await news.receive()) {
    require(got->item.value() == last + 1 + static_cast<int>(got->missed), "an item was lost in silence");
    last = got->item.value();
    co_await yield();
  }
  require(last == items_each, "the last item was lost");
}

task<> tell_all() {
  broadcast<counted> news(2);
  co_await with_task_group(
      [](task_group& g, broadcast<counted>* of) -> task<> {
        g.spawn(hear_all, of->subscribe());
        g.spawn(hear_all, of->subscribe());
        for (int i = 1; i <= items_each; ++i) {
          of->send(counted(i));
          co_await yield();
        }
        of->close();
        co_await g.join();
      },
      &news);
}

}  // namespace

void add_channel_scenarios(std::vector<scenario>& to) {
  to.push_back({.name = "a channel with a small buffer",
                .body = through_a_small_buffer,
                .check = nothing_is_lost});
  to.push_back(
      {.name = "a channel from hand to hand", .body = from_hand_to_hand, .check = nothing_is_lost});
  to.push_back(
      {.name = "an unbounded channel", .body = through_an_unbounded_one, .check = nothing_is_lost});
  to.push_back({.name = "a select over rendezvous channels",
                .body = [] { return through_either_of_two(0); },
                .check = nothing_is_lost});
  to.push_back(
      {.name = "a channel for threads", .body = through_one_for_threads, .check = nothing_is_lost});
  to.push_back({.name = "a queue whose work is done", .body = work_until_all_is_done});
  to.push_back({.name = "one answer", .body = one_answer});
  to.push_back({.name = "a level that two tasks follow", .body = follow_a_level});
  to.push_back({.name = "news for two tasks", .body = tell_all});
}

}  // namespace plait::test
