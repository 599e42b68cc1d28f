#include "doctor/ladder.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <liburing.h>

#include "method/environment.hpp"

namespace plait::lab {

namespace {

constexpr unsigned entries = 8;

class probe_ring {
 public:
  explicit probe_ring(unsigned flags) {
    io_uring_params params{};
    params.flags = flags;
    result_ = ::io_uring_queue_init_params(entries, &ring_, &params);
    features_ = params.features;
  }
  ~probe_ring() {
    if (result_ == 0) ::io_uring_queue_exit(&ring_);
  }
  probe_ring(probe_ring const&) = delete;
  probe_ring& operator=(probe_ring const&) = delete;

  int result() const { return result_; }
  unsigned features() const { return features_; }
  io_uring* get() { return &ring_; }

 private:
  io_uring ring_{};
  int result_ = 0;
  unsigned features_ = 0;
};

rung setup_rung(probe_ring const& ring) {
  return {"io_uring_setup", ring.result() == 0,
          ring.result() == 0 ? "a ring can be made" : explain_setup_error(-ring.result()), true};
}

// A filter can allow the set-up and refuse the rest.
rung nop_rung(probe_ring& ring) {
  ::io_uring_prep_nop(::io_uring_get_sqe(ring.get()));
  int const entered = ::io_uring_submit_and_wait(ring.get(), 1);
  if (entered < 0) return {"io_uring_enter", false, explain_setup_error(-entered), true};
  io_uring_cqe* cqe = nullptr;
  int const peeked = ::io_uring_peek_cqe(ring.get(), &cqe);
  if (peeked == 0) ::io_uring_cqe_seen(ring.get(), cqe);
  return {"io_uring_enter", peeked == 0,
          peeked == 0 ? "a no-op went through" : "the completion of a no-op is missing", true};
}

rung flags_rung(char const* name, unsigned flags, char const* since, char const* use) {
  probe_ring const ring(flags);
  if (ring.result() == 0) return {name, true, use};
  return {
      name, false,
      fmt::format("{}: Linux {} has it; plait does without", std::strerror(-ring.result()), since)};
}

rung register_fd_rung(probe_ring& ring) {
  int const registered = ::io_uring_register_ring_fd(ring.get());
  if (registered >= 0) return {"registered ring fd", true, "saves a reference count for each call"};
  return {"registered ring fd", false,
          fmt::format("{}: Linux 5.18 has it; plait does without", std::strerror(-registered))};
}

rung buffer_ring_rung(probe_ring& ring) {
  std::unique_ptr<void, void (*)(void*)> const memory(std::aligned_alloc(4096, 4096), std::free);
  if (!memory) return {"provided buffer ring", false, "no memory for a page"};
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory.get());
  registration.ring_entries = entries;
  int const registered = ::io_uring_register_buf_ring(ring.get(), &registration, 0);
  if (registered == 0) ::io_uring_unregister_buf_ring(ring.get(), 0);
  if (registered == 0)
    return {"provided buffer ring", true, "receives that borrow the ring's buffers"};
  return {"provided buffer ring", false,
          fmt::format("{}: Linux 5.19 has it", std::strerror(-registered))};
}

rung features_rung(unsigned features) {
  constexpr std::pair<unsigned, char const*> names[] = {
      {IORING_FEAT_NODROP, "NODROP"},
      {IORING_FEAT_SUBMIT_STABLE, "SUBMIT_STABLE"},
      {IORING_FEAT_FAST_POLL, "FAST_POLL"},
      {IORING_FEAT_EXT_ARG, "EXT_ARG"},
      {IORING_FEAT_CQE_SKIP, "CQE_SKIP"},
      {1u << 13, "RECVSEND_BUNDLE"},
      {1u << 14, "MIN_TIMEOUT"},
      {1u << 17, "NO_IOWAIT"},
  };
  std::vector<char const*> has, lacks;
  for (auto const& [bit, name] : names) (features & bit ? has : lacks).push_back(name);
  std::string text = fmt::format("{:#x}: {}", features, fmt::join(has, " "));
  if (!lacks.empty()) text += fmt::format("; not {}", fmt::join(lacks, " "));
  constexpr unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
  bool const enough = (features & needed) == needed;
  return {"features", enough, text, true};
}

// Numbers where liburing 2.3 has no names yet.
rung opcodes_rung(probe_ring& ring) {
  constexpr std::pair<int, char const*> names[] = {
      {IORING_OP_ACCEPT, "ACCEPT"},
      {IORING_OP_RECV, "RECV"},
      {IORING_OP_SEND, "SEND"},
      {IORING_OP_OPENAT, "OPENAT"},
      {IORING_OP_READ, "READ"},
      {IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL"},
      {IORING_OP_SEND_ZC, "SEND_ZC"},
      {49, "READ_MULTISHOT"},
      {50, "WAITID"},
      {51, "FUTEX_WAIT"},
      {56, "BIND"},
      {57, "LISTEN"},
  };
  std::unique_ptr<io_uring_probe, void (*)(io_uring_probe*)> const probe(
      ::io_uring_get_probe_ring(ring.get()), ::io_uring_free_probe);
  if (!probe)
    return {"operations", false, "the kernel does not list them (before Linux 5.6)", true};
  std::vector<std::string> has, lacks;
  for (auto const& [code, name] : names)
    (code <= probe->last_op && (probe->ops[code].flags & IO_URING_OP_SUPPORTED) ? has : lacks)
        .push_back(name);
  std::string text = fmt::format("{} in all: {}", probe->last_op + 1, fmt::join(has, " "));
  if (!lacks.empty()) text += fmt::format("; not {}", fmt::join(lacks, " "));
  bool const enough = ::io_uring_opcode_supported(probe.get(), IORING_OP_RECV) &&
                      ::io_uring_opcode_supported(probe.get(), IORING_OP_OPENAT);
  return {"operations", enough, text, true};
}

}  // namespace

std::string explain_setup_error(int error) {
  std::string const sysctl = first_line("/proc/sys/kernel/io_uring_disabled");
  switch (error) {
    case EPERM:
      if (sysctl == "1" || sysctl == "2")
        return fmt::format(
            "not permitted: kernel.io_uring_disabled is {}; as root: "
            "sysctl kernel.io_uring_disabled=0",
            sysctl);
      return "not permitted, and the sysctl allows it: a seccomp filter refuses it (Docker's and "
             "containerd's default does); run with a profile that allows io_uring_setup, "
             "io_uring_enter and io_uring_register";
    case EACCES:
      return "access denied: a security module (SELinux, AppArmor) refuses it; ask its policy";
    case ENOSYS:
      return "no such system call: the kernel is older than 5.1, was built without "
             "CONFIG_IO_URING, or a filter hides it (gVisor does)";
    case ENOMEM:
      return "no memory: before Linux 5.12 rings count against RLIMIT_MEMLOCK; raise it (ulimit "
             "-l)";
    case EMFILE:
      return "this process has no descriptor left; raise RLIMIT_NOFILE (ulimit -n)";
    case ENFILE:
      return "the machine has no descriptor left; raise fs.file-max";
    case EINVAL:
      return "the kernel does not know a flag of the set-up: it is too old for it";
    default:
      return std::strerror(error);
  }
}

std::vector<rung> climb_uring_ladder() {
  std::vector<rung> ladder;
  std::string const sysctl = first_line("/proc/sys/kernel/io_uring_disabled");
  ladder.push_back({"sysctl", sysctl.empty() || sysctl == "0",
                    sysctl.empty() ? "kernel.io_uring_disabled does not exist here (before 6.6)"
                                   : "kernel.io_uring_disabled = " + sysctl});
  probe_ring ring(0);
  ladder.push_back(setup_rung(ring));
  if (!ladder.back().works) return ladder;
  ladder.push_back(nop_rung(ring));
  if (!ladder.back().works) return ladder;
  ladder.push_back(features_rung(ring.features()));
  ladder.push_back(opcodes_rung(ring));
  ladder.push_back(flags_rung("COOP_TASKRUN", IORING_SETUP_COOP_TASKRUN, "5.19",
                              "completions without interrupts"));
  ladder.push_back(flags_rung("SINGLE_ISSUER", IORING_SETUP_SINGLE_ISSUER, "6.0",
                              "one submitting thread, fewer locks"));
  ladder.push_back(flags_rung("DEFER_TASKRUN",
                              IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, "6.1",
                              "completions only when the loop asks for them"));
  ladder.push_back(register_fd_rung(ring));
  ladder.push_back(buffer_ring_rung(ring));
  return ladder;
}

}  // namespace plait::lab
