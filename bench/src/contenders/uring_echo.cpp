// The least an io_uring echo server has to do, and the reference of bench/echo_compare: one thread,
// one ring, SINGLE_ISSUER and DEFER_TASKRUN; multishot accept into the ring's own file table; one
// multishot receive per connection out of a ring of provided buffers; the echo is sent out of the
// buffers that received it, one send per connection and batch.
//
// One system call per batch: a send is issued with MSG_DONTWAIT | MSG_WAITALL and without a
// completion on success. It runs inside io_uring_enter, and when that call returns it is either
// done (its buffers are free again) or has posted a completion that says how much went out. Only
// then the rest is sent again, waiting; what arrives meanwhile queues behind it.
//
// Buffers stay warm in the cache: the ring holds no more of them than a batch needs (twice as many
// after a receive found none), taken from a stack, so the last used comes first.
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <new>
#include <system_error>
#include <vector>

#include <liburing.h>
#include <sys/socket.h>

#include "contenders/contenders.hpp"

namespace plait::lab {

namespace {

constexpr unsigned file_slots = 16384;
constexpr unsigned submissions = 4096;
constexpr unsigned completions = 32768;
constexpr unsigned pieces_max = 16;  // buffers in one send
constexpr unsigned buffer_count = 2048;
constexpr std::size_t buffer_bytes = 64 * 1024;
constexpr std::size_t stride = buffer_bytes + 64;  // an odd number of cache lines: no shared sets
constexpr std::uint16_t none = 0xffff;

enum class op : std::uint64_t { accept, receive, send, ignore };

enum class sending : std::uint8_t {
  idle,
  trying,   // issued with MSG_DONTWAIT, settled when io_uring_enter returns
  waiting,  // issued to wait for room, settled by its completion
};

struct connection {
  std::uint16_t first = none;  // the buffers to be echoed, linked by next_of_
  std::uint16_t last = none;
  sending send = sending::idle;
  bool touched = false;
  bool receiving = false;
  bool ended = false;
  std::uint32_t send_bytes = 0;  // what the send under way covers
  int send_result = 0;           // of a trying send: -EINPROGRESS, or what its completion says
};

struct message {
  msghdr header{};
  std::array<iovec, pieces_max> pieces{};
};

void check(int result, char const* what) {
  if (result < 0) throw std::system_error(-result, std::generic_category(), what);
}

class server {
 public:
  explicit server(int listener);
  [[noreturn]] void run();

 private:
  io_uring_sqe* prepare(op what, std::uint32_t slot);
  void arm_accept();
  void arm_receive(std::uint32_t slot);
  void provide();
  void recycle(unsigned buffer) { spare_.push_back(static_cast<std::uint16_t>(buffer)); }
  void touch(std::uint32_t slot);
  char* data(unsigned buffer) { return memory_ + buffer * stride + from_[buffer]; }

  void start_send(std::uint32_t slot, bool wait);
  void consume(connection& c, std::uint32_t bytes);
  void send_finished(std::uint32_t slot, int result);
  void settle_tries(std::vector<std::uint16_t> const& tries);
  void on_receive(io_uring_cqe const& cqe, std::uint32_t slot);
  void on_completion(io_uring_cqe const& cqe);
  void serve_touched();

  int listener_;
  io_uring ring_{};
  io_uring_buf_ring* buffer_ring_ = nullptr;
  char* memory_ = nullptr;
  unsigned wanted_ = 32;
  unsigned provided_ = 0;
  std::vector<std::uint16_t> spare_;
  std::vector<std::uint32_t> from_, to_;  // of a buffer: the bytes still to be sent
  std::vector<std::uint16_t> next_of_;
  std::vector<connection> connections_;
  std::vector<std::uint16_t> touched_, trying_, starved_;
  std::vector<message> messages_;
  unsigned message_count_ = 0;
};

server::server(int listener)
    : listener_(listener),
      from_(buffer_count),
      to_(buffer_count),
      next_of_(buffer_count),
      connections_(file_slots),
      messages_(submissions) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE;
  params.cq_entries = completions;
  check(::io_uring_queue_init_params(submissions, &ring_, &params), "io_uring_setup");
  check(::io_uring_register_files_sparse(&ring_, file_slots), "io_uring: file table");
  ::io_uring_register_ring_fd(&ring_);

