// A lock-free stack of nodes that their owners keep (R. K. Treiber, 1986): any thread pushes, one
// thread at a time takes all. Nothing is popped alone, so there is no ABA problem.
#pragma once

#include <plait/detail/atomics.hpp>

#include <atomic>

namespace plait::detail {

template <class Node, class Atomics = std_atomics>
class intrusive_stack {
 public:
  // seq_cst: the write of a Dekker protocol; the other thread's read is `empty`. As a release it pairs
  // with `take_all`, and since each push is a read-modify-write, with every push below it as well.
  void push(Node& node) noexcept {
    Node* head = newest_.load(std::memory_order_relaxed);  // a guess that the exchange checks
    do {
      node.next = head;
    } while (!newest_.compare_exchange_weak(head, &node, std::memory_order_seq_cst,
                                            std::memory_order_relaxed));
  }

  // seq_cst: the read of a Dekker protocol; the other thread's write is `push`.
  bool empty() const noexcept { return newest_.load(std::memory_order_seq_cst) == nullptr; }

  // May miss what has just been pushed. relaxed: who goes on to the nodes calls `take_all`.
  bool seems_empty() const noexcept { return newest_.load(std::memory_order_relaxed) == nullptr; }

  // The newest first, linked by `next`. acquire: pairs with the pushes, whose nodes are read next.
  // release: whoever finds it empty through this sees what was written before.
  Node* take_all() noexcept { return newest_.exchange(nullptr, std::memory_order_acq_rel); }

 private:
  typename Atomics::template atomic<Node*> newest_{nullptr};
};

}  // namespace plait::detail
