#!/usr/bin/env bash
# What the tasks wait for and where they stand; how long, and the task's id, differ.
set -u
. "$PLAIT_SOURCE_DIR/tests/support/example_says.bash"
same_each_time() {
  sed -E 's/\([0-9.]+ [a-z]+\)/(a while)/; s/^[0-9a-f]+ refresh/ID refresh/; s|at .*/examples/|at examples/|'
}
expected=$(cat <<'END'
Which tasks are there, and what does each wait for?
service  waits for end of its children (a while) at stuck.cpp:56
├─ refresh  waits for event 'reply of the database' (a while) at stuck.cpp:18
├─ request 1  waits for mutex 'cache', held by refresh since stuck.cpp:21 (a while) at stuck.cpp:26
├─ request 2  waits for mutex 'cache', held by refresh since stuck.cpp:21 (a while) at stuck.cpp:26
└─ visitor  running

Both requests want the cache. Its holder has taken it in one line and stands in another:
ID refresh  waits for event 'reply of the database' (a while) at stuck.cpp:18
  ask_database
    at examples/stuck.cpp:18
  refresh
    at examples/stuck.cpp:22

Is it a deadlock? No, somebody may still reply.

The database replies:
  a request is answered
  a request is answered
END
)
example_says stuck "$expected" same_each_time
