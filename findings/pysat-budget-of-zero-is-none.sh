#!/usr/bin/env bash
# python-sat 1.9.dev24 (CPython 3.11): a budget of no conflicts is no budget, and how long a budget lasts depends on
# the solver.
#
# `conf_budget(n)` limits the next `solve_limited()` to n conflicts, which suggests that a caller who hands on what is
# left of a total may hand on 0. Every solver takes 0 as "without limit", as it takes a negative number. And a budget
# that was used up goes on to stop Glucose and MiniSat in the next call, until another one is set, whereas CaDiCaL has
# forgotten it: the second call runs to the end.
#
# Guess before the run: with 0 a hard problem is given up at once, and all solvers treat a second call alike.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check python-sat==1.9.dev24 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
from itertools import combinations

from pysat.solvers import Solver

HOLES = 6  # Seven pigeons: no solver says so without some hundred conflicts.


def sits(pigeon: int, hole: int) -> int:
    return pigeon * HOLES + hole + 1


clauses = [[sits(pigeon, hole) for hole in range(HOLES)] for pigeon in range(HOLES + 1)]
for hole in range(HOLES):
    clauses += [[-sits(one, hole), -sits(other, hole)] for one, other in combinations(range(HOLES + 1), 2)]

for name in ("cadical195", "glucose4", "minisat22"):
    with Solver(name=name, bootstrap_with=clauses) as solver:
        solver.conf_budget(0)
        answer, conflicts = solver.solve_limited(), solver.accum_stats()["conflicts"]
    with Solver(name=name, bootstrap_with=clauses) as solver:
        solver.conf_budget(50)
        first, second = solver.solve_limited(), solver.solve_limited()
    print(f"{name}: with 0 {answer} after {conflicts} conflicts; with 50 {first}, and {second} the next time")
    assert answer is False and conflicts > 50, "a budget of 0 is one now"
    assert first is None, "50 conflicts suffice now"
    assert second is (False if name == "cadical195" else None), "a budget lasts differently now"
print("as found: 0 means without limit, and only CaDiCaL's budget ends with the call")
PYTHON
