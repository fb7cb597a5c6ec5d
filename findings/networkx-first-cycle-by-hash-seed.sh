#!/usr/bin/env bash
# networkx 3.6.1: which cycle `simple_cycles` yields first depends on PYTHONHASHSEED, even in length.
#
# The graph keeps nodes and edges in the order of their insertion, and `find_cycle` follows that order. `simple_cycles` goes through
# sets of nodes, so for nodes that are strings another hash seed gives another first cycle, here of two to six nodes. A
# checker that shows the first cycle as its witness gives another reason for the same history each time.
#
# Guess before the run: the order of insertion, as everywhere else in a DiGraph.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check networkx==3.6.1
cat >"$folder/program.py" <<'PYTHON'
import networkx

transactions = [f"T{number}" for number in range(6)]
graph = networkx.DiGraph((a, b) for a in transactions for b in transactions if a != b)
found = networkx.find_cycle(graph)
print("find_cycle", *(a for a, _ in found))
print("simple_cycles", *next(networkx.simple_cycles(graph)))
PYTHON
for seed in $(seq 1 12); do
  PYTHONHASHSEED=$seed "$folder/venv/bin/python" "$folder/program.py"
done | sort | uniq -c | tee "$folder/told"
[ "$(grep -c find_cycle "$folder/told")" = 1 ] || { echo "find_cycle differs, too"; exit 1; }
[ "$(grep -c simple_cycles "$folder/told")" -gt 1 ] || { echo "simple_cycles no longer differs"; exit 1; }
echo "as found: find_cycle is the same for all seeds, simple_cycles is not"
