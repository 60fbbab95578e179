#!/bin/sh
# All tests in three lanes at once, each of which spends some of its time waiting: the whole system in many processes and
# what any adapter must keep, the whole system in one, and the parts. What is new in tests/system runs in the second.
set -u
cd "$(dirname "$0")/.."
told=$(mktemp -d)
trap 'rm -rf "$told"' EXIT

apart="tests/contract"
ignored=""
for name in commands_on_postgres departments deploy faults hotlines killing local permissions provisioning servers terminals; do
    apart="$apart tests/system/test_$name.py"
    ignored="$ignored --ignore tests/system/test_$name.py"
done

"$BIN/pytest" --durations 12 tests/unit tests/flow >"$told/parts" 2>&1 &
parts=$!
# shellcheck disable=SC2086  # words, each an argument
"$BIN/pytest" --durations 12 tests/system $ignored >"$told/together" 2>&1 &
together=$!
# shellcheck disable=SC2086
"$BIN/pytest" --durations 12 $apart
apart=$?
wait "$together"
together=$?
cat "$told/together"
wait "$parts"
parts=$?
cat "$told/parts"
exit $((apart || together || parts))
