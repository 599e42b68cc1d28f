#!/usr/bin/env bash
# Everything arrives, and nobody is further ahead than the channels have room.
set -u
. "$PLAIT_SOURCE_DIR/tests/support/example_says.bash"
example_says pipeline '20 lines read, 20 measured, 131 characters
the reader was at most 8 lines ahead'
