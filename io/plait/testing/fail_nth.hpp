// Lets the n-th I/O operation of a name fail, on any driver, for what a kernel answers once in a year.
//
//     fail_nth const fault("read", 3, std::errc::connection_reset);
//     ... the third read that is handed to the driver answers that, and is not done ...
//
//     for (long n = 1;; ++n) {                      // every operation in its turn
//       fail_nth const fault("*", n, std::errc::io_error);
//       run_sim(scenario);
//       if (!fault.happened()) break;
//     }
//
// The names are those of error messages: open, read_at, write_at and close of files; connect, accept,
// read and write of streams, pipes and memory_streams; send and receive of messages. A write_all or
// read_exactly counts once for each part that the driver is given. A close that fails has closed, as
// the kernel's has. EAGAIN and EINTR are no failure: the operation is begun again.
// For the operations of the thread that made it, until it is destroyed; several nest, and each counts.
#pragma once

#include <plait/detail/config.hpp>
#include <plait/io/detail/fault_plan.hpp>

#include <string>
#include <system_error>
#include <utility>

namespace plait::testing {

class fail_nth {
 public:
  // From 1; 0 counts and lets none fail. `operation` "*" means every one.
  fail_nth(std::string operation, long n, std::errc error) : name_(std::move(operation)) {
    plan_ = {name_, n, static_cast<int>(error), 0, io::detail::faults_here};
    io::detail::faults_here = &plan_;
  }
  ~fail_nth() {
    PLAIT_CHECK(io::detail::faults_here == &plan_, "fail_nth: the innermost one must end first");
    io::detail::faults_here = plan_.outer;
  }
  fail_nth(fail_nth const&) = delete;
  fail_nth& operator=(fail_nth const&) = delete;

  long count() const noexcept { return plan_.seen; }  // how many operations of the name were begun
  bool happened() const noexcept { return plan_.fails_at != 0 && plan_.seen >= plan_.fails_at; }

 private:
  std::string name_;
  io::detail::fault_plan plan_;
};

}  // namespace plait::testing
