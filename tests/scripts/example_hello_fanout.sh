#!/usr/bin/env bash
# The example prints the same on every run and on every driver, whatever the machine is busy with.
set -u
program=$PLAIT_BUILD_DIR/examples/hello_fanout
[ -x "$program" ] || { echo "the examples are not in this build"; exit 77; }

expected='all of three:
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

ran=0
for driver in ${PLAIT_DRIVER:-io_uring epoll sim}; do
  output=$(PLAIT_DRIVER=$driver timeout -s KILL 20 "$program" 2>&1)
  status=$?
  if [ $status != 0 ] && [[ $output == *"is refused"* ]]; then
    echo "$driver: not on this machine: $output"
    continue
  fi
  if [ $status != 0 ] || [ "$output" != "$expected" ]; then
    echo "$driver: status $status"
    diff <(echo "$expected") <(echo "$output")
    exit 1
  fi
  echo "$driver: as expected"
  ran=$((ran + 1))
done
[ $ran != 0 ] || exit 77
