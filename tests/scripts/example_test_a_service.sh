#!/usr/bin/env bash
# The example's service answers by the script, notices each failed operation, and is stuck with one of the
# first thousand seeds, which finds it again.
set -u
program=$PLAIT_BUILD_DIR/examples/test_a_service
[ -x "$program" ] || { echo "the examples are not in this build"; exit 77; }

fail() { echo "$1"; echo "$output"; exit 1; }

output=$(timeout -s KILL 50 "$program" 2>&1) || fail "status $?"
grep -qx "by the script: it answers" <<<"$output" || fail "it does not answer"
noticed=$(grep -c '^I/O operation [0-9]* fails: noticed$' <<<"$output")
[ "$noticed" -ge 4 ] || fail "$noticed operations failed"
grep -q "^I/O operation $((noticed + 1)) was not reached$" <<<"$output" || fail "not each one was noticed"
seed=$(sed -n 's/^found: nothing can happen any more, and tasks wait: .* (seed \([0-9]*\))$/\1/p' <<<"$output")
[ -n "$seed" ] && [ "$seed" -le 1000 ] || fail "no seed finds the lost wake-up"
grep -q "PLAIT_SEED=$seed repeats it alone" <<<"$output" || fail "the seed is not named"
again=$(PLAIT_SEED=$seed timeout -s KILL 50 "$program" 2>&1)
[ "$again" = "$output" ] || { output=$again; fail "seed $seed says something else when it is repeated"; }
echo "as expected, with seed $seed"
