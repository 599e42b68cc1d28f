#include "named_threads.hpp"

#include <algorithm>
#include <memory>
#include <string>

#include <signal.h>

namespace plait::detail {

namespace {

struct plan {
  std::function<void(unsigned)> body;
  unsigned number;
  std::string name;
};

void* enter(void* argument) noexcept {
  std::unique_ptr<plan> const mine(static_cast<plan*>(argument));
  mine->name.resize(std::min<std::size_t>(mine->name.size(), 15));  // the kernel's limit
  ::pthread_setname_np(::pthread_self(), mine->name.c_str());
  mine->body(mine->number);
  return nullptr;
}

}  // namespace

int named_threads::start(unsigned first, unsigned count, std::string_view name, system_calls& sys,
                         std::function<void(unsigned)> const& body) {
  // What needs memory comes first: from the first thread on nothing may throw.
  std::vector<std::unique_ptr<plan>> plans;
  for (unsigned i = first; i < first + count; ++i) {
    plans.push_back(std::make_unique<plan>(plan{body, i, std::string(name) + "-" + std::to_string(i)}));
  }
  threads_.reserve(threads_.size() + count);
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  for (std::unique_ptr<plan>& next : plans) {
    pthread_t made{};
    error = -sys.create_thread(made, &enter, next.get());
    if (error != 0) break;
    static_cast<void>(next.release());
    threads_.push_back(made);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return error;
}

void named_threads::join() noexcept {
  for (pthread_t const t : threads_) ::pthread_join(t, nullptr);
  threads_.clear();
}

}  // namespace plait::detail
