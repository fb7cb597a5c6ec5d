#!/usr/bin/env bash
# edn_format 0.8.0 (CPython 3.11 to 3.13): a set of two EDN values comes back with one, a map of two keys with one entry.
#
# EDN's equality keeps an integer, a floating-point number and a boolean apart, so `#{1 true}` has two elements and
# `{1 :a true :b}` two entries. The reader builds Python sets and dicts, in which 1, 1.0 and True are one key. The later
# entry's value wins under the earlier entry's key, and nothing is raised, not even for what looks like a duplicate key.
#
# Guess before the run: the two values stay apart, or the reader refuses them as duplicates.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check edn_format==0.8.0 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
import edn_format

seen = {
    "#{1 true}": len(edn_format.loads("#{1 true}")),
    "#{1 1.0}": len(edn_format.loads("#{1 1.0}")),
    "{1 :a true :b}": dict(edn_format.loads("{1 :a true :b}")),
}
print(seen)
assert seen["#{1 true}"] == 1, "the set keeps both elements now"
assert seen["#{1 1.0}"] == 1, "the set keeps both numbers now"
assert list(seen["{1 :a true :b}"]) == [1], "the map keeps both keys now"
assert seen["{1 :a true :b}"][1] == edn_format.Keyword("b"), "the first value is kept now"
print("as found: one element, one element, and the entry 1 -> :b")
PYTHON
