#pragma once

// The least that a lock and a channel between tasks of one thread have to do, beside raw_coro.hpp.

#include <cstddef>
#include <memory>

#include "micro/raw_coro.hpp"

namespace plait::lab::raw {

class fifo {
 public:
  bool empty() const { return head_ == nullptr; }
  void push(node* n) {
    n->next = nullptr;
    (tail_ ? tail_->next : head_) = n;
    tail_ = n;
  }
  node* pop() {
    node* const n = head_;
    if (n && !(head_ = n->next)) tail_ = nullptr;
    return n;
  }

 private:
  node* head_ = nullptr;
  node* tail_ = nullptr;
};

// Handed over to the one that has waited longest.
class lock {
 public:
  struct acquire : node {
    explicit acquire(lock& l) : of(l) {}
    bool await_ready() noexcept {
      if (of.held_) return false;
      of.held_ = true;
      return true;
    }
    void await_suspend(std::coroutine_handle<> h) noexcept {
      handle = h;
      of.waiters_.push(this);
    }
    void await_resume() noexcept {}
    lock& of;
  };
  void release() {
    if (node* const next = waiters_.pop())
      here->push(next);
    else
      held_ = false;
  }

 private:
  fifo waiters_;
  bool held_ = false;
};

// `capacity` 0 or a power of two.
class channel {
 public:
  explicit channel(std::size_t capacity)
      : capacity_(capacity), mask_(capacity ? capacity - 1 : 0), ring_(new long[capacity ? capacity : 1]) {}

  struct waiter : node {
    long item = 0;
  };

  struct send : waiter {
    send(channel& c, long value) : to(c) { item = value; }
    bool await_ready() noexcept {
      if (node* const receiver = to.receivers_.pop()) {
        static_cast<waiter*>(receiver)->item = item;
        here->push(receiver);
        return true;
      }
      if (to.written_ - to.read_ == to.capacity_) return false;
      to.ring_[to.written_++ & to.mask_] = item;
      return true;
    }
    void await_suspend(std::coroutine_handle<> h) noexcept {
      handle = h;
      to.senders_.push(this);
    }
    void await_resume() noexcept {}
    channel& to;
  };

  struct receive : waiter {
    explicit receive(channel& c) : from(c) {}
    bool await_ready() noexcept {
      if (from.written_ != from.read_) {
        item = from.ring_[from.read_++ & from.mask_];
        if (node* const sender = from.senders_.pop()) {
          from.ring_[from.written_++ & from.mask_] = static_cast<waiter*>(sender)->item;
          here->push(sender);
        }
        return true;
      }
      node* const sender = from.senders_.pop();
      if (!sender) return false;
      item = static_cast<waiter*>(sender)->item;
      here->push(sender);
      return true;
    }
    void await_suspend(std::coroutine_handle<> h) noexcept {
      handle = h;
      from.receivers_.push(this);
    }
    long await_resume() noexcept { return item; }
    channel& from;
  };

 private:
  std::size_t capacity_;
  std::size_t mask_;
  std::size_t read_ = 0;
  std::size_t written_ = 0;
  std::unique_ptr<long[]> ring_;
  fifo senders_;
  fifo receivers_;
};

}  // namespace plait::lab::raw
