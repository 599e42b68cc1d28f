// A process pool, apart from its handle: the queue, the workers and the tasks that look after them.
//
// The tasks, all of them in the background group of the pool's scheduler:
//
//   supervise                 until the pool ends; then reaps everything
//   +- listen                 hears the zygote
//   +- live, for each worker  start, serve, collect, again
//      +- read, write         frames
//
// One thread; nothing here is locked.
#pragma once

#include "pool_worker.hpp"

#include <plait/process_pool.hpp>
#include <plait/scheduler.hpp>
#include <plait/task_group.hpp>

#include <exception>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace plait::detail {

class process_pool_state : public std::enable_shared_from_this<process_pool_state> {
 public:
  using shared = std::shared_ptr<process_pool_state>;

  process_pool_state(process_pool_options const& options, scheduler& home);

  // For the handle and the operations (process_pool.cpp).
  process_pool_options const& options() const noexcept { return options_; }
  bool submit(process_operation& op, task_state& task);
  void cancel(process_operation& op) noexcept;
  void abandon() noexcept;
  process_pool_stats stats() const noexcept;
  std::vector<pid_t> worker_pids() const;
  pid_t zygote_pid() const noexcept { return zygote_.pid; }

  static task<> start(shared pool);
  static task<> shutdown(shared pool);

 private:
  struct zygote_link {
    pool_descriptor control;
    pool_descriptor pidfd;
    pid_t pid = 0;
    bool answers = false;  // has said hello
  };

  // The queue (pool_queue.cpp).
  void enqueue_back(process_operation& op) noexcept;
  void enqueue_front(process_operation& op) noexcept;
  void unlink(process_operation& op) noexcept;
  void pump();
  pool_worker* least_loaded() noexcept;
  void assign(pool_worker& w, process_operation& op);
  void recall();
  bool take_back(pool_worker& w, std::size_t slot) noexcept;
  void free_flight(pool_worker& w, std::size_t slot) noexcept;
  process_operation* detach(pool_worker& w, std::size_t slot) noexcept;
  void give_value(process_operation& op, std::span<std::byte const> payload) noexcept;
  void give_error(process_operation& op, std::exception_ptr error) noexcept;
  void give_cancelled(process_operation& op) noexcept;
  void fail_everything(std::exception_ptr error) noexcept;
  void look_for_end() noexcept;

  // The pool as a whole (pool_supervisor.cpp).
  void ensure_started();
  void break_pool(std::string const& why) noexcept;
  static task<> supervise(shared pool);
  static task<> keep_workers(task_group& group, shared pool);
  static task<> bury(shared pool);
  static task<> live(shared pool, pool_worker& w);
  duration note_end(pool_worker& w);

  // One worker (pool_worker.cpp).
  static task<> bring_up(shared pool, pool_worker& w);
  static task<> serve(task_group& group, shared pool, pool_worker& w);
  static task<> read(shared pool, pool_worker& w);
  static task<> write(shared pool, pool_worker& w);
  static task<> collect(shared pool, pool_worker& w);
  bool drain(pool_worker& w, bool to_the_end);
  void take_frames(pool_worker& w);
  void take_frame(pool_worker& w, frame_header const& header, std::span<std::byte const> payload);
  bool may_hear_of(pool_worker const& w) const noexcept;
  void kill(pool_worker& w) noexcept;
  void give_up(pool_worker& w) noexcept;
  void clear(pool_worker& w) noexcept;

  // The zygote (pool_zygote_link.cpp).
  static task<> ensure_zygote(shared pool);
  void spawn_zygote();
  static task<> listen(shared pool);
  void hear(received_control& heard);
  void zygote_ended() noexcept;
  static task<> ask_for_fork(shared pool, pool_worker& w, int socket, int page);
  pool_worker* find_worker(std::uint32_t number) noexcept;

  process_pool_options const options_;
  scheduler& home_;
  system_calls& sys_;
  pid_t const owner_ = ::getpid();

  process_operation* first_ = nullptr;
  process_operation* last_ = nullptr;
  std::size_t queued_ = 0;
  std::uint64_t next_job_ = 1;

  std::vector<std::unique_ptr<pool_worker>> workers_;
  std::uint32_t next_number_ = 1;
  std::uint64_t restarts_ = 0;
  pool_descriptor lifeline_;        // the program's end
  pool_descriptor lifeline_inner_;  // the workers' end
  zygote_link zygote_;
  pool_event zygote_news_;

  bool started_ = false;
  bool closed_ = false;               // takes no more jobs
  std::exception_ptr broken_;
  task_group* group_ = nullptr;       // of the tasks, while they live
  pool_event news_;                   // a worker is ready; the pool is broken or closed
  pool_event ended_;                  // everything has been reaped
};

}  // namespace plait::detail
