// Producers and consumers and one queue between them: tasks and plain threads alike. The queue has room for
// three orders, so who puts has to wait for who gets. join() waits until task_done() was called for each
// order that was put; then close() lets the consumers end.
#include <plait/plait.hpp>

#include <atomic>
#include <cstdio>
#include <functional>
#include <mutex>
#include <set>
#include <string>

using plait::queue;
using plait::task;
using plait::task_group;

struct kitchen {
  queue<std::string> orders{3, "orders"};
  std::mutex lock;
  std::set<std::string> served;  // in the order of the alphabet, whoever was first
  std::atomic<int> by_tasks = 0;
  std::atomic<int> by_threads = 0;

  void serve(std::string const& order) {
    std::lock_guard const guard(lock);
    served.insert(order);
  }
};

static task<> order_some(kitchen& k, std::string what) {
  for (int i = 1; i <= 4; ++i) co_await k.orders.put(what + " " + std::to_string(i));
}

static task<> cook(kitchen& k) {
  for (auto order = co_await k.orders.get(); order; order = co_await k.orders.get()) {
    k.serve(*order);
    ++k.by_tasks;
    k.orders.task_done();
  }
}

static void order_some_from_a_thread(kitchen& k) {
  for (int i = 1; i <= 4; ++i) k.orders.blocking_put("tea " + std::to_string(i));
}

static void cook_on_a_thread(kitchen& k) {
  for (auto order = k.orders.blocking_get(); order; order = k.orders.blocking_get()) {
    k.serve(*order);
    ++k.by_threads;
    k.orders.task_done();
  }
}

static task<> on_a_thread(plait::thread_pool& threads, void (*what)(kitchen&), kitchen& k) {
  co_await threads.run(what, std::ref(k));
}

static task<> program() {
  kitchen k;
  plait::thread_pool threads({.threads = 2});
  co_await plait::with_task_group([&](task_group& group) -> task<> {
    group.spawn(cook, std::ref(k));
    group.spawn(on_a_thread, std::ref(threads), cook_on_a_thread, std::ref(k));
    co_await plait::when_all(order_some(k, "soup"), order_some(k, "cake"),
                             on_a_thread(threads, order_some_from_a_thread, k));
    co_await k.orders.join();  // everything that was ordered is served
    std::printf("%zu orders served, %zu left\n", k.served.size(), k.orders.unfinished());
    k.orders.close();
    co_await group.join();
  });
  std::printf("by tasks and threads together: %d\n", k.by_tasks + k.by_threads);
  for (auto const& order : k.served) std::printf("%s\n", order.c_str());
}

int main(int argc, char** argv) { return plait::run(argc, argv, program); }
