#include <plait/detail/timer_wheel.hpp>

#include <bit>

namespace plait::detail {
namespace {

void make_empty(timer_link& list) noexcept { list.next = list.previous = &list; }
bool is_empty(timer_link const& list) noexcept { return list.next == &list; }
timer& as_timer(timer_link* link) noexcept { return static_cast<timer&>(*link); }

// Stable merge sort of a singly linked list by deadline; a list that is sorted already costs one
// pass.
timer_link* merge(timer_link* a, timer_link* b) noexcept {
  timer_link head;
  timer_link* last = &head;
  while (a != nullptr && b != nullptr) {
    timer_link*& smaller = as_timer(b).deadline < as_timer(a).deadline ? b : a;
    last->next = smaller;
    last = smaller;
    smaller = smaller->next;
  }
  last->next = a != nullptr ? a : b;
  return head.next;
}

timer_link* sorted(timer_link* list) noexcept {
  timer_link* runs[64] = {};  // runs[i]: 2^i ascending runs merged into one
  while (list != nullptr) {
    timer_link* run = list;
    timer_link* last = list;
    while (last->next != nullptr && as_timer(last->next).deadline >= as_timer(last).deadline) {
      last = last->next;
    }
    list = last->next;
    last->next = nullptr;
    int i = 0;
    for (; runs[i] != nullptr; ++i) {
      run = merge(runs[i], run);
      runs[i] = nullptr;
    }
    runs[i] = run;
  }
  timer_link* all = nullptr;
  for (timer_link* run : runs) {
    if (run != nullptr) all = all == nullptr ? run : merge(run, all);
  }
  return all;
}

}  // namespace

timer_wheel::timer_wheel(time_point now) noexcept : current_tick_(tick_of(now)) {
  make_empty(due_);
  for (auto& level : slots_) {
    for (auto& slot : level) make_empty(slot);
  }
}

std::uint64_t timer_wheel::tick_of(time_point when) noexcept {
  auto const ns = when.time_since_epoch().count();
  return ns <= 0 ? 0 : static_cast<std::uint64_t>(ns) >> tick_shift;
}

void timer_wheel::unlink(timer& t) noexcept {
  t.previous->next = t.next;
  t.next->previous = t.previous;
  t.next = t.previous = nullptr;
}

void timer_wheel::push_back(timer_link& list, timer& t) noexcept {
  t.next = &list;
  t.previous = list.previous;
  list.previous->next = &t;
  list.previous = &t;
}

// From the back: what is armed later is usually due later.
void timer_wheel::insert_due(timer& t) noexcept {
  timer_link* after = due_.previous;
  while (after != &due_ && as_timer(after).deadline > t.deadline) after = after->previous;
  push_back(*after->next, t);
}

void timer_wheel::place(timer& t) noexcept {
  std::uint64_t const tick = tick_of(t.deadline);
  if (tick <= current_tick_) return insert_due(t);
  int const level = (63 - std::countl_zero(tick ^ current_tick_)) / digit_bits;
  int const slot = static_cast<int>(tick >> (level * digit_bits)) & (slots - 1);
  push_back(slots_[level][slot], t);
  occupied_[level] |= std::uint64_t{1} << slot;
}

void timer_wheel::arm(timer& t, time_point deadline) noexcept {
  t.deadline = deadline;
  place(t);
  ++armed_;
  count(&ledger::timers, 1);
}

// Lower levels come first: whatever shares more leading digits with the current tick is due
// earlier.
bool timer_wheel::first_occupied(slot_position& found) noexcept {
  for (int level = 0; level < levels; ++level) {
    while (occupied_[level] != 0) {
      int const slot = std::countr_zero(occupied_[level]);
      if (is_empty(slots_[level][slot])) {
        occupied_[level] &= occupied_[level] - 1;
        continue;
      }
      int const shift = level * digit_bits;
      std::uint64_t const above =
          shift + digit_bits >= 64 ? 0
                                   : current_tick_ >> (shift + digit_bits) << (shift + digit_bits);
      found = {level, slot, above | (static_cast<std::uint64_t>(slot) << shift)};
      return true;
    }
  }
  return false;
}

void timer_wheel::take_slot(slot_position at) noexcept {
  timer_link& list = slots_[at.level][at.slot];
  timer_link* first = list.next;
  list.previous->next = nullptr;
  make_empty(list);
  occupied_[at.level] &= ~(std::uint64_t{1} << at.slot);
  timer_link of_this_tick;
  timer_link* last = &of_this_tick;
  while (first != nullptr) {
    timer& t = as_timer(first);
    first = first->next;
    if (at.level == 0 || tick_of(t.deadline) == current_tick_) {
      last = last->next = &t;
    } else {
      place(t);
    }
  }
  last->next = nullptr;
  // Later than all that is due already. Sorted here, because inserting one by one is quadratic.
  for (timer_link* link = sorted(of_this_tick.next); link != nullptr;) {
    timer& t = as_timer(link);
    link = link->next;
    push_back(due_, t);
  }
}

void timer_wheel::advance(std::uint64_t now_tick) noexcept {
  slot_position at;
  while (first_occupied(at) && at.start_tick <= now_tick) {
    current_tick_ = at.start_tick;
    take_slot(at);
  }
  if (now_tick > current_tick_) current_tick_ = now_tick;
}

std::size_t timer_wheel::fire_due(time_point now, std::size_t most) noexcept {
  advance(tick_of(now));
  std::size_t fired = 0;
  while (fired < most && !is_empty(due_)) {
    timer& t = as_timer(due_.next);
    if (t.deadline > now) break;
    cancel(t);
    ++fired;
    t.fire(t);
  }
  return fired;
}

time_point timer_wheel::next_deadline() noexcept {
  if (!is_empty(due_)) return as_timer(due_.next).deadline;
  slot_position at;
  if (!first_occupied(at)) return no_deadline;
  timer_link const& list = slots_[at.level][at.slot];
  time_point earliest = no_deadline;
  int looked_at = 0;
  for (timer_link* link = list.next; link != &list; link = link->next) {
    if (++looked_at > 8) {
      return time_point(duration(static_cast<std::int64_t>(at.start_tick << tick_shift)));
    }
    if (as_timer(link).deadline < earliest) earliest = as_timer(link).deadline;
  }
  return earliest;
}

}  // namespace plait::detail
