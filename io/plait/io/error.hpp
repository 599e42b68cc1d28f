// How I/O fails: io_error is thrown; `as_result(operation)` gives the same as a value instead.
#pragma once

#include <plait/operation.hpp>
#include <plait/scheduler.hpp>
#include <plait/task.hpp>
#include <plait/timeout.hpp>

#include <tl/expected.hpp>

#include <cstddef>
#include <string>
#include <system_error>
#include <utility>

namespace plait::io {

// What no errno says.
enum class errc {
  end_of_file = 1,   // the stream ended before all that was asked for had come
  closed,            // the descriptor was closed by its owner while the operation waited
  busy,              // another task waits for the same direction of the same stream
  invalid_address,   // text that is no numeric address
};

std::error_category const& error_category() noexcept;
inline std::error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), error_category()};
}

// A failed operation as a value. `transferred` counts the bytes done before it failed.
struct io_failure {
  std::error_code code;
  std::size_t transferred = 0;
  char const* operation = "";

  std::string message() const;
};

class io_error : public std::system_error {
 public:
  explicit io_error(io_failure const& f, std::string const& about = {});
  std::size_t transferred() const noexcept { return transferred_; }

 private:
  std::size_t transferred_;
};

template <class T>
using result = tl::expected<T, io_failure>;

// An operation whose failure is wanted as a value: `co_await as_result(op)` gives
// tl::expected<T, io_failure>. `cancelled` is thrown all the same. Nests with with_timeout either
// way round.
template <class Op>
class result_operation : public operation {
 public:
  explicit result_operation(Op&& op) : op_(std::move(op)) {}
  static constexpr bool ignores_cancel = true;  // the operation inside decides

  bool start(plait::detail::task_state& task) {
    started_ = true;
    if constexpr (!requires { Op::ignores_cancel; }) {
      started_ = !plait::detail::cancel_pending(scheduler::current(), task);
    }
    if (!started_) operation_access::skip(op_);
    return started_ && op_.start(task);
  }
  void finish() noexcept {
    if constexpr (requires { op_.finish(); }) {
      if (started_) op_.finish();
    }
    complete_inline(op_.state());
  }
  auto result() { return op_.expected(); }

 private:
  void cancel() noexcept override {}  // the operation inside is what the task is blocked on

  Op op_;
  bool started_ = false;
};

template <awaitable_operation Op>
  requires(!std::is_lvalue_reference_v<Op>)
result_operation<Op> as_result(Op&& op) {
  return result_operation<Op>(std::move(op));
}

}  // namespace plait::io

template <>
struct std::is_error_code_enum<plait::io::errc> : std::true_type {};
