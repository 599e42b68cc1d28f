// Checks lock-free parts with relacy (D. Vyukov): runs a model's threads in every order that few
// preemptions allow, and lets each load see every value that its memory order permits.
//
// A model is an rl::test_suite over the real templates of the runtime, with `model::atomics` in the
// place of std::atomic and `model::plain` for what the atomics publish: reading that unordered is a
// race. Each case also says how a broken variant fails, so that no model is one that finds nothing.
#pragma once

#include <atomic>
#include <initializer_list>
#include <iostream>
#include <mutex>
#include <source_location>

// relacy defines memory orders, new, sem_post and more as macros: include this after all else. What
// the models' own text would trip over goes.
#include <relacy/relacy.hpp>
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef errno

namespace model {

inline rl::debug_info at(std::source_location const& line) {
  return rl::debug_info(line.function_name(), line.file_name(), static_cast<int>(line.line()));
}

enum class step { load, store, exchange, compare_exchange, add };

// A memory order made weaker than the source says, in the operations of one kind on atomics of one
// type.
struct weakening {
  template <class T>
  static weakening of(step what, std::memory_order to) {
    return {&tag<T>, what, to};
  }
  template <class T>
  std::memory_order apply(step done, std::memory_order order) const {
    return &tag<T> == type && done == what && order != std::memory_order_relaxed ? to : order;
  }

  template <class T>
  static constexpr char tag = 0;
  void const* type = nullptr;  // null: as the source says
  step what = step::load;
  std::memory_order to = std::memory_order_seq_cst;
};

inline weakening weakened;

// The interface of std::atomic over relacy's.
template <class T>
class atomic {
  using line = std::source_location;

 public:
  atomic(T value, line from = line::current()) { of_.store(value, rl::mo_relaxed, at(from)); }

  T load(std::memory_order order, line from = line::current()) const {
    return of_.load(in_relacy(step::load, order), at(from));
  }
  void store(T value, std::memory_order order, line from = line::current()) {
    of_.store(value, in_relacy(step::store, order), at(from));
  }
  T exchange(T value, std::memory_order order, line from = line::current()) {
    return of_.exchange(value, in_relacy(step::exchange, order), at(from));
  }
  template <class Number>
  T fetch_add(Number value, std::memory_order order, line from = line::current()) {
    return of_.fetch_add(static_cast<T>(value), in_relacy(step::add, order), at(from));
  }
  template <class Number>
  T fetch_sub(Number value, std::memory_order order, line from = line::current()) {
    return of_.fetch_sub(static_cast<T>(value), in_relacy(step::add, order), at(from));
  }
  bool compare_exchange_weak(T& expected, T value, std::memory_order order,
                             line from = line::current()) {
    return of_.compare_exchange_weak(expected, value, in_relacy(step::compare_exchange, order),
                                     at(from));
  }
  bool compare_exchange_weak(T& expected, T value, std::memory_order order,
                             std::memory_order failed, line from = line::current()) {
    return of_.compare_exchange_weak(expected, value, in_relacy(step::compare_exchange, order),
                                     at(from), in_relacy(step::load, failed), at(from));
  }

 private:
  static rl::memory_order in_relacy(step what, std::memory_order order) {
    switch (weakened.apply<T>(what, order)) {
      case std::memory_order_relaxed:
        return rl::mo_relaxed;
      case std::memory_order_consume:
        return rl::mo_consume;
      case std::memory_order_acquire:
        return rl::mo_acquire;
      case std::memory_order_release:
        return rl::mo_release;
      case std::memory_order_acq_rel:
        return rl::mo_acq_rel;
      case std::memory_order_seq_cst:
        return rl::mo_seq_cst;
    }
    return rl::mo_seq_cst;
  }

  rl::atomic<T> of_;
};

struct atomics {
  template <class T>
  using atomic = model::atomic<T>;
  static void yield(std::source_location from = std::source_location::current()) {
    rl::yield(1, at(from));
  }
};

// Memory without synchronisation of its own: two accesses that nothing orders, one of them a write,
// are a data race.
template <class T>
class plain {
  using line = std::source_location;

