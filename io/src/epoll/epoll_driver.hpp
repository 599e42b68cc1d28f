// The epoll driver. A descriptor of plait's own is registered once, for both directions and
// edge-triggered, and never modified; what an edge said is remembered in the fd_record, so that an
// operation is tried at once while its direction is known to be ready and waits without a system
// call while it is not. A read that came back short has emptied the socket: the next one need not
// ask, because whatever arrives later makes an edge (a hang-up and an urgent byte are remembered).
//
// A descriptor that somebody else owns (fd_wait) is registered for one shot and removed as soon as
// nobody waits, because its owner may close it and get the same number again.
//
// epoll holds one entry per descriptor, so both share the fd_record: if plait reads a descriptor
// itself, waits for it hang on to that registration.
#pragma once

#include "../kernel_driver.hpp"

namespace plait::io {

class epoll_driver final : public kernel_driver {
 public:
  epoll_driver();
  ~epoll_driver() override;

  std::string_view name() const noexcept override { return "epoll"; }
  void park(time_point deadline) override;
  void wake() noexcept override;
  void watch(fd_wait& wait) override;
  void unwatch(fd_wait& wait) noexcept override;
  void cancel(op& request) noexcept override;
  bool wants_nonblocking() const noexcept override { return true; }
  bool accepts_many() const noexcept override { return false; }
  void forget(int fd) noexcept override;

 private:
  bool begin_op(op& request) override;
  int enroll(int fd, fd_record& r) noexcept;
  bool attempt(op& request, fd_record& r);
  void dispatch(int fd, std::uint32_t generation, unsigned events);
  void retry(op* request, fd_record& r);
  int arm_waits(int fd, fd_record& r);
  void finish_waits(int fd, fd_record& r, unsigned events);
  void finish_wait(fd_wait& wait, fd_record& r, int answer) noexcept;
  int sleep(time_point deadline, void* events, int most);

  int epoll_ = -1;
  int doorbell_ = -1;
};

}  // namespace plait::io
