#!/bin/sh
# All tests in two halves at once, each of which spends much of its time waiting for servers: those of the whole system,
# and the others together with the long replay in one process.
set -u
cd "$(dirname "$0")/.."
told=$(mktemp)
trap 'rm -f "$told"' EXIT
"$BIN/pytest" --durations 12 tests/unit tests/contract tests/flow tests/system/test_replay.py >"$told" 2>&1 &
parts=$!
"$BIN/pytest" --durations 12 tests/system --ignore tests/system/test_replay.py
system=$?
wait "$parts"
parts=$?
cat "$told"
exit $((system || parts))
