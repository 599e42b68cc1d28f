# example_says NAME EXPECTED [FILTER [DRIVERS]]: the example prints just that, on every driver and whatever the
# machine is busy with, once what may differ has gone through the filter. Ends the script: 77 where it cannot
# run. DRIVERS: without sim where real threads take part.
example_says() {
  local program=$PLAIT_BUILD_DIR/examples/$1 expected=$2 filter=${3:-cat} drivers=${4:-io_uring epoll sim} ran=0 driver output status
  [ -x "$program" ] || { echo "the examples are not in this build"; exit 77; }
  for driver in ${PLAIT_DRIVER:-$drivers}; do
    output=$(PLAIT_DRIVER=$driver timeout -s KILL 20 "$program" 2>&1)
    status=$?
    if [ $status != 0 ] && [[ $output == *"is refused"* ]]; then
      echo "$driver: not on this machine: $output"
      continue
    fi
    output=$($filter <<<"$output")
    if [ $status != 0 ] || [ "$output" != "$expected" ]; then
      echo "$driver: status $status"
      diff <(echo "$expected") <(echo "$output")
      exit 1
    fi
    echo "$driver: as expected"
    ran=$((ran + 1))
  done
  [ $ran != 0 ] || exit 77
}