  memory_ = static_cast<char*>(std::aligned_alloc(4096, buffer_count * stride));
  std::size_t const ring_bytes = buffer_count * sizeof(io_uring_buf);
  buffer_ring_ = static_cast<io_uring_buf_ring*>(std::aligned_alloc(4096, ring_bytes));
  if (!memory_ || !buffer_ring_) throw std::bad_alloc();
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(buffer_ring_);
  registration.ring_entries = buffer_count;
  check(::io_uring_register_buf_ring(&ring_, &registration, 0), "io_uring: buffer ring");
  ::io_uring_buf_ring_init(buffer_ring_);
  for (unsigned b = 0; b < buffer_count; ++b) recycle(b);
  provide();
  arm_accept();
}

io_uring_sqe* server::prepare(op what, std::uint32_t slot) {
  io_uring_sqe* sqe = ::io_uring_get_sqe(&ring_);
  if (!sqe) {
    ::io_uring_submit(&ring_);
    sqe = ::io_uring_get_sqe(&ring_);
  }
  // liburing 2.3's prep functions leave user_data alone.
  sqe->user_data = static_cast<std::uint64_t>(what) << 32 | slot;
  return sqe;
}

void server::arm_accept() {
  ::io_uring_prep_multishot_accept_direct(prepare(op::accept, 0), listener_, nullptr, nullptr, 0);
}

void server::arm_receive(std::uint32_t slot) {
  io_uring_sqe* const sqe = prepare(op::receive, slot);
  ::io_uring_prep_recv_multishot(sqe, static_cast<int>(slot), nullptr, 0, 0);
  sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
  sqe->buf_group = 0;
  connections_[slot].receiving = true;
}

void server::provide() {
  int added = 0;
  for (; provided_ < wanted_ && !spare_.empty(); ++provided_, ++added) {
    std::uint16_t const b = spare_.back();
    spare_.pop_back();
    ::io_uring_buf_ring_add(buffer_ring_, memory_ + b * stride, buffer_bytes, b,
                            ::io_uring_buf_ring_mask(buffer_count), added);
  }
  if (added > 0) ::io_uring_buf_ring_advance(buffer_ring_, added);
}

void server::touch(std::uint32_t slot) {
  if (connections_[slot].touched) return;
  connections_[slot].touched = true;
  touched_.push_back(static_cast<std::uint16_t>(slot));
}

void server::start_send(std::uint32_t slot, bool wait) {
  connection& c = connections_[slot];
  io_uring_sqe* const sqe = prepare(op::send, slot);
  int const flags = MSG_NOSIGNAL | MSG_WAITALL | (wait ? 0 : MSG_DONTWAIT);
  unsigned b = c.first;
  if (next_of_[b] == none) {
    c.send_bytes = to_[b] - from_[b];
    ::io_uring_prep_send(sqe, static_cast<int>(slot), data(b), c.send_bytes, flags);
  } else {
    message& m = messages_[message_count_++ % submissions];  // the kernel reads it at submission
    unsigned n = 0;
    c.send_bytes = 0;
    for (; b != none && n < pieces_max; b = next_of_[b], ++n) {
      m.pieces[n] = {data(b), to_[b] - from_[b]};
      c.send_bytes += to_[b] - from_[b];
    }
    m.header = {};
    m.header.msg_iov = m.pieces.data();
    m.header.msg_iovlen = n;
    ::io_uring_prep_sendmsg(sqe, static_cast<int>(slot), &m.header, static_cast<unsigned>(flags));
  }
  sqe->flags |= IOSQE_FIXED_FILE | (wait ? 0 : IOSQE_CQE_SKIP_SUCCESS);
  c.send = wait ? sending::waiting : sending::trying;
  if (!wait) {
    c.send_result = -EINPROGRESS;
    trying_.push_back(static_cast<std::uint16_t>(slot));
  }
}

void server::consume(connection& c, std::uint32_t bytes) {
  while (c.first != none) {
    unsigned const b = c.first;
    std::uint32_t const have = to_[b] - from_[b];
    if (have > bytes) {
      from_[b] += bytes;
      return;
    }
    bytes -= have;
    c.first = next_of_[b];
    recycle(b);
  }
}

void server::send_finished(std::uint32_t slot, int result) {
  connection& c = connections_[slot];
  c.send = sending::idle;
  if (result >= 0) {
    consume(c, static_cast<std::uint32_t>(result));
  } else if (result != -EAGAIN) {
    consume(c, UINT32_MAX);
    io_uring_sqe* const sqe = prepare(op::ignore, slot);  // broken: this ends the receive too
    ::io_uring_prep_shutdown(sqe, static_cast<int>(slot), SHUT_RDWR);
    sqe->flags |= IOSQE_FIXED_FILE;
  }
}

void server::on_receive(io_uring_cqe const& cqe, std::uint32_t slot) {
  connection& c = connections_[slot];
  if (!(cqe.flags & IORING_CQE_F_MORE)) c.receiving = false;
  if (cqe.res > 0) {
    unsigned const b = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
    from_[b] = 0;
    to_[b] = static_cast<std::uint32_t>(cqe.res);
    next_of_[b] = none;
    --provided_;
    if (c.first == none) {
      c.first = static_cast<std::uint16_t>(b);
    } else {
      next_of_[c.last] = static_cast<std::uint16_t>(b);
    }
    c.last = static_cast<std::uint16_t>(b);
    touch(slot);
    if (!c.receiving) arm_receive(slot);
  } else if (cqe.res == -ENOBUFS) {
    if (wanted_ < buffer_count && starved_.empty()) wanted_ *= 2;
    starved_.push_back(static_cast<std::uint16_t>(slot));
  } else {
    c.ended = true;
    touch(slot);
  }
}

void server::on_completion(io_uring_cqe const& cqe) {
  auto const slot = static_cast<std::uint32_t>(cqe.user_data);
  switch (static_cast<op>(cqe.user_data >> 32)) {
    case op::accept:
      if (cqe.res >= 0) arm_receive(static_cast<std::uint32_t>(cqe.res));
      if (!(cqe.flags & IORING_CQE_F_MORE)) arm_accept();
      break;
    case op::receive:
      on_receive(cqe, slot);
      break;
    case op::send:
      if (connections_[slot].send == sending::trying) {
        connections_[slot].send_result = cqe.res;
      } else {
        send_finished(slot, cqe.res);
        touch(slot);
      }
      break;
    case op::ignore:
      break;
  }
}

void server::settle_tries(std::vector<std::uint16_t> const& tries) {
  for (std::uint16_t const slot : tries) {
    connection& c = connections_[slot];
    if (c.send_result == -EINPROGRESS) {
      send_finished(slot, static_cast<int>(c.send_bytes));
      if (c.first != none) touch(slot);  // more than pieces_max buffers, or new data
    } else {
      send_finished(slot, c.send_result);
      if (c.first != none) start_send(slot, true);
    }
  }
}

void server::serve_touched() {
  for (std::uint16_t const slot : touched_) {
    connection& c = connections_[slot];
    c.touched = false;
    if (c.first != none && c.send == sending::idle) start_send(slot, false);
    if (c.ended && !c.receiving && c.send == sending::idle && c.first == none) {
      c.ended = false;
      ::io_uring_prep_close_direct(prepare(op::ignore, slot), slot);
    }
  }
  touched_.clear();
}

void server::run() {
  std::vector<std::uint16_t> tries;
  for (;;) {
    int const entered = ::io_uring_submit_and_wait(&ring_, 1);
    if (entered != -EINTR) check(entered, "io_uring_enter");
    tries.swap(trying_);
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++seen;
      on_completion(*cqe);
    }
    ::io_uring_cq_advance(&ring_, seen);
    settle_tries(tries);
    tries.clear();
    provide();
    for (; !starved_.empty(); starved_.pop_back()) arm_receive(starved_.back());
    serve_touched();
  }
}

}  // namespace

void uring_serve_echo(std::uint16_t port, announce_port const& announce) {
  server(listen_on_loopback(port, false, announce)).run();
}

}  // namespace plait::lab
