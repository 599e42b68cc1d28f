// The program's side of the zygote.
#include "pool_state.hpp"

#include "pool_registry.hpp"
#include "process_role.hpp"

#include <plait/driver.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace plait::detail {

namespace {

// This environment, and the role.
class zygote_environment {
 public:
  zygote_environment() {
    std::string_view const name = role_variable;
    for (char** e = environ; e != nullptr && *e != nullptr; ++e) {
      std::string_view const entry = *e;
      if (entry.starts_with(name) && entry.substr(name.size()).starts_with('=')) continue;
      entries_.push_back(*e);
    }
    entries_.push_back(role_.data());
    entries_.push_back(nullptr);
  }
  char* const* get() noexcept { return entries_.data(); }

 private:
  std::string role_ = std::string(role_variable) + "=" + zygote_role;
  std::vector<char*> entries_;
};

}  // namespace

task<> process_pool_state::ensure_zygote(shared pool) {
  while (pool->zygote_.pid != 0 && !pool->zygote_.control) {  // the last one is ending
    pool->zygote_news_.reset();
    co_await pool->zygote_news_.wait();
  }
  if (pool->zygote_.pid == 0) pool->spawn_zygote();
  pid_t const expected = pool->zygote_.pid;
  while (pool->zygote_.pid == expected && !pool->zygote_.answers) {
    pool->zygote_news_.reset();
    co_await pool->zygote_news_.wait();
  }
  if (!pool->zygote_.answers) {
    throw std::runtime_error("the process that forks the workers ended before it answered");
  }
}

void process_pool_state::spawn_zygote() {
  std::array<int, 2> ends{};
  if (!lifeline_) {
    if (int const e = sys_.pipe(ends); e < 0) {
      throw std::system_error(-e, std::generic_category(),
                              "process_pool: no pipe; raise the limit of descriptors (ulimit -n)");
    }
    lifeline_inner_ = pool_descriptor(sys_, ends[0]);
    lifeline_ = pool_descriptor(sys_, ends[1]);
  }
  if (int const e = sys_.socketpair(SOCK_SEQPACKET, ends); e < 0) {
    throw std::system_error(-e, std::generic_category(),
                            "process_pool: no socket; raise the limit of descriptors (ulimit -n)");
  }
  pool_descriptor ours(sys_, ends[0]);
  pool_descriptor const theirs(sys_, ends[1]);
  zygote_environment environment;
  char* const arguments[] = {program_invocation_name, nullptr};
  pid_t pid = 0;
  if (int const e = sys_.spawn_self(pid, arguments, environment.get(), theirs.get()); e < 0) {
    throw std::system_error(-e, std::generic_category(),
                            "process_pool: this program cannot be started again; raise the limit of "
                            "processes (ulimit -u), and mount /proc");
  }
  int const pidfd = sys_.pidfd_open(pid);
  if (pidfd < 0) {
    ours.close();  // which ends it
    siginfo_t ignored{};
    sys_.wait_child(pid, ignored, WEXITED);
    throw std::system_error(-pidfd, std::generic_category(),
                            "process_pool: no descriptor for a process; raise the limit (ulimit -n)");
  }
  count(&ledger::children, 1);
  zygote_.control = std::move(ours);
  zygote_.pid = pid;
  zygote_.pidfd = pool_descriptor(sys_, pidfd);
  zygote_.answers = false;
  group_->spawn(&process_pool_state::listen, shared_from_this());
}

task<> process_pool_state::listen(shared pool) {
  zygote_link& link = pool->zygote_;
  for (;;) {
    received_control heard;
    int const got = receive_control(pool->sys_, link.control.get(), heard, MSG_DONTWAIT);
    if (got == -EAGAIN) {
      co_await fd_wait(link.control.get(), POLLIN);
      continue;
    }
    if (got <= 0) break;
    pool->hear(heard);
  }
  // It is dead, or cannot be heard and ends when this closes, as its workers do.
  link.answers = false;
  link.control.close();
  for (auto const& w : pool->workers_) w->news.set();
  co_await fd_wait(link.pidfd.get(), POLLIN);
  pool->zygote_ended();
}

void process_pool_state::hear(received_control& heard) {
  pool_descriptor pidfd(sys_, heard.descriptors[0]);
  control_message const& m = heard.message;
  switch (m.kind) {
    case control_kind::hello:
      if (m.identity != program_identity()) {
        return break_pool("its workers would run another build of this program: build id digest " +
                          identity_text(m.identity) + " there, " + identity_text(program_identity()) +
                          " here");
      }
      zygote_.answers = true;
      return zygote_news_.set();
    case control_kind::forked:
      if (pool_worker* const w = find_worker(m.number)) {
        w->fork_answer = m.pid;
        if (m.pid > 0) {
          w->pid = m.pid;
          w->zygote = zygote_.pid;
          w->pidfd = std::move(pidfd);
          count(&ledger::children, 1);
        }
        w->news.set();
      }
      return;
    case control_kind::exited:
      for (auto const& w : workers_) {
        if (w->pid != m.pid || w->number == 0) continue;
        w->end = {.pid = m.pid,
                  .known = true,
                  .signal = WIFSIGNALED(m.status) ? WTERMSIG(m.status) : 0,
                  .exit_code = WIFEXITED(m.status) ? WEXITSTATUS(m.status) : 0};
        w->news.set();
      }
      return;
    case control_kind::fork:
      return;  // ours, never theirs
  }
}

// Its workers live on, but nobody will tell how they end.
void process_pool_state::zygote_ended() noexcept {
  if (zygote_.pid == 0) return;
  siginfo_t ignored{};
  sys_.wait_child(zygote_.pid, ignored, WEXITED);
  count(&ledger::children, -1);
  zygote_ = zygote_link();
  zygote_news_.set();
  for (auto const& w : workers_) w->news.set();
}

task<> process_pool_state::ask_for_fork(shared pool, pool_worker& w, int socket, int page) {
  co_await ensure_zygote(pool);
  pid_t const zygote = pool->zygote_.pid;
  control_message const request{.kind = control_kind::fork,
                                .number = w.number,
                                .message_bytes_max = pool->options_.message_bytes_max};
  int const given[] = {socket, page, pool->lifeline_inner_.get()};
  for (;;) {
    int const e =
        send_control(pool->sys_, pool->zygote_.control.get(), request, given, MSG_DONTWAIT);
    if (e == 0) break;
    if (e != -EAGAIN) {
      throw std::system_error(-e, std::generic_category(), "process_pool: the zygote cannot be asked");
    }
    co_await fd_wait(pool->zygote_.control.get(), POLLOUT);
  }
  while (w.fork_answer == 0 && pool->zygote_.pid == zygote && pool->zygote_.answers) {
    w.news.reset();
    co_await w.news.wait();
  }
  if (w.fork_answer > 0) co_return;
  if (w.fork_answer == 0) throw std::runtime_error("the process that forks the workers died");
  throw std::system_error(-w.fork_answer, std::generic_category(),
                          "process_pool: no worker can be forked; raise the limit of processes "
                          "(ulimit -u, the control group's pids.max) or free memory");
}

pool_worker* process_pool_state::find_worker(std::uint32_t number) noexcept {
  for (auto const& w : workers_) {
    if (w->number == number && w->fork_answer == 0) return w.get();
  }
  return nullptr;
}

}  // namespace plait::detail
