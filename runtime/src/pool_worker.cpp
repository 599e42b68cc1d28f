// The life of one worker's process, from the program's side.
#include "pool_state.hpp"

#include "pool_errors.hpp"

#include <plait/cancel.hpp>
#include <plait/driver.hpp>
#include <plait/sleep.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <system_error>

namespace plait::detail {

namespace {

constexpr std::size_t read_batch_bytes = 64 * 1024;
constexpr std::size_t kept_bytes_max = 1024 * 1024;

[[noreturn]] void fail(int negative_errno, char const* what) {
  throw std::system_error(-negative_errno, std::generic_category(), what);
}

}  // namespace

task<> process_pool_state::bring_up(shared pool, pool_worker& w) {
  system_calls& sys = pool->sys_;
  std::array<int, 2> ends{};
  if (int const e = sys.socketpair(SOCK_STREAM, ends); e < 0) {
    fail(e, "process_pool: no socket for a worker; raise the limit of descriptors (ulimit -n)");
  }
  pool_descriptor ours(sys, ends[0]);
  pool_descriptor theirs(sys, ends[1]);
  int const page_fd = sys.create_sealed_memory("plait:pool", sizeof(control_page));
  if (page_fd < 0) fail(page_fd, "process_pool: no shared memory for a worker");
  pool_descriptor const page(sys, page_fd);
  void* at = nullptr;
  if (int const e = sys.map_memory(page_fd, sizeof(control_page), at); e < 0) {
    fail(e, "process_pool: no shared memory for a worker");
  }
  w.page = static_cast<control_page*>(at);
  w.socket = std::move(ours);
  w.number = pool->next_number_++;
  w.now = pool_worker::stage::starting;
  w.fork_answer = 0;
  w.end_expected = false;
  w.talks_nonsense = false;
  w.end = process_end();
  co_await ask_for_fork(pool, w, theirs.get(), page_fd);
}

// Ends when the process has.
task<> process_pool_state::serve(task_group& group, shared pool, pool_worker& w) {
  group.spawn(&process_pool_state::read, pool, std::ref(w));
  group.spawn(&process_pool_state::write, pool, std::ref(w));
  group.spawn(
      [](shared p, pool_worker& mine) -> task<> {
        co_await sleep_for(p->options_.start_limit);
        if (mine.is_ready()) co_return;
        mine.last_cause = "it was not ready in time";
        p->give_up(mine);
      },
      pool, std::ref(w));
  co_await fd_wait(w.pidfd.get(), POLLIN);
  group.cancel("the worker has ended");
}

task<> process_pool_state::read(shared pool, pool_worker& w) {
  for (;;) {
    bool const open = pool->drain(w, false);
    if (!open) break;
    co_await fd_wait(w.socket.get(), POLLIN);
  }
  // A worker without its socket is of no use, though it may live on: a job can close anything.
  pool->give_up(w);
}

// Reads what is there and serves whole frames. False: nothing more will come. A short read says that
// the socket is empty for now, unless the last bytes are looked for.
bool process_pool_state::drain(pool_worker& w, bool to_the_end) {
  while (!w.talks_nonsense) {
    std::size_t wanted = read_batch_bytes;
    if (w.in.size() >= sizeof(frame_header)) {  // the rest of a large frame, in one piece
      frame_header header;
      std::memcpy(&header, w.in.data(), sizeof header);
      wanted = std::max(wanted, sizeof header + header.length - w.in.size());
    }
    std::byte* const at = w.in.room(wanted);
    std::size_t const room = w.in.capacity() - w.in.size();
    ssize_t const got = sys_.recv(w.socket.get(), at, room, MSG_DONTWAIT);
    if (got == -EAGAIN) return true;
    if (got <= 0) return false;
    w.in.add(static_cast<std::size_t>(got));
    try {
      take_frames(w);
    } catch (codec_error const& e) {
      w.last_cause = e.what();
      w.talks_nonsense = true;  // and nothing that follows can be trusted
    }
    if (static_cast<std::size_t>(got) < room && !to_the_end) return !w.talks_nonsense;
  }
  return false;
}

void process_pool_state::take_frames(pool_worker& w) {
  std::size_t taken = 0;
  while (w.in.size() - taken >= sizeof(frame_header)) {
    frame_header header;
    std::memcpy(&header, w.in.data() + taken, sizeof header);
    // Before room for it is made. An exception may be longer than a value, by its text.
    if (header.length > options_.message_bytes_max + read_batch_bytes) {
      throw codec_error("a worker announced a frame of " + std::to_string(header.length) + " bytes");
    }
    if (w.in.size() - taken < sizeof header + header.length) break;
    take_frame(w, header, {w.in.data() + taken + sizeof header, header.length});
    taken += sizeof header + header.length;
  }
  w.in.drop_front(taken);
  if (w.in.size() == 0 && w.in.capacity() > kept_bytes_max) w.in = byte_buffer();
}

void process_pool_state::take_frame(pool_worker& w, frame_header const& header,
                                    std::span<std::byte const> payload) {
  if (header.kind == frame_kind::ready && w.now == pool_worker::stage::starting) {
    w.now = pool_worker::stage::ready;
    news_.set();
    pump();
    return look_for_end();
  }
  if (header.slot >= w.flights.size() || header.job == 0 || w.flights[header.slot].job != header.job) {
    throw codec_error("a worker answered a job that it does not have");
  }
  if (process_operation* const op = detach(w, header.slot)) {
    if (header.kind == frame_kind::value) {
      give_value(*op, payload);
    } else if (header.kind == frame_kind::error) {
      std::exception_ptr error;
      try {
        decoder from(payload);
        error = decode_exception(from);
      } catch (...) {
        error = std::current_exception();
      }
      give_error(*op, std::move(error));
    } else {
      give_error(*op, std::make_exception_ptr(codec_error("a worker skipped a job that nobody took back")));
    }
  }
  pump();
  look_for_end();
}

task<> process_pool_state::write(shared pool, pool_worker& w) {
  constexpr std::size_t parts_max = 16;
  for (;;) {
    co_await w.to_send.wait();
    w.to_send.reset();
    while (!w.unsent.empty()) {
      std::array<iovec, parts_max> parts;
      std::size_t const count = std::min(parts_max, w.unsent.size());
      for (std::size_t i = 0; i < count; ++i) {
        byte_buffer& message = w.flights[w.unsent[i]].message;
        std::size_t const skip = i == 0 ? w.sent_of_first : 0;
        parts[i] = {message.data() + skip, message.size() - skip};
      }
      msghdr header{};
      header.msg_iov = parts.data();
      header.msg_iovlen = count;
      ssize_t sent = pool->sys_.sendmsg(w.socket.get(), header, MSG_DONTWAIT);
      if (sent == -EAGAIN) {
        co_await fd_wait(w.socket.get(), POLLOUT);
        continue;
      }
      if (sent < 0) co_return pool->give_up(w);
      for (std::size_t i = 0; i < count && sent > 0; ++i) {
        auto const part = static_cast<std::size_t>(sent);
        if (part < parts[i].iov_len) {
          w.sent_of_first = (i == 0 ? w.sent_of_first : 0) + part;
          break;
        }
        sent -= static_cast<ssize_t>(parts[i].iov_len);
        w.unsent.pop_front();
        w.sent_of_first = 0;
      }
    }
  }
}

// After the process has ended: what it had answered still counts, what it had not begun goes back to
// the head of the queue, and what it ran is lost.
task<> process_pool_state::collect(shared pool, pool_worker& w) {
  pool->drain(w, true);
  std::vector<std::size_t> lost;
  std::vector<std::size_t> waiting;
  for (std::size_t slot = 0; slot < w.flights.size(); ++slot) {
    flight const& f = w.flights[slot];
    if (f.op == nullptr) continue;
    bool const untouched = w.page->move(slot, f.job, slot_state::queued, slot_state::cancelled);
    (untouched ? waiting : lost).push_back(slot);
  }
  w.now = pool_worker::stage::absent;
  w.unsent.clear();
  w.sent_of_first = 0;
  auto const later = [&w](std::size_t a, std::size_t b) { return w.flights[a].job > w.flights[b].job; };
  std::sort(waiting.begin(), waiting.end(), later);
  for (std::size_t const slot : waiting) {
    process_operation& op = *w.flights[slot].op;
    op.message_ = std::move(w.flights[slot].message);
    pool->free_flight(w, slot);
    if (op.cancel_asked_) {
      pool->give_cancelled(op);
    } else {
      pool->enqueue_front(op);
    }
  }
  pool->pump();
  // Its zygote tells how it ended, as soon as it gets a CPU; without that one nobody knows.
  auto const told = [](shared p, pool_worker& mine) -> task<> {
    while (p->may_hear_of(mine)) {
      mine.news.reset();
      co_await mine.news.wait();
    }
  };
  if (pool->may_hear_of(w)) {
    co_await move_on_after(std::chrono::seconds(1), told, pool, std::ref(w));
  }
  w.end.pid = w.pid;
  if (w.last_cause.empty()) w.last_cause = w.end.describe();
  for (std::size_t const slot : lost) {
    process_operation* const op = pool->detach(w, slot);
    if (op == nullptr) continue;
    if (op->cancel_asked_ && pool->options_.on_cancel == cancel_policy::kill) {
      pool->give_cancelled(*op);
    } else {
      pool->give_error(*op, std::make_exception_ptr(
                                worker_died(readable_name(op->function_->type()), w.end)));
    }
  }
  pool->clear(w);
  pool->look_for_end();
}

bool process_pool_state::may_hear_of(pool_worker const& w) const noexcept {
  return !w.end.known && zygote_.answers && zygote_.pid == w.zygote;
}

void process_pool_state::kill(pool_worker& w) noexcept {
  if (!w.pidfd) return;
  w.end_expected = true;
  sys_.pidfd_send_signal(w.pidfd.get(), SIGKILL);
}

// Its death counts as its own fault.
void process_pool_state::give_up(pool_worker& w) noexcept {
  if (w.end_expected) return;
  kill(w);
  w.end_expected = false;
}

void process_pool_state::clear(pool_worker& w) noexcept {
  if (w.pidfd) count(&ledger::children, -1);
  if (w.page != nullptr) sys_.unmap_memory(w.page, sizeof(control_page));
  w.page = nullptr;
  w.socket.close();
  w.pidfd.close();
  w.in = byte_buffer();
  w.unsent.clear();
  w.sent_of_first = 0;
  for (flight& f : w.flights) f = flight();
  w.load = 0;
  w.used = 0;
  w.now = pool_worker::stage::absent;
  w.number = 0;
  w.to_send.reset();
}

}  // namespace plait::detail
