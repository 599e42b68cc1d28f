#!/usr/bin/env bash
# The reports, with the names and the lines.
set -u
. "$PLAIT_SOURCE_DIR/tests/support/example_says.bash"
example_says deadlock 'made, and detected:
deadlock: 2 tasks wait for each other
  task "ann" waits at deadlock.cpp:20 for mutex "current", held by task "bob" since deadlock.cpp:18
  task "bob" waits at deadlock.cpp:20 for mutex "savings", held by task "ann" since deadlock.cpp:18
 and behind them
  task "bank" waits at deadlock.cpp:33 for the end of its children
  a deadlock: nothing that could still happen would end this wait
prevented, by taking all or none:
  both are done
prevented, by levels that have to rise, where nothing hangs yet:
lock order: task "bank" takes mutex "savings" (level 1) at deadlock.cpp:20
  while it holds mutex "current" (level 2) since deadlock.cpp:18
  levels have to rise
avoided, by a banker:
  ann asks for one of 2: safe
  bob asks for one of 1: not safe, waits
  ann has both
  bob has both'
