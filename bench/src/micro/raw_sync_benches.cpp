#include "micro/micro.hpp"
#include "micro/raw_sync.hpp"

namespace plait::lab::micro {

namespace {

using raw::job;
using raw::task;

task<> lock_alone(double& ns) {
  raw::lock mutex;
  long counter = 0;
  stopwatch const watch;
  for (long i = 0; i < lock_count; ++i) {
    co_await raw::lock::acquire(mutex);
    keep(++counter);
    mutex.release();
  }
  ns = watch.per(lock_count);
  require(counter == lock_count, "lock");
}

[[gnu::noinline]] job contender(raw::lock& mutex, long times, long& counter) {
  for (long i = 0; i < times; ++i) {
    co_await raw::lock::acquire(mutex);
    ++counter;
    co_await raw::yield{};
    mutex.release();
  }
}

task<> lock_contended(double& ns) {
  raw::lock mutex;
  long counter = 0;
  std::vector<job> jobs;
  long const each = handover_count / contenders;
  for (long i = 0; i < contenders; ++i) jobs.push_back(contender(mutex, each, counter));
  stopwatch const watch;
  for (job& j : jobs) co_await j;
  ns = watch.per(static_cast<double>(handover_count));
  require(counter == handover_count, "contended lock");
}

[[gnu::noinline]] job producer(raw::channel& to, long items) {
  for (long i = 0; i < items; ++i) co_await raw::channel::send(to, i);
}

[[gnu::noinline]] job consumer(raw::channel& from, long items, long& sum) {
  for (long i = 0; i < items; ++i) sum += co_await raw::channel::receive(from);
}

task<> channel(double& ns, std::size_t capacity) {
  raw::channel items(capacity);
  long sum = 0;
  stopwatch const watch;
  job p = producer(items, item_count);
  job c = consumer(items, item_count, sum);
  co_await p;
  co_await c;
  ns = watch.per(item_count);
  require(sum == item_count * (item_count - 1) / 2, "channel");
}

using raw::measure;

}  // namespace

std::vector<bench> raw_sync_benches() {
  return {{"mutex", measure<lock_alone>},
          {"mutex_1000", measure<lock_contended>},
          {"channel_0", measure<channel, 0ul>},
          {"channel_1024", measure<channel, 1024ul>}};
}

}  // namespace plait::lab::micro
