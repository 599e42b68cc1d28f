#!/usr/bin/env bash
# Where io_uring is refused, as in containers, everything works on epoll and says why: the tests of
# io/, and the program's own report, under a seccomp filter that denies io_uring_setup.
set -euo pipefail

tests=$PLAIT_BUILD_DIR/tests/plait_io_tests
deny=$PLAIT_BUILD_DIR/tests/deny_uring
log=$(mktemp)
trap 'rm -f "$log"' EXIT
unset PLAIT_DRIVER

fail() {
  echo "FAILED: $*"
  tail -40 "$log"
  exit 1
}

# under ERROR FILTER MEANING: the tests pass, and the skipped ones give the reason.
under() {
  local status=0
  "$deny" "$1" "$tests" "$2" >"$log" 2>&1 || status=$?
  [ "$status" != 77 ] || grep -q '^All tests passed' "$log" || exit 77
  [ "$status" = 0 ] || fail "the tests of io/ where io_uring_setup answers $1: status $status"
  grep -q "io_uring_setup: $3" "$log" || fail "$1: no skipped test names the reason"
  echo "$1: $(tail -2 "$log" | head -1)"
}

# What names epoll or a simulation as its driver runs everywhere else as well.
under EPERM '[io_uring],driver*' 'Operation not permitted'
under ENOSYS 'driver*' 'Function not implemented'
under ENOMEM 'driver*' 'Cannot allocate memory'

# Asked for by name, it is an error that says what to do.
status=0
PLAIT_DRIVER=io_uring "$deny" EPERM "$tests" 'driver choice: a service runs on whatever was chosen' >"$log" 2>&1 || status=$?
[ "$status" = 1 ] || fail "PLAIT_DRIVER=io_uring that is refused: status $status, not 1"
grep -q 'PLAIT_DRIVER=epoll works without it' "$log" || fail "the error does not say what to do"
echo 'PLAIT_DRIVER=io_uring: refused with an error that says what to do'
