// when_all and when_any: several tasks, operations or join handles at once, in a group of their
// own. They are given one by one; tasks or operations of one type also as a std::vector. See also
// as_completed.hpp.
//
// when_all gives every value; the first failure cancels the others and is rethrown when they have
// ended. when_any ends with the first that completes, cancels the others and waits for them; it
// gives every outcome that completed, so that what a loser had already taken is not lost. A failure
// counts as completing: it is rethrown. Of an empty vector when_all gives an empty one, and when_any throws
// std::invalid_argument.
#pragma once

#include <plait/detail/checkpoint.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace plait {

// What stands for the value of a task that has none.
template <class T>
using value_or_unit_t = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class... Ts>
struct first_of {
  std::size_t index = 0;  // of the first to complete
  std::tuple<std::optional<value_or_unit_t<Ts>>...> values;

  // The value of the first to complete, where all have one type.
  auto& value() {
    using common = std::tuple_element_t<0, decltype(values)>;
    static_assert((std::is_same_v<common, std::optional<value_or_unit_t<Ts>>> && ...),
                  "the values are of several types: look at `index`, and take std::get<I>(values)");
    return std::apply(
        [this](auto&... each) -> auto& {
          common* const in_order[] = {&each...};
          return **in_order[index];
        },
        values);
  }
};

// The same of a vector.
template <class T>
struct first_of_many {
  std::size_t index = 0;  // of the first to complete
  std::vector<std::optional<value_or_unit_t<T>>> values;

  value_or_unit_t<T>& value() { return *values[index]; }
};

namespace detail {

// Awaits an operation without throwing where it is cancelled.
template <class Op>
class unless_cancelled : public operation {
 public:
  explicit unless_cancelled(Op&& op) : op_(std::move(op)) {}
  static constexpr bool ignores_cancel = true;

  bool start(task_state& task) {
    complete_inline(status::done);
    started_ = !sees_cancel(task);
    if (!started_) operation_access::skip(op_);
    return started_ && op_.start(task);
  }
  void finish() noexcept {
    if constexpr (requires { op_.finish(); }) {
      if (started_) op_.finish();
    }
  }
  using value_type = std::decay_t<decltype(std::declval<Op&>().result())>;
  std::optional<value_or_unit_t<value_type>> result() {
    if (!started_) [[unlikely]] throw_if_refused();
    if (op_.state() == status::cancelled) return std::nullopt;
    if constexpr (std::is_void_v<value_type>) {
      op_.result();
      return std::monostate{};
    } else {
      return op_.result();
    }
  }

 private:
  void cancel() noexcept override {}

