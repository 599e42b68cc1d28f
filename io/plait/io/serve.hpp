// The accept loop of a service: a task per connection, whose failure ends that connection alone.
//
//     task<> session(io::tcp_stream peer);
//     auto listener = io::tcp_listener::listen(io::address::any(7000));
//     co_await io::serve(listener, session);
//
// Runs until its scope is cancelled. Then it stops accepting, gives the sessions `drain` to finish,
// cancels those that are left, and ends when the last one has.
#pragma once

#include <plait/cancel.hpp>
#include <plait/io/tcp.hpp>
#include <plait/task_group.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <utility>

namespace plait::io {

struct serve_options {
  duration drain = std::chrono::seconds(0);
  // Called for a session that failed; nullptr: a reset or closed connection is nobody's concern,
  // anything else is printed.
  void (*on_failure)(std::exception_ptr) = nullptr;
};

namespace detail {

void report_session_failure(std::exception_ptr error, serve_options const& options) noexcept;

template <class Session, class... Args>
task<> one_session(serve_options options, tcp_stream peer, Session session, Args... args) {
  std::exception_ptr failure;
  try {
    co_await std::invoke(session, std::move(peer), std::move(args)...);
  } catch (std::exception const&) {
    failure = std::current_exception();
  }
  if (failure != nullptr) report_session_failure(std::move(failure), options);
}

template <class Session, class... Args>
task<> accept_sessions(task_group& sessions, tcp_listener& listener, serve_options options,
                       Session session, Args... args) {
  for (;;) {
    tcp_stream peer = co_await listener.accept();
    sessions.spawn(one_session<Session, Args...>, options, std::move(peer), session, args...);
  }
}

// The sessions' group has no scope outside it, so that cancelling the service leaves them their time.
template <class Session, class... Args>
task<> serve_until_cancelled(tcp_listener& listener, serve_options options, Session session,
                             Args... args) {
  scheduler& s = scheduler::current();
  task_group sessions(s.root_scope(), task_group::on_failure::report);
  std::exception_ptr end;
  try {
    co_await accept_sessions(sessions, listener, options, std::move(session), std::move(args)...);
  } catch (...) {
    end = std::current_exception();
  }
  listener.close();
  if (options.drain > duration::zero()) {
    sessions.scope().set_deadline(deadline_after(s.now(), options.drain));
  } else {
    sessions.cancel("the service is ending");
  }
  co_await sessions.join();
  std::rethrow_exception(end);
}

}  // namespace detail

// session(stream, args...) gives a task<>; session and args are copied for each connection. The
// listener must outlive the await, and is closed by it.
template <class Session, class... Args>
  requires plait::detail::await_safe<Session> && (plait::detail::await_safe<Args> && ...)
task<> serve(tcp_listener& listener, serve_options options, Session&& session, Args&&... args) {
  return detail::serve_until_cancelled(listener, options,
                                       std::decay_t<Session>(std::forward<Session>(session)),
                                       plait::detail::decay_copy(std::forward<Args>(args))...);
}

template <class Session, class... Args>
  requires plait::detail::await_safe<Session> && (plait::detail::await_safe<Args> && ...) &&
           std::is_invocable_v<std::decay_t<Session>&, tcp_stream, std::decay_t<Args>...>
task<> serve(tcp_listener& listener, Session&& session, Args&&... args) {
  return serve(listener, serve_options(), std::forward<Session>(session), std::forward<Args>(args)...);
}

}  // namespace plait::io
