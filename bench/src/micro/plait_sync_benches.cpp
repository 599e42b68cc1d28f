#include <plait/channel/channel.hpp>
#include <plait/sleep.hpp>
#include <plait/sync/mutex.hpp>
#include <plait/task_group.hpp>

#include "micro/micro.hpp"
#include "micro/plait_measure.hpp"

namespace plait::lab::micro {

namespace {

task<double> lock_alone(task_group&) {
  mutex lock;
  long counter = 0;
  stopwatch const watch;
  for (long i = 0; i < lock_count; ++i) {
    auto const held = co_await lock.lock();
    keep(++counter);
  }
  double const ns = watch.per(lock_count);
  require(counter == lock_count, "lock");
  co_return ns;
}

[[gnu::noinline]] task<> contender(mutex& lock, long times, long& counter) {
  for (long i = 0; i < times; ++i) {
    auto const held = co_await lock.lock();
    ++counter;
    co_await yield();
  }
}

task<double> lock_contended(task_group& group) {
  mutex lock;
  long counter = 0;
  for (long i = 0; i < contenders; ++i) {
    group.spawn(contender, std::ref(lock), handover_count / contenders, std::ref(counter));
  }
  stopwatch const watch;
  co_await group.join();
  double const ns = watch.per(static_cast<double>(handover_count));
  require(counter == handover_count, "contended lock");
  co_return ns;
}

[[gnu::noinline]] task<> producer(channel<long>& to, long items) {
  for (long i = 0; i < items; ++i) co_await to.send(i);
}

[[gnu::noinline]] task<> consumer(channel<long>& from, long items, long& sum) {
  for (long i = 0; i < items; ++i) {
    auto const item = co_await from.receive();
    sum += *item;
  }
}

task<double> through_channel(task_group& group, std::size_t capacity) {
  auto items = capacity == 0 ? channel<long>::rendezvous() : channel<long>::bounded(capacity);
  long sum = 0;
  stopwatch const watch;
  group.spawn(producer, std::ref(items), item_count);
  group.spawn(consumer, std::ref(items), item_count, std::ref(sum));
  co_await group.join();
  double const ns = watch.per(item_count);
  require(sum == item_count * (item_count - 1) / 2, "channel");
  co_return ns;
}

}  // namespace

std::vector<bench> plait_sync_benches() {
  return {{"mutex", measure_in_group<lock_alone>},
          {"mutex_1000", measure_in_group<lock_contended>},
          {"channel_0", measure_in_group<through_channel, 0ul>},
          {"channel_1024", measure_in_group<through_channel, 1024ul>}};
}

}  // namespace plait::lab::micro
