#!/usr/bin/env bash
# Calls that the kernel interrupts or refuses before they have done anything, which nobody may see:
# strace answers every other one of them in the kernel's place.
set -euo pipefail

tests=$PLAIT_BUILD_DIR/tests/plait_io_tests
folder=$(mktemp -d)
log=$folder/log
trace=$folder/trace
trap 'rm -rf "$folder"' EXIT
# LeakSanitizer is a tracer itself, and there can be only one.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0

command -v strace >/dev/null || { echo 'SKIPPED: there is no strace'; exit 77; }
strace -qq -o "$trace" -e trace=none true 2>"$log" ||
  { echo "SKIPPED: strace may not trace here: $(head -1 "$log")"; exit 77; }
if [ -n "${PLAIT_DRIVER:-}" ]; then drivers=$PLAIT_DRIVER; else drivers='io_uring epoll'; fi

fail() {
  echo "FAILED: $*"
  tail -40 "$log"
  exit 1
}

# inject DRIVER CALLS ERROR CASES: the test cases pass although the calls fail.
inject() {
  local driver=$1 calls=$2 error=$3 cases=$4 status=0 injected
  [[ " $drivers " == *" $driver "* ]] || return 0
  PLAIT_DRIVER=$driver strace -f -qq -o "$trace" -e trace="$calls" -e inject="$calls:error=$error" \
    "$tests" "$cases" >"$log" 2>&1 || status=$?
  [ "$status" != 77 ] || { echo "$driver: skipped, $(grep -m 1 SKIPPED "$log")"; return 0; }
  injected=$(grep -c INJECTED "$trace" || true)
  [ "$status" = 0 ] || fail "$driver, $calls answer $error: status $status"
  [ "$injected" != 0 ] || fail "$driver, $calls: nothing was injected"
  echo "$driver, $calls: ${error%%:*} $injected times"
}

# A ring whose submissions were not taken: a naive loop waits for ever.
inject io_uring io_uring_enter EINTR:when=1 'tcp: *'
for error in EINTR EAGAIN EBUSY; do
  inject io_uring io_uring_enter "$error:when=1+2" 'tcp: *'
done
inject epoll epoll_pwait2,epoll_wait EINTR:when=1+2 'tcp: *'
inject epoll recvfrom,sendto,connect EINTR:when=1+2 'tcp: *'
inject epoll pwrite64,preadv2 EINTR:when=1+2 'file: what is written*'
# Connections that died in the queue (accept(2)), and what has to be waited for.
for error in EINTR ECONNABORTED EPROTO EPERM ENFILE ENOBUFS; do
  inject epoll accept4 "$error:when=1+2" 'serve: each connection*'
done
