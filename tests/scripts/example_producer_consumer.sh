#!/usr/bin/env bash
# What tasks and threads order is cooked by tasks and threads, each order once.
set -u
. "$PLAIT_SOURCE_DIR/tests/support/example_says.bash"
example_says producer_consumer '12 orders served, 0 left
by tasks and threads together: 12
cake 1
cake 2
cake 3
cake 4
soup 1
soup 2
soup 3
soup 4
tea 1
tea 2
tea 3
tea 4' cat 'io_uring epoll'
