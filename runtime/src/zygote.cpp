#include "zygote.hpp"

#include "pool_registry.hpp"
#include "pool_wire.hpp"
#include "worker.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace plait::detail {

namespace {

class zygote {
 public:
  explicit zygote(int control) noexcept : control_(control) {}

  void serve();

 private:
  void hear_children();
  void make_worker(received_control& request);
  void tell(control_message const& message, std::span<int const> descriptors = {});
  void end_workers() noexcept;

  system_calls& sys_ = system_calls::real();
  int control_;
  int children_ended_ = -1;  // signalfd
  bool program_gone_ = false;
  std::vector<pid_t> workers_;
};

void zygote::serve() {
  sigset_t child_ended;
  ::sigemptyset(&child_ended);
  ::sigaddset(&child_ended, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child_ended, nullptr);
  children_ended_ = ::signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
  tell({.kind = control_kind::hello, .pid = ::getpid(), .identity = program_identity()});
  while (!program_gone_) {
    pollfd looked_at[] = {{control_, POLLIN, 0}, {children_ended_, POLLIN, 0}};
    if (::poll(looked_at, 2, -1) < 0 && errno != EINTR) break;
    if (looked_at[1].revents != 0) hear_children();
    if (looked_at[0].revents == 0) continue;
    received_control request;
    if (receive_control(sys_, control_, request, 0) <= 0) break;
    if (request.message.kind == control_kind::fork) make_worker(request);
  }
  end_workers();
}

void zygote::hear_children() {
  signalfd_siginfo ignored;
  while (::read(children_ended_, &ignored, sizeof ignored) > 0) {
  }
  int status = 0;
  while (pid_t const pid = ::waitpid(-1, &status, WNOHANG)) {
    if (pid < 0) break;
    std::erase(workers_, pid);
    tell({.kind = control_kind::exited, .pid = pid, .status = status});
  }
}

void zygote::make_worker(received_control& request) {
  control_message answer{.kind = control_kind::forked, .number = request.message.number};
  pid_t const pid = sys_.fork();
  if (pid == 0) {
    run_worker({.number = request.message.number,
                .message_bytes_max = request.message.message_bytes_max,
                .descriptors = request.descriptors});
  }
  for (int const fd : request.descriptors) {
    if (fd >= 0) sys_.close(fd);  // or the worker's socket would stay open after the worker
  }
  answer.pid = pid;
  if (pid < 0) return tell(answer);
  workers_.push_back(pid);
  // Not waited for yet, so the number is still this worker's.
  int const pidfd = sys_.pidfd_open(pid);
  if (pidfd < 0) {
    ::kill(pid, SIGKILL);
    answer.pid = pidfd;
    return tell(answer);
  }
  tell(answer, {&pidfd, 1});
  sys_.close(pidfd);
}

void zygote::tell(control_message const& message, std::span<int const> descriptors) {
  if (send_control(sys_, control_, message, descriptors, 0) < 0) program_gone_ = true;
}

void zygote::end_workers() noexcept {
  for (pid_t const pid : workers_) ::kill(pid, SIGKILL);
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
}

// A job that reads standard input would take it from the program.
void close_standard_input() noexcept {
  int const nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0) return;
  ::dup2(nothing, STDIN_FILENO);
  ::close(nothing);
}

}  // namespace

void run_zygote(int control) noexcept {
  ::fcntl(control, F_SETFD, FD_CLOEXEC);
  ::prctl(PR_SET_NAME, "plait:zygote");
  // Ctrl-C goes to every process of the terminal's group; what it means is the program's decision.
  ::signal(SIGINT, SIG_IGN);
  close_standard_input();
  try {
    zygote(control).serve();
  } catch (std::exception const& e) {
    std::fprintf(stderr, "plait: the process that starts a pool's workers failed: %s\n", e.what());
    std::fflush(stderr);
    ::_exit(70);  // EX_SOFTWARE
  }
  ::_exit(0);
}

}  // namespace plait::detail
