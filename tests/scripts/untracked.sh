#!/usr/bin/env bash
# A program that is built with PLAIT_TASK_TRACKING=0 runs, has smaller frames, and its task tree knows which
# tasks there are and what they wait for, but no names and lines.
set -eu
[ "${PLAIT_DRIVER:-io_uring}" = io_uring ] || { echo "no driver takes part"; exit 77; }
case $(cat "$PLAIT_BUILD_DIR/CMakeCache.txt") in
  *PLAIT_SANITIZE:STRING=[a-z]*) echo "built once, without a sanitizer"; exit 77 ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source=$work/untracked.cpp
for name in cancel check deadlock driver frame_pool function_name live_tasks lock_order mutex operation report \
  result_slot scheduler select task_group task_tree task_tree_text timer_wheel wait_queue testing_manual_driver system_calls; do
  [ ! -f "$PLAIT_SOURCE_DIR/runtime/src/$name.cpp" ] || echo "#include \"$name.cpp\""
done >"$source"
cat >>"$source" <<'CPP'
#include <plait/sleep.hpp>
#include <plait/testing/manual_driver.hpp>

plait::task<> sleeper() { co_await plait::sleep_for(std::chrono::seconds(5)); }
plait::task<> parent() {
  co_await plait::set_task_name("parent");
  co_await plait::with_task_group([](plait::task_group& g) -> plait::task<> {
    g.spawn(plait::named("child", sleeper));
    co_await g.join();
  });
}

int main() {
  static_assert(sizeof(plait::detail::frame_link) == 3 * sizeof(void*));
  plait::testing::manual_scheduler m;
  m.start(parent);
  m.run_until_idle();
  auto const tree = m.on_thread([&] { return plait::snapshot(m.sched()); });
  std::fputs(tree.to_tree().c_str(), stdout);
  m.run_until_quiet();
}
CPP
"$CXX" -std=c++20 -O0 -DPLAIT_TASK_TRACKING=0 -DPLAIT_ASSERTIONS=0 -w \
  -I"$PLAIT_SOURCE_DIR/runtime" -I"$PLAIT_SOURCE_DIR/runtime/src" "$source" -pthread -o "$work/untracked"
output=$("$work/untracked")
expected='task  waits for end of its children (0 ms)
└─ task  waits for sleep, 5.0 s left (0 ms)'
[ "$output" = "$expected" ] || { echo "$output"; exit 1; }