 public:
  plain(T value = T(), line from = line::current()) : of_(value), from_(from) {}
  plain(plain const& other) : of_(static_cast<T>(other)), from_(other.from_) {}
  operator T() const { return of_(at(from_)).load(); }
  plain& operator=(T value) {
    of_(at(from_)).store(value);
    return *this;
  }
  plain& operator=(plain const& other) { return *this = static_cast<T>(other); }

 private:
  rl::var<T> of_;
  line from_;  // where it was made: conversions cannot know where they stand
};

class mutex {
  using line = std::source_location;

 public:
  void lock(line from = line::current()) { of_.lock(at(from)); }
  void unlock(line from = line::current()) { of_.unlock(at(from)); }

 private:
  friend class condition_variable;
  rl::mutex of_;
};

class condition_variable {
  using line = std::source_location;

 public:
  template <class Condition>
  void wait(std::unique_lock<mutex>& held, Condition const& condition,
            line from = line::current()) {
    while (!condition()) of_.wait(held.mutex()->of_, at(from));
  }
  void notify_one(line from = line::current()) { of_.notify_one(at(from)); }
  void notify_all(line from = line::current()) { of_.notify_all(at(from)); }

 private:
  rl::condition_variable of_;
};

// What a thread blocks in until it is woken; several wake-ups before that are one, as of an
// eventfd.
class sleeping_place {
 public:
  void wait() {
    std::unique_lock guard(mutex_);
    condition_.wait(guard, [this] { return woken_; });
    woken_ = false;
  }
  void wake() {
    std::unique_lock const guard(mutex_);
    woken_ = true;
    condition_.notify_one();
  }

 private:
  mutex mutex_;
  condition_variable condition_;
  bool woken_ = false;
};

// The cases, each found by its name.
class test_case {
 public:
  using body = bool (*)();
  test_case(char const* name, body run);
  static int main(int argc, char** argv);

 private:
  static inline test_case* first_ = nullptr;
  char const* name_;
  body run_;
  test_case* next_;
};

struct search {
  unsigned preemptions = 2;
  unsigned random = 20000;  // executions in random order, where a load may see still older values
};

// Bounded: every order of steps and every value loaded, with so many preemptions at most. `out`
// must not allocate: relacy replaces operator new, but not everywhere operator delete.
template <class Model>
rl::test_params run_once(bool bounded, search const& how, std::ostream& out) {
  rl::test_params params;
  params.search_type = bounded ? rl::sched_bound : rl::sched_random;
  params.context_bound = how.preemptions;
  params.iteration_count = bounded ? ~0u : how.random;
  params.output_stream = &out;
  params.progress_stream = &out;
  rl::simulate<Model>(params);
  return params;
}

// Both searches find nothing.
template <class Model>
bool holds(search const& how = {}) {
  weakened = {};
  for (bool const bounded : {true, false}) {
    std::ostream nowhere(nullptr);
    rl::test_params const done = run_once<Model>(bounded, how, nowhere);
    if (done.test_result != rl::test_result_success) {
      run_once<Model>(bounded, how, std::cout);  // the same again
      return false;
    }
    std::cout << done.stop_iteration << " executions, ";
    if (bounded) {
      std::cout << "all that have at most " << how.preemptions << " preemptions" << std::endl;
    } else {
      std::cout << "in random order" << std::endl;
    }
  }
  return true;
}

// One of the searches finds one of these.
template <class Model>
bool fails(std::initializer_list<rl::test_result_e> expected, weakening how_weak = {},
           search const& how = {}) {
  weakened = how_weak;
  for (bool const bounded : {true, false}) {
    std::ostream nowhere(nullptr);
    rl::test_params const done = run_once<Model>(bounded, how, nowhere);
    if (done.test_result == rl::test_result_success) continue;
    std::cout << "found after " << done.stop_iteration
              << " executions: " << rl::test_result_str(done.test_result) << std::endl;
    for (rl::test_result_e const e : expected) {
      if (done.test_result == e) return true;
    }
    run_once<Model>(bounded, how, std::cout);
    return false;
  }
  std::cout << "nothing found" << std::endl;
  return false;
}

}  // namespace model