  Op op_;
  bool started_ = false;
};

// An operation that is cancelled makes a task without a value; the group is cancelled then, or was.
template <class Op>
task<value_or_unit_t<typename unless_cancelled<Op>::value_type>> run_operation(Op op) {
  using value = value_or_unit_t<typename unless_cancelled<Op>::value_type>;
  std::optional<value> got = co_await unless_cancelled<Op>(std::move(op));
  if (got) co_return std::move(*got);
  task_state& self = co_await this_task_state();
  throw_cancelled(self);
}

// Tasks and operations as they are; a handle as the operation that it stands for.
template <class A>
auto as_task_or_operation(A&& awaitable) {
  if constexpr (operation_handle<std::decay_t<A>>) {
    return awaitable.as_operation();
  } else {
    return std::decay_t<A>(std::forward<A>(awaitable));
  }
}

template <class A>
auto as_task(A&& awaitable) {
  if constexpr (is_task<std::decay_t<A>>::value) {
    return std::decay_t<A>(std::forward<A>(awaitable));
  } else {
    using op = decltype(as_task_or_operation(std::forward<A>(awaitable)));
    return run_operation<op>(as_task_or_operation(std::forward<A>(awaitable)));
  }
}

template <class T>
value_or_unit_t<T> taken(join_handle<T>& h) {
  if constexpr (std::is_void_v<T>) {
    h.take();
    return {};
  } else {
    return h.take();
  }
}

template <class... Ts>
std::tuple<join_handle<Ts>...> start_each(task_group& group, std::tuple<task<Ts>...>& tasks) {
  return std::apply(
      [&group](auto&... each) {
        // In braces: evaluated, and so started, from left to right.
        return std::tuple<join_handle<Ts>...>{group.spawn(hand_over<Ts>(), std::move(each))...};
      },
      tasks);
}
template <class T>
std::vector<join_handle<T>> start_each(task_group& group, std::vector<task<T>>& tasks) {
  std::vector<join_handle<T>> handles;
  handles.reserve(tasks.size());
  for (task<T>& each : tasks) handles.push_back(group.spawn(hand_over<T>(), std::move(each)));
  return handles;
}

template <class... Ts>
std::tuple<value_or_unit_t<Ts>...> take_each(std::tuple<join_handle<Ts>...>& handles) {
  return std::apply([](auto&... h) { return std::tuple<value_or_unit_t<Ts>...>(taken(h)...); }, handles);
}
template <class T>
std::vector<T> take_each(std::vector<join_handle<T>>& handles) {
  std::vector<T> values;
  values.reserve(handles.size());
  for (join_handle<T>& h : handles) values.push_back(h.take());
  return values;
}
inline void take_each(std::vector<join_handle<void>>& handles) {
  for (join_handle<void>& h : handles) h.take();
}

template <class Tasks>
using handles_of_t = decltype(start_each(std::declval<task_group&>(), std::declval<Tasks&>()));

// Tasks: a tuple or a vector of them.
template <class Tasks>
task<decltype(take_each(std::declval<handles_of_t<Tasks>&>()))> all_of(Tasks tasks) {
  task_state& self = co_await this_task_state();
  task_group group;
  scope_entry entry(group.scope(), self);
  std::optional<handles_of_t<Tasks>> handles;
  try {
    handles = start_each(group, tasks);
  } catch (...) {  // no memory: those that were started end first
    group.note(std::current_exception());
  }
  co_await group.join();
  bool const absorbs = group.scope().absorbs();
  entry.leave();
  group.settle(self, absorbs);
  co_return take_each(*handles);
}

template <class... Ts>
auto all_of_these(task<Ts>... tasks) {
  return all_of(std::tuple<task<Ts>...>(std::move(tasks)...));
}

template <class A>
auto as_tasks(std::vector<A> awaitables) {
  if constexpr (is_task<A>::value) {
    return awaitables;
  } else {
    std::vector<decltype(as_task(std::declval<A>()))> tasks;
    tasks.reserve(awaitables.size());
    for (A& each : awaitables) tasks.push_back(as_task(std::move(each)));
    return tasks;
  }
}

inline constexpr std::size_t nobody = static_cast<std::size_t>(-1);

struct finish_line {
  explicit finish_line(task_group& g) noexcept : group(g) {}
  void reached_by(std::size_t index) noexcept {
    if (winner != nobody) return;
    winner = index;
    group.cancel("another task finished first");
  }
  task_group& group;
  std::size_t winner = nobody;
};

// What a contender leaves in its slot.
template <class A>
struct contender {
  using value_type = value_or_unit_t<typename unless_cancelled<A>::value_type>;
};
template <class T>
struct contender<task<T>> {
  using value_type = T;
};
template <class A>
using slot_t = std::optional<value_or_unit_t<typename contender<A>::value_type>>;

template <class T>
task<> race_task(finish_line& line, std::size_t index, slot_t<task<T>>& slot, task<T> body) {
  if constexpr (std::is_void_v<T>) {
    co_await std::move(body);
    slot.emplace();
  } else {
    slot.emplace(co_await std::move(body));
  }
  line.reached_by(index);
}

// A loser ends without a throw.
template <awaitable_operation Op>
task<> race_operation(finish_line& line, std::size_t index, slot_t<Op>& slot, Op op) {
  slot = co_await unless_cancelled<Op>(std::move(op));
  if (slot) {
    line.reached_by(index);
  } else {
    line.group.note_cancelled();
  }
}

template <class T>
void start_race(finish_line& line, std::size_t index, slot_t<task<T>>& slot, task<T>& body) {
  line.group.spawn(race_task<T>, std::ref(line), index, std::ref(slot), std::move(body));
}
template <awaitable_operation Op>
void start_race(finish_line& line, std::size_t index, slot_t<Op>& slot, Op& op) {
  line.group.spawn(race_operation<Op>, std::ref(line), index, std::ref(slot), std::move(op));
}

template <class... Slots, class... As>
void start_races(finish_line& line, std::tuple<Slots...>& slots, std::tuple<As...>& contenders) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (start_race(line, I, std::get<I>(slots), std::get<I>(contenders)), ...);
  }(std::index_sequence_for<As...>());
}
template <class Slot, class A>
void start_races(finish_line& line, std::vector<Slot>& slots, std::vector<A>& contenders) {
  if (contenders.empty()) throw std::invalid_argument("when_any: there is nothing to wait for");
  slots.resize(contenders.size());
  for (std::size_t i = 0; i < contenders.size(); ++i) start_race(line, i, slots[i], contenders[i]);
}

// Contenders: a tuple or a vector of tasks and operations, for whose values Outcome has slots.
template <class Outcome, class Contenders>
task<Outcome> any_of(Contenders contenders) {
  task_state& self = co_await this_task_state();
  Outcome outcome;
  task_group group;
  finish_line line(group);
  scope_entry entry(group.scope(), self);
  try {
    start_races(line, outcome.values, contenders);
  } catch (...) {  // no contender, or no memory: those that were started end first
    group.note(std::current_exception());
  }
  co_await group.join();
  bool const absorbs = group.scope().absorbs();
  entry.leave();
  group.settle(self, absorbs && line.winner != nobody);
  outcome.index = line.winner;
  co_return outcome;
}

template <class... As>
auto any_of_these(As... awaitables) {
  return any_of<first_of<typename contender<As>::value_type...>>(std::tuple<As...>(std::move(awaitables)...));
}

}  // namespace detail

template <class... As>
auto when_all(As&&... awaitables) {
  return detail::all_of_these(detail::as_task(std::forward<As>(awaitables))...);
}

template <class... As>
  requires(sizeof...(As) > 0)
auto when_any(As&&... awaitables) {
  return detail::any_of_these(detail::as_task_or_operation(std::forward<As>(awaitables))...);
}

// Gives a std::vector of the values, in the order of the tasks; nothing where they have none.
template <class A>
  requires(!detail::operation_handle<A>)
auto when_all(std::vector<A> awaitables) {
  return detail::all_of(detail::as_tasks(std::move(awaitables)));
}

template <class A>
  requires(!detail::operation_handle<A>)
auto when_any(std::vector<A> awaitables) {
  return detail::any_of<first_of_many<typename detail::contender<A>::value_type>>(std::move(awaitables));
}

}  // namespace plait
