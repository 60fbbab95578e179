#!/bin/sh
# All tests, those of the whole system beside the others: each half spends much of its time waiting for servers.
set -u
cd "$(dirname "$0")/.."
told=$(mktemp)
trap 'rm -f "$told"' EXIT
"$BIN/pytest" tests/unit tests/contract tests/flow >"$told" 2>&1 &
parts=$!
"$BIN/pytest" tests/system
system=$?
wait "$parts"
parts=$?
cat "$told"
exit $((system || parts))
