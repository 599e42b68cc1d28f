#include "worker.hpp"

#include "pool_errors.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <stdio_ext.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace plait::detail {

namespace {

constexpr int first_own_descriptor = 3;  // socket, page, lifeline

class worker {
 public:
  explicit worker(std::size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

  bool connect() noexcept;
  void serve();

 private:
  bool fill(std::size_t bytes);
  void run(frame_header const& job, std::span<std::byte const> payload);
  void answer(frame_header const& job, std::span<std::byte const> payload);
  void reply(frame_header header);

  system_calls& sys_ = system_calls::real();
  int socket_ = first_own_descriptor + worker_socket;
  std::size_t message_bytes_max_;
  control_page* page_ = nullptr;
  byte_buffer in_;
  std::size_t taken_ = 0;  // bytes of in_ that have been served
  byte_buffer out_;
};

// Only the program holds the other end of this pipe, and never writes: when it ends, however it ends,
// the kernel kills this process in the middle of whatever it does. A death signal from the parent
// process would not do: that is the zygote, which workers outlive.
void hang_on_lifeline(int inherited) noexcept {
  // Who is signalled is kept in the open file, which all workers share: open it anew.
  char path[40];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", inherited);
  int const own = ::open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ::close(inherited);
  if (own < 0) return;  // without /proc an idle worker still sees its socket close
  ::fcntl(own, F_SETOWN, ::getpid());
  ::fcntl(own, F_SETSIG, SIGKILL);
  ::fcntl(own, F_SETFL, ::fcntl(own, F_GETFL) | O_ASYNC);
  pollfd look{own, 0, 0};
  if (::poll(&look, 1, 0) > 0) ::_exit(0);  // the program ended before
}

// Everything that is not this worker's is closed: a sibling's socket kept open here would never
// report its end.
bool keep_own_descriptors(std::array<int, descriptors_max> const& given) noexcept {
  std::array<int, descriptors_max> high;
  for (std::size_t i = 0; i < given.size(); ++i) {
    high[i] = ::fcntl(given[i], F_DUPFD, first_own_descriptor + static_cast<int>(descriptors_max));
    if (high[i] < 0) return false;
  }
  for (std::size_t i = 0; i < high.size(); ++i) {
    if (::dup3(high[i], first_own_descriptor + static_cast<int>(i), O_CLOEXEC) < 0) return false;
  }
  // By number: close_range is declared by glibc 2.34 and later only.
  constexpr unsigned first_foreign = first_own_descriptor + descriptors_max;
  return ::syscall(SYS_close_range, first_foreign, ~0U, 0) == 0;
}

bool worker::connect() noexcept {
  void* at = nullptr;
  if (sys_.map_memory(first_own_descriptor + worker_page, sizeof(control_page), at) < 0) return false;
  page_ = static_cast<control_page*>(at);
  sys_.close(first_own_descriptor + worker_page);
  hang_on_lifeline(first_own_descriptor + worker_lifeline);
  return true;
}

// Makes `bytes` unserved bytes stand in in_. False: the program has closed the socket.
bool worker::fill(std::size_t bytes) {
  constexpr std::size_t batch = 64 * 1024;
  if (taken_ != 0 && (in_.size() == taken_ || in_.capacity() - taken_ < bytes)) {
    in_.drop_front(taken_);
    taken_ = 0;
  }
  while (in_.size() - taken_ < bytes) {
    std::size_t const missing = bytes - (in_.size() - taken_);
    std::byte* const at = in_.room(std::max(missing, batch));
    ssize_t const got = sys_.recv(socket_, at, in_.capacity() - in_.size(), 0);
    if (got <= 0) return false;
    in_.add(static_cast<std::size_t>(got));
  }
  return true;
}

void worker::serve() {
  reply({.kind = frame_kind::ready});
  while (fill(sizeof(frame_header))) {
    frame_header job;
    std::memcpy(&job, in_.data() + taken_, sizeof job);
    if (job.kind != frame_kind::job || job.slot >= control_page::slots ||
        job.length > message_bytes_max_) {
      throw codec_error("a frame that is no job came from the program");
    }
    if (!fill(sizeof job + job.length)) return;
    run(job, {in_.data() + taken_ + sizeof job, job.length});
    taken_ += sizeof job + job.length;
  }
}

void worker::run(frame_header const& job, std::span<std::byte const> payload) {
  if (!page_->move(job.slot, job.job, slot_state::queued, slot_state::running)) {
    out_.truncate(0);
    return reply({.kind = frame_kind::skipped, .slot = job.slot, .job = job.job});
  }
  answer(job, payload);
}

void worker::answer(frame_header const& job, std::span<std::byte const> payload) {
  frame_header header{.kind = frame_kind::value, .slot = job.slot, .job = job.job};
  out_.truncate(0);
  out_.append(&header, sizeof header);
  try {
    decoder arguments(payload);
    encoder result(out_, message_bytes_max_ + sizeof header);
    job_function::find(job.function).call()(arguments, result);
  } catch (...) {
    header.kind = frame_kind::error;
    out_.truncate(sizeof header);
    encoder result(out_);
    encode_exception(result);
  }
  page_->move(job.slot, job.job, slot_state::running, slot_state::done);
  if (::__fpending(stdout) != 0) std::fflush(stdout);  // what a job prints is seen before its result
  header.length = static_cast<std::uint32_t>(out_.size() - sizeof header);
  reply(header);
}

// Sends what stands in out_ behind room for the header.
void worker::reply(frame_header header) {
  constexpr std::size_t kept_out_max = 1024 * 1024;
  if (out_.size() == 0) {
    out_.append(&header, sizeof header);
  } else {
    std::memcpy(out_.data(), &header, sizeof header);
  }
  for (std::size_t sent = 0; sent < out_.size();) {
    iovec part{out_.data() + sent, out_.size() - sent};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    ssize_t const n = sys_.sendmsg(socket_, message, 0);
    if (n < 0) ::_exit(0);  // the program is gone
    sent += static_cast<std::size_t>(n);
  }
  if (out_.capacity() > kept_out_max) out_ = byte_buffer();
  out_.truncate(0);
}

}  // namespace

void run_worker(worker_setup setup) noexcept {
  sigset_t none;
  ::sigemptyset(&none);
  if (!keep_own_descriptors(setup.descriptors)) ::_exit(71);  // EX_OSERR
  char name[16];
  std::snprintf(name, sizeof name, "plait:w%u", setup.number);
  ::prctl(PR_SET_NAME, name);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  try {
    worker self(static_cast<std::size_t>(setup.message_bytes_max));
    if (!self.connect()) ::_exit(71);
    self.serve();
  } catch (std::exception const& e) {
    std::fprintf(stderr, "plait: a pool's worker failed: %s\n", e.what());
    std::fflush(stderr);
    ::_exit(70);  // EX_SOFTWARE
  }
  std::fflush(nullptr);
  ::_exit(0);
}

}  // namespace plait::detail
