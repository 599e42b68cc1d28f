#!/usr/bin/env bash
# The example's table: the same answer in all three places, a heart that stands still beside inline
# work and beats beside the others, and no process left.
set -u
program=$PLAIT_BUILD_DIR/examples/cpu_offload
[ -x "$program" ] || { echo "the examples are not in this build"; exit 77; }

fail() {
  echo "$driver: $1"
  echo "$output"
  exit 1
}

ran=0
for driver in ${PLAIT_DRIVER:-io_uring epoll}; do
  output=$(PLAIT_DRIVER=$driver timeout -s KILL 25 "$program" 2>&1)
  status=$?
  if [ $status != 0 ] && [[ $output == *"is refused"* ]]; then
    echo "$driver: not on this machine: $output"
    continue
  fi
  [ $status = 0 ] || fail "status $status"
  shape='^where +primes +time +heartbeat
inline +([0-9]+) +[0-9]+ ms +([0-9]+) ticks
threads +([0-9]+) +[0-9]+ ms +([0-9]+) ticks
processes +([0-9]+) +[0-9]+ ms +([0-9]+) ticks$'
  [[ $output =~ $shape ]] || fail "not the table"
  counts=("${BASH_REMATCH[@]}")
  [ "${counts[1]}" = 111382 ] && [ "${counts[3]}" = 111382 ] && [ "${counts[5]}" = 111382 ] ||
    fail "not the number of primes"
  # Inline, a tick can only fall between two of the eight jobs.
  [ "${counts[2]}" -le 8 ] || fail "ticks beside inline work"
  [ "${counts[4]}" -ge 1 ] && [ "${counts[6]}" -ge 1 ] || fail "no ticks beside offloaded work"
  echo "$driver: as expected"
  ran=$((ran + 1))
done
[ $ran != 0 ] || exit 77
