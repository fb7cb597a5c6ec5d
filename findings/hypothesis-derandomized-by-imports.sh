#!/usr/bin/env bash
# Hypothesis 6.170.15: a derandomized test draws other examples when a module that it does not use has been imported.
#
# With `derandomize=True` a test is to try the same examples in every run. Hypothesis also collects the literal numbers and
# strings of all imported modules of the project, and mixes them into what it draws. So the examples of a test depend on
# which other files are imported before it: one test file alone and the same file in the whole suite try different
# examples, and a number in an unrelated module changes both. A failure found in the suite may be absent when its test is
# run alone, with the same version, the same settings and an unchanged test.
#
# What the description of the setting leads one to expect: the examples depend on the test and the version of Hypothesis.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check hypothesis==6.170.15
mkdir "$folder/project"
cat >"$folder/project/unrelated.py" <<'PYTHON'
LIMITS = (987_654_321, 123_123_123, 55_555, 77_777)
PYTHON
cat >"$folder/project/draws.py" <<'PYTHON'
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

drawn: list[int] = []


@settings(derandomize=True, database=None, max_examples=300)
@given(st.integers())
def test(number: int) -> None:
    drawn.append(number)


if "with" in sys.argv:
    import unrelated  # noqa: F401
test()
print(drawn)
PYTHON
cd "$folder/project"
draws() { "$folder/venv/bin/python" draws.py "$@"; }
alone=$(draws) again=$(draws) beside=$(draws with)
test "$alone" = "$again" && echo "two runs of the test alone: the same 300 numbers"
test "$alone" != "$beside" && echo "with an unrelated module imported: other numbers"
grep -qE '987654321|123123123|55555|77777' <<<"$beside" && echo "among them literals of that module"
! grep -qE '987654321|123123123' <<<"$alone"
