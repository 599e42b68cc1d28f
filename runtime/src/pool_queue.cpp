// Which job goes to which worker, and what becomes of it.
#include "pool_state.hpp"

#include <algorithm>
#include <cstring>

namespace plait::detail {

bool process_pool_state::submit(process_operation& op, task_state& task) {
  PLAIT_ASSERT(&scheduler::current() == &home_, "a process_pool belongs to the scheduler it was made on");
  if (broken_ != nullptr || closed_) {
    op.take_error(broken_ != nullptr ? broken_ : std::make_exception_ptr(process_pool_closed()));
    op.complete_inline(operation::status::done);
    return false;
  }
  ensure_started();
  op.number_ = next_job_++;
  op.begin(task);
  enqueue_back(op);
  pump();
  return true;
}

void process_pool_state::cancel(process_operation& op) noexcept {
  if (op.worker_ < 0) {
    unlink(op);
    give_cancelled(op);
    return look_for_end();
  }
  pool_worker& w = *workers_[static_cast<std::size_t>(op.worker_)];
  std::size_t const slot = op.slot_;
  if (take_back(w, slot)) {
    give_cancelled(op);
    pump();
    return look_for_end();
  }
  op.cancel_asked_ = true;
  if (options_.on_cancel == cancel_policy::kill) kill(w);
}

void process_pool_state::enqueue_back(process_operation& op) noexcept {
  op.next_ = nullptr;
  op.previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &op;
  last_ = &op;
  op.worker_ = -1;
  ++queued_;
}

void process_pool_state::enqueue_front(process_operation& op) noexcept {
  op.previous_ = nullptr;
  op.next_ = first_;
  (first_ != nullptr ? first_->previous_ : last_) = &op;
  first_ = &op;
  op.worker_ = -1;
  ++queued_;
}

void process_pool_state::unlink(process_operation& op) noexcept {
  (op.previous_ != nullptr ? op.previous_->next_ : first_) = op.next_;
  (op.next_ != nullptr ? op.next_->previous_ : last_) = op.previous_;
  op.next_ = op.previous_ = nullptr;
  --queued_;
}

void process_pool_state::pump() {
  while (first_ != nullptr) {
    pool_worker* const w = least_loaded();
    if (w == nullptr) return;
    process_operation& op = *first_;
    unlink(op);
    assign(*w, op);
  }
  recall();
}

pool_worker* process_pool_state::least_loaded() noexcept {
  pool_worker* found = nullptr;
  for (auto const& w : workers_) {
    if (!w->is_ready() || w->end_expected || w->load >= options_.window) continue;
    if (w->used == w->flights.size()) continue;  // full of what it is yet to skip
    if (found == nullptr || w->load < found->load) found = w.get();
    if (found->load == 0) break;
  }
  return found;
}

void process_pool_state::assign(pool_worker& w, process_operation& op) {
  std::size_t slot = 0;
  while (w.flights[slot].job != 0) ++slot;
  flight& f = w.flights[slot];
  f.job = op.number_;
  f.op = &op;
  f.message = std::move(op.message_);
  frame_header const header{.length = static_cast<std::uint32_t>(f.message.size() - sizeof(frame_header)),
                            .kind = frame_kind::job,
                            .slot = static_cast<std::uint16_t>(slot),
                            .job = f.job,
                            .function = op.function_->key()};
  std::memcpy(f.message.data(), &header, sizeof header);
  op.worker_ = w.index;
  op.slot_ = slot;
  w.page->slot[slot].store(slot_word(f.job, slot_state::queued));
  w.unsent.push_back(slot);
  ++w.load;
  ++w.used;
  w.to_send.set();
}

// Nothing queues, and a worker has nothing to do while another has more than it works on: the waiting
// job changes over, or it would wait behind a long one.
void process_pool_state::recall() {
  for (;;) {
    pool_worker* const idle = least_loaded();
    if (idle == nullptr || idle->load != 0) return;
    pool_worker* busiest = nullptr;
    for (auto const& w : workers_) {
      if (w->load >= 2 && (busiest == nullptr || w->load > busiest->load)) busiest = w.get();
    }
    if (busiest == nullptr) return;
    std::size_t latest = busiest->flights.size();
    for (std::size_t i = 0; i < busiest->flights.size(); ++i) {
      flight const& f = busiest->flights[i];
      if (f.op == nullptr || f.op->cancel_asked_) continue;
      if (latest == busiest->flights.size() || f.job > busiest->flights[latest].job) latest = i;
    }
    if (latest == busiest->flights.size()) return;
    bool const partly_sent =
        !busiest->unsent.empty() && busiest->unsent.front() == latest && busiest->sent_of_first != 0;
    process_operation* const op = busiest->flights[latest].op;
    if (partly_sent || !take_back(*busiest, latest)) return;
    assign(*idle, *op);
  }
}

// True: the job has not begun and will not on this worker; its operation has its message back unless
// some of it is still to be sent, and is the caller's.
bool process_pool_state::take_back(pool_worker& w, std::size_t slot) noexcept {
  flight& f = w.flights[slot];
  process_operation& op = *f.op;
  auto const at = std::find(w.unsent.begin(), w.unsent.end(), slot);
  bool const partly_sent = at == w.unsent.begin() && at != w.unsent.end() && w.sent_of_first != 0;
  if (at != w.unsent.end() && !partly_sent) {
    op.message_ = std::move(f.message);
    w.unsent.erase(at);
    free_flight(w, slot);
    return true;
  }
  if (!w.page->move(slot, f.job, slot_state::queued, slot_state::cancelled)) return false;
  if (!partly_sent) op.message_ = std::move(f.message);
  f.op = nullptr;
  --w.load;
  return true;
}

// The slot may be used again.
void process_pool_state::free_flight(pool_worker& w, std::size_t slot) noexcept {
  flight& f = w.flights[slot];
  if (f.op != nullptr) --w.load;
  if (f.job != 0) --w.used;
  f.op = nullptr;
  f.job = 0;
  f.message = byte_buffer();
}

process_operation* process_pool_state::detach(pool_worker& w, std::size_t slot) noexcept {
  process_operation* const op = w.flights[slot].op;
  free_flight(w, slot);
  return op;
}

void process_pool_state::give_value(process_operation& op, std::span<std::byte const> payload) noexcept {
  try {
    decoder from(payload);
    op.take_value(from);
  } catch (...) {
    op.take_error(std::current_exception());
  }
  op.complete(operation::status::done);
}

void process_pool_state::give_error(process_operation& op, std::exception_ptr error) noexcept {
  op.take_error(std::move(error));
  op.complete(operation::status::done);
}

void process_pool_state::give_cancelled(process_operation& op) noexcept {
  op.complete(operation::status::cancelled);
}

void process_pool_state::fail_everything(std::exception_ptr error) noexcept {
  while (process_operation* const op = first_) {
    unlink(*op);
    give_error(*op, error);
  }
  for (auto const& w : workers_) {
    for (flight& f : w->flights) {
      if (f.op == nullptr) continue;
      process_operation& op = *f.op;
      f.op = nullptr;  // its answer, if one comes, is nobody's
      --w->load;
      if (op.cancel_asked_) {
        give_cancelled(op);
      } else {
        give_error(op, error);
      }
    }
  }
}

// A closed pool whose last job has ended lets its workers go: they end when their socket does.
void process_pool_state::look_for_end() noexcept {
  if (!closed_ || first_ != nullptr) return;
  for (auto const& w : workers_) {
    if (w->load != 0) return;
  }
  for (auto const& w : workers_) {
    if (!w->socket || w->end_expected) continue;
    w->end_expected = true;
    sys_.shutdown(w->socket.get(), SHUT_WR);
  }
  for (auto const& w : workers_) w->news.set();
}

}  // namespace plait::detail
