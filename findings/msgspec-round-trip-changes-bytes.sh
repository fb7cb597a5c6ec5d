#!/usr/bin/env bash
# msgspec 0.20.0 (CPython 3.11 to 3.13): encoding, decoding and encoding again gives other bytes, though the values are equal.
#
# A Struct does not look at the types of what its constructor is given, so a field declared `float` may hold an int. JSON
# then has `1`. Decoding makes a float of it, because the field says so, and the next encoding has `1.0`. The two structs
# compare equal. Whoever hashes the bytes, to name a plan or to compare two runs, gets two names for one value.
#
# Guess before the run: the constructor makes a float, or both encodings are `1`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check msgspec==0.20.0 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
import msgspec


class Speed(msgspec.Struct, frozen=True):
    rate: float = 0.0


made = Speed(1)
first = msgspec.json.encode(made)
read = msgspec.json.decode(first, type=Speed)
second = msgspec.json.encode(read)
print(first, second, made == read, hash(made) == hash(read))
assert made == read and hash(made) == hash(read)
assert (first, second) == (b'{"rate":1}', b'{"rate":1.0}'), "the bytes are stable now"
print("as found: equal structs, equal hashes, other bytes")
PYTHON
