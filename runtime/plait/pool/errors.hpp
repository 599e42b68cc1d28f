// What a job in another process can fail with, beside the standard exceptions, which come back as
// they were thrown.
#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace plait {

// How a process ended, as far as it is known.
struct process_end {
  pid_t pid = 0;
  bool known = false;  // false: whoever would have reported it had died before
  int signal = 0;      // that killed it; 0: it exited
  int exit_code = 0;   // if it exited

  std::string describe() const;  // "killed by signal 9 (Killed)", "exited with status 3"
};

// The worker that ran the job ended before the job did. Only that job fails.
class worker_died : public std::runtime_error {
 public:
  worker_died(std::string_view job, process_end how);

  process_end const& how() const noexcept { return how_; }
  int signal() const noexcept { return how_.signal; }
  int exit_code() const noexcept { return how_.exit_code; }
  pid_t pid() const noexcept { return how_.pid; }
  std::string const& job() const noexcept { return job_; }

 private:
  process_end how_;
  std::string job_;
};

// The pool gave up: workers died too often, or cannot be started. The text has the causes.
class broken_process_pool : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The pool takes no more jobs, or ended while this one waited.
class process_pool_closed : public std::runtime_error {
 public:
  process_pool_closed();
};

// The worker does not know the function: it is in a library that only the parent has loaded.
class unknown_function : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Beside the exception's nearest standard base, where its own type was none: a
// catch (std::runtime_error const& e) gets it, and dynamic_cast<remote_failure const*>(&e) tells what
// it was.
class remote_failure {
 public:
  explicit remote_failure(std::string type_name) : type_name_(std::move(type_name)) {}
  virtual ~remote_failure() = default;

  std::string const& type_name() const noexcept { return type_name_; }

 private:
  std::string type_name_;
};

// An exception that has no standard base but std::exception itself, or none at all.
class remote_error : public std::exception, public remote_failure {
 public:
  remote_error(std::string type_name, std::string what)
      : remote_failure(std::move(type_name)), what_(std::move(what)) {}

  char const* what() const noexcept override { return what_.c_str(); }

 private:
  std::string what_;
};

}  // namespace plait
