#!/usr/bin/env bash
# Each of the things that were waited for, once.
set -u
. "$PLAIT_SOURCE_DIR/tests/support/example_says.bash"
example_says select_loop 'a day:
order 1: bread
the bell rings
order 2: butter
closing time, after 2 orders
  nobody answers
a day that ends early:
order 1: bread
the bell rings
order 2: butter
the last customer has left'
