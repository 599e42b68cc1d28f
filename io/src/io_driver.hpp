// What sockets and files ask of a driver, and what each driver knows of a descriptor.
#pragma once

#include <plait/driver.hpp>
#include <plait/io/op.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace plait::io {

// Waits until nobody waits for a descriptor any more.
class close_wait : public operation {
 public:
  bool waits_for(std::size_t n, wait_info& into) const noexcept override {
    into = wait_info();
    into.what = "close";
    return n == 0;
  }

  close_wait* next = nullptr;
};

// One per descriptor number. `generation` changes when plait closes the descriptor, so that an event
// of its predecessor is not taken for its own.
struct fd_record {
  op* reading = nullptr;
  op* writing = nullptr;
  close_wait* closing = nullptr;     // wait for both to be gone
  driver_request* waits = nullptr;   // fd_waits, epoll only
  std::uint32_t generation = 0;
  bool registered = false;  // epoll: for both directions, edge-triggered, until it is closed
  bool one_shot = false;    // epoll: for the waits of a descriptor that somebody else owns
  bool readable = true;     // as far as known; epoll relies on it, io_uring takes it for a hint
  bool writable = true;
  bool ends = false;        // its owner closes it: who comes now gets errc::closed
  // A short read does not mean an empty socket: the peer has hung up, or has sent an urgent byte,
  // which a read stops at.
  bool may_stop_short = false;
  int sync_error = 0;  // of a file
};

class io_driver : public driver {
 public:
  io_driver() noexcept { does_io_ = true; }
  ~io_driver() override;

  static io_driver& current() noexcept;

  // Takes the operation over, and returns true when it is done already.
  bool submit(op& request);

  // Asks for an early end; the completion follows. May be called again.
  virtual void cancel(op& request) noexcept = 0;

  // The owner is about to close: whoever waits, or comes before `forget`, gets errc::closed. True
  // when nobody is left; otherwise `closer` is woken when the last one has gone.
  bool interrupt(int fd, close_wait& closer) noexcept;

  // After this the number may be closed and used again. Nothing may wait for it.
  virtual void forget(int fd) noexcept;

  // Whether one submission of an accept gives many connections.
  virtual bool accepts_many() const noexcept = 0;

  // Whether sockets must be non-blocking: io_uring would report -EAGAIN instead of waiting.
  virtual bool wants_nonblocking() const noexcept = 0;

  // The error that a sync of this file has failed with, 0: none; nullptr: it is not open. Forgotten
  // when it is closed.
  int* sync_error(int fd);

  // A request whose owner did not wait, and its completion.
  void adopt() noexcept { ++orphans_; }
  void bury() noexcept { --orphans_; }

  // The driver has let go of the operation's slot.
  void vacate(op& request) noexcept;

 protected:
  virtual bool begin_op(op& request) = 0;
  fd_record& record(int fd);
  // Whether it can be a descriptor: no table is made for a number that is none.
  bool plausible(int fd) noexcept;

  std::vector<fd_record> records_;
  int first_fd_ = 0;  // whose record comes first

 private:
  bool has_record(int fd) const noexcept { return fd >= first_fd_ && index_of(fd) < records_.size(); }
  std::size_t index_of(int fd) const noexcept { return static_cast<std::size_t>(fd - first_fd_); }
  op** slot(op& request);
  bool fails_on_purpose(op& request);
};

std::unique_ptr<driver> make_uring_driver(driver_options const& options);
std::unique_ptr<driver> make_epoll_driver();

}  // namespace plait::io
