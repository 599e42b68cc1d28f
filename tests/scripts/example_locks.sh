#!/usr/bin/env bash
# What is lost without a lock, and that nothing is with one.
set -u
. "$PLAIT_SOURCE_DIR/tests/support/example_says.bash"
example_says locks 'three add 1, without a lock: 1
with a mutex: 3
optimistic:
  quick: written at attempt 1
  slow: written at attempt 2
  together: 2
with a recursive mutex: 10 files, locked 3 times over'
