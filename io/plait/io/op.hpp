// An I/O operation: plain data in the awaiting frame, and a table that says how each kernel driver
// carries it out. Adding an operation adds a file in io/src/ops and edits no driver.
#pragma once

#include <plait/driver.hpp>
#include <plait/io/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

struct io_uring_sqe;

namespace plait {
class system_calls;
}

namespace plait::io {

class io_driver;
class op;

// The lowerings of one kind of operation.
struct op_lowering {
  char const* name;      // in error messages
  std::uint8_t opcode;   // io_uring's, for the probe

  // io_uring: fills everything but user_data. nullptr, or an opcode that the kernel lacks: as under
  // epoll, with the ring to wait for readiness; `try_now` must not block then.
  void (*prepare)(op&, io_uring_sqe&);

  // epoll, and whatever else stands behind the system calls: POLLIN or POLLOUT, the direction that
  // `try_now` depends on; 0 for what readiness cannot tell (files), which goes to a thread where
  // `try_now` says -EAGAIN.
  short interest;
  int (*try_now)(op&, system_calls&);          // result or negative errno; -EAGAIN: not now
  int (*block)(op&, system_calls&) = nullptr;  // the same on a thread that may wait; for interest 0

  // epoll: a read shorter than asked has left nothing behind. True of TCP alone: messages, lines of
  // a terminal and descriptors that are passed end a read early.
  bool short_is_all = false;
  // io_uring: with `flags` set, one submission gives many results, until one comes without
  // IORING_CQE_F_MORE.
  bool may_give_many = false;

  bool is_message = false;  // `buffer` is a msghdr
};

// Who may use it: the scheduler's thread. The buffer must stay valid until the await has returned,
// also when it is cancelled: the kernel lets go first. A completion that was under way when the
// cancellation came wins, and its result is delivered.
class op : public driver_request {
 public:
  op(op_lowering const& how, int fd, void* buffer, std::size_t length, std::uint64_t offset = 0,
     int flags = 0) noexcept
      : lowering(&how), fd(fd), flags(flags), buffer(static_cast<std::byte*>(buffer)),
        length(length), offset(offset) {}

  bool start(plait::detail::task_state& task);
  void finish_request(int result, unsigned flags) noexcept override;
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

  op_lowering const* lowering;
  int fd;
  int flags;
  std::byte* buffer;       // or what the operation takes in its place
  std::size_t length;
  std::uint64_t offset;
  int answer = 0;          // the kernel's: a result or a negative errno
  bool all = false;        // go on until `length` is done
  bool data_likely = true; // from the driver: the kernel said that more is there
  bool closed = false;     // from the driver: the owner closes the descriptor
  bool by_hand = false;    // from the driver: the ring has refused it
  std::size_t done = 0;    // bytes, where `all` is set

  // What is left, as far as one call of the kernel's goes: two pages short of 2 GiB.
  std::byte* next_byte() const noexcept { return buffer + done; }
  std::size_t next_length() const noexcept { return std::min<std::size_t>(length - done, 0x7ffff000); }

 protected:
  op(op&&) = default;
  ~op() = default;

  bool failed() const noexcept { return answer < 0 || (all && done < length); }
  io_failure failure() const noexcept;
  [[noreturn]] void throw_failure() const;

  void cancel() noexcept override;

 private:
  bool proceed(io_driver& driver);
  bool goes_on() noexcept;
};

// The bytes that an operation moved.
class count_op : public op {
 public:
  using op::op;
  // Nothing to move is done at once: the kernel would wait for data all the same.
  bool start(plait::detail::task_state& task) {
    if (length != 0) return op::start(task);
    complete_inline(status::done);
    return false;
  }
  std::size_t result() const {
    if (failed()) throw_failure();
    return count();
  }
  io::result<std::size_t> expected() const {
    if (failed()) return tl::unexpected(failure());
    return count();
  }
  static auto failed(std::error_code code) { return tl::unexpected(io_failure{code, 0, "timeout"}); }

 private:
  using op::failed;
  std::size_t count() const noexcept { return all ? done : static_cast<std::size_t>(answer); }
};

// Nothing but success.
class plain_op : public op {
 public:
  using op::op;
  void result() const {
    if (failed()) throw_failure();
  }
  io::result<void> expected() const {
    if (failed()) return tl::unexpected(failure());
    return {};
  }
  static auto failed(std::error_code code) { return tl::unexpected(io_failure{code, 0, "timeout"}); }

 private:
  using op::failed;
};

}  // namespace plait::io
