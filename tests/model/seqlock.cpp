// Two writers and a reader of two words that are always equal.
#include <plait/detail/seqlock.hpp>

#include "model.hpp"

namespace {

using plait::detail::seqlock;

// Both words are the version. Words are of another type than the sequence, so that a variant can be weak in
// one of them alone.
struct scene : rl::test_suite<scene, 3> {
  using words = seqlock<2, unsigned, model::atomics>;

  void thread(unsigned which) {
    if (which == 2) return look();
    for (bool written = false; !written;) {
      words::block seen{};
      std::uint64_t const version = words_.read(seen);
      written = words_.write(version, {seen[0] + 1, seen[1] + 1});
      if (!written) model::atomics::yield();
    }
  }
  void look() const {
    words::block seen{};
    std::uint64_t const version = words_.read(seen);
    RL_ASSERT(seen[0] == seen[1]);
    RL_ASSERT(seen[0] == version);
  }
  void after() {
    look();
    RL_ASSERT(words_.version() == 2);
  }

  words words_{{0, 0}};
};

using model::step;
using model::weakening;
using std::memory_order_relaxed;

model::test_case const consistent{"seqlock: a reader sees words of one version, and no write is lost",
                                  [] { return model::holds<scene>(); }};

model::test_case const weak_end{
    "seqlock: the model finds torn words when the end of a write does not release",
    [] {
      return model::fails<scene>({rl::test_result_user_assert_failed},
                                 weakening::of<std::uint64_t>(step::store, memory_order_relaxed));
    }};

model::test_case const weak_words{
    "seqlock: the model finds torn words when a word's store does not release",
    [] {
      return model::fails<scene>({rl::test_result_user_assert_failed},
                                 weakening::of<unsigned>(step::store, memory_order_relaxed));
    }};

model::test_case const weak_loads{
    "seqlock: the model finds torn words when a word's load does not acquire",
    [] {
      return model::fails<scene>({rl::test_result_user_assert_failed},
                                 weakening::of<unsigned>(step::load, memory_order_relaxed));
    }};

}  // namespace
