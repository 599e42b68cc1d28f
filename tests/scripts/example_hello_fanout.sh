#!/usr/bin/env bash
# Who is given up, and why.
set -u
. "$PLAIT_SOURCE_DIR/tests/support/example_says.bash"
example_says hello_fanout 'all of three:
  beta answers
  gamma answers
  alpha answers
hello from alpha; hello from beta; hello from gamma
the first of two:
  near answers
  far is given up: another task finished first
number 1: hello from near
for 20 ms:
  slow is given up: deadline passed
no answer, moving on
a group, one of which fails:
  patient is given up: a task of the group failed
the group failed: rude refuses'
