// What is alive in this process: coroutine frames, operations that somebody waits for, timers,
// descriptors that plait opened, children that it started. Counted only where assertions are on, with relaxed
// atomics: a number is exact when nothing runs, which is when tests look (testing/ledger.hpp).
#pragma once

#include <plait/detail/config.hpp>

#include <atomic>

namespace plait::detail {

struct ledger {
  std::atomic<long> frames{0};
  std::atomic<long> operations{0};
  std::atomic<long> timers{0};  // that are armed
  std::atomic<long> descriptors{0};
  std::atomic<long> children{0};
  std::atomic<long> bytes{0};  // of frames and spawned tasks
};

inline constinit ledger the_ledger{};

inline void count([[maybe_unused]] std::atomic<long> ledger::*entry, [[maybe_unused]] long by) noexcept {
#if PLAIT_ASSERTIONS
  (the_ledger.*entry).fetch_add(by, std::memory_order_relaxed);
#endif
}

}  // namespace plait::detail
