#!/bin/sh
# Builds the wheel, installs it into a place of its own and runs there, outside the checkout, what reads the files that
# ship and one way through the command and the window. The dependencies are those already installed.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
python=$(cd "$(dirname "$PYTHON")" && pwd)/$(basename "$PYTHON")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
(cd "$root" && "$python" -m hatchling build --target wheel --directory "$work/dist" >/dev/null)
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --target "$work/site" "$work"/dist/*.whl
cp -r "$root/tests" "$work/tests"
mkdir "$work/deploy"
cp "$root"/deploy/*.py "$work/deploy/"
cp "$root/pyproject.toml" "$root/README.md" "$root/README.zh.md" "$root/Makefile" "$work/"
# the files of the wheel come before those of the checkout
PYTHONPATH="$work/site" "$python" - <<'PY'
import sys

import events, projections, services
for package in (events, projections, services):
    assert "/site/" in package.__file__, f"expected {package.__name__} of the wheel, found {package.__file__}"
PY
PYTHONPATH="$work/site" "$python" -m services.cli --help >/dev/null # which imports every command
WITHOUT_SERVERS=1 PYTHONPATH="$work/site:$work" "$python" -m pytest -q -p no:cacheprovider --rootdir "$work" -o pythonpath= \
    tests/unit/test_district_files.py tests/unit/test_golden.py tests/unit/test_schema.py \
    tests/system/test_command_line.py tests/system/test_http.py \
    -k "not test_command_line and not test_http or all_acts_to_its_end or console_page or catalogue_names or openapi_lists or up_answers"
