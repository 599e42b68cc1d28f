#!/bin/bash
# The lab from end to end: every piece of the smoke preset runs, answers are right, the table and the
# JSON agree with what was asked for, and mistakes end with the right status.
set -u
plait="$PLAIT_BUILD_DIR/bench/plait"
[ -x "$plait" ] || { echo "the lab is not in this build"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    for f in "$work"/out "$work"/err; do [ -s "$f" ] && sed "s|^|  ${f##*/}: |" "$f" >&2; done
    exit 1
}
status_of() { # EXPECTED COMMAND...
    local expected=$1 got
    shift
    "$@" > "$work/out" 2> "$work/err"
    got=$?
    [ "$got" = "$expected" ] || fail "$* ended with $got, not $expected"
}

status_of 0 "$plait" bench --smoke --seed 7 --json "$work/run.json"
for text in io.sleepers io.echo io.files cpu.primes mix.heartbeat cost.spawn cost.memory \
    "again: plait bench --smoke" "--seed 7"; do
    grep -qF -- "$text" "$work/out" || fail "the table lacks '$text'"
done
grep -q FAILED "$work/out" && fail "a cell failed"
grep -q $'\033' "$work/out" && fail "colour codes in a pipe"
grep -q 'io.echo epoll N=10:' "$work/err" || fail "no plain progress lines in a pipe"
python3 - "$work/run.json" << 'EOF' || fail "the JSON"
import json, sys
run = json.load(open(sys.argv[1]))
assert run["schema"] == "plait-bench/1" and run["seed"] == 7 and not run["interrupted"]
assert run["cells"]
for cell in run["cells"]:
    assert "error" not in cell, cell
    if "na" in cell:
        continue
    assert len(cell["reps"]) == run["repetitions"], cell
    assert cell["median"] > 0 and cell["ci95"][0] <= cell["median"] <= cell["ci95"][1], cell
    assert all(rep["ops"] > 0 and rep["wall_s"] > 0 for rep in cell["reps"]), cell
EOF

status_of 0 "$plait" bench --list
grep -q 'cpu.sha256' "$work/out" || fail "--list lacks a workload"
status_of 0 "$plait" bench --dry-run --seed 7
grep -q 'cells x 7 repetitions' "$work/out" || fail "--dry-run lacks its sum"
status_of 0 "$plait" --version
status_of 0 "$plait" bench --help
status_of 2 "$plait"
status_of 2 "$plait" nonsense
status_of 2 "$plait" bench io.ehco
grep -q 'io.echo' "$work/err" || fail "an unknown workload does not list the known ones"
status_of 2 "$plait" bench --quick --smoke
status_of 2 "$plait" bench io.echo -N lots
status_of 2 env PLAIT_DRIVER=nonsense "$plait" bench --smoke
grep -q "PLAIT_DRIVER=nonsense" "$work/err" || fail "a driver that does not exist is not named"
status_of 1 "$plait" bench cost.spawn -m thread --smoke -r 1 --json "$work/none/run.json"
grep -q "$work/none/run.json" "$work/err" || fail "a file that cannot be written is not named"
status_of 0 "$plait" doctor
grep -q 'plait chooses' "$work/out" || fail "doctor does not say what plait chooses"
status_of 0 "$plait" doctor --json
python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert d["env"]["driver"] in ("io_uring", "epoll")' \
    "$work/out" || fail "doctor --json"

# Interrupted: the partial results are printed and written, and no process stays behind.
"$plait" bench cpu.primes -m inline -d 5s -r 3 --json "$work/partial.json" > "$work/out" 2> "$work/err" &
bench=$!
for _ in $(seq 500); do
    child=$(cat "/proc/$bench/task/$bench/children" 2> /dev/null)
    [ -n "$child" ] && break
    sleep 0.01
done
[ -n "$child" ] || fail "no repetition began"
kill -INT "$bench"
wait "$bench"
[ $? = 130 ] || fail "interrupted, it did not end with 130"
grep -q 'interrupted' "$work/out" || fail "the partial table does not say so"
python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["interrupted"]' "$work/partial.json" ||
    fail "the partial JSON"
for c in $child; do
    [ -d "/proc/$c" ] && fail "process $c is still there"
done
echo "the lab works from end to end"
