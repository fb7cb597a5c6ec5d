"""Linearizability as a question to a SAT solver: for queues, stacks and sets of repeated values.

A search walks through states, and where the same few values come again and again there are exponentially
many of them. Here nothing is a state. The variables say which of two concurrent operations comes first, which
push a pop takes, and which write a read sees; the clauses say what a queue, a stack or a set may do. That the
order has no cycle is added lazily, three operations at a time, where a solution has one. The axioms are those
by which M. Emmi and C. Enea decide collections of unique values, "Sound, complete, and tractable
linearizability monitoring for concurrent collections" (POPL 2018), with the choice of the push left open.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ostrakon.checkers.linearizability.decision import Decision, Impossible, Linearized
from ostrakon.checkers.models.model import Operation
from ostrakon.harness.history.value import JsonBool

CollectionKind = Literal["queue", "stack", "set"]
Solver = Literal["g4", "cd153"]
"""Glucose, or CaDiCaL to confirm what Glucose says."""

_CLAUSES_AT_MOST: Final = 1_500_000
"""Beyond this the clauses alone take more than some hundred megabytes."""
_LEMMAS_AT_ONCE: Final = 5_000


class TooLarge(Exception):
    """The encoding would need too many clauses."""


@dataclass(frozen=True, slots=True)
class SolverGaveUp:
    """The solver gave up, or there were too many clauses to begin with."""


@dataclass(frozen=True, slots=True)
class SolverAnswer:
    """The answer of the solver."""

    decision: Decision | SolverGaveUp
    conflicts: int
    clauses: int


def decide_by_sat(
    ops: Sequence[Operation], kind: CollectionKind, *, conflicts: int | None, solver: Solver = "g4"
) -> SolverAnswer:
    """Whether one object's operations have a linearization, and what it took to find out.

    What is found to be an order is only believed if it is replayed; the caller does that.
    """
    problem = _Problem(ops)
    try:
        _ENCODINGS[kind](problem)
    except TooLarge:
        return SolverAnswer(SolverGaveUp(), 0, _CLAUSES_AT_MOST)
    return problem.solve(conflicts, solver)


class _Problem:
    """Operations as vertices, and literals that say which of two comes first."""

    def __init__(self, ops: Sequence[Operation]) -> None:
        self.ops = ops
        self.clauses: list[list[int]] = [[1]]
        self.true = 1
        """A literal that always holds: what the real time order settles is said by it or its opposite."""
        self._count = 1
        self._active: dict[int, int] = {}
        self._before: dict[tuple[int, int], int] = {}

    def variable(self) -> int:
        """A new variable."""
        self._count += 1
        return self._count

    def add(self, *literals: int) -> None:
        """One of these literals holds. Raises: TooLarge."""
        if self.true in literals:
            return
        if len(self.clauses) > _CLAUSES_AT_MOST:
            raise TooLarge
        self.clauses.append([literal for literal in literals if literal != -self.true])

    def active(self, a: int) -> int:
        """The literal that says that an operation took place: those that completed did."""
        if self.ops[a].known:
            return self.true
        if a not in self._active:
            self._active[a] = self.variable()
        return self._active[a]

    def before(self, a: int, b: int) -> int:
        """The literal that says that `a` comes before `b`."""
        if self.ops[a].returned < self.ops[b].invoked:
            return self.true
        if self.ops[b].returned < self.ops[a].invoked:
            return -self.true
        if a > b:
            return -self.before(b, a)
        if (a, b) not in self._before:
            self._before[a, b] = self.variable()
        return self._before[a, b]

    def exactly_one(self, literals: Sequence[int]) -> None:
        """One of these holds, and no two."""
        self.add(*literals)
        self.at_most_one(literals)

    def at_most_one(self, literals: Sequence[int]) -> None:
        """No two of these hold: a chain of variables, each of which says that one has been met by then."""
        met = -self.true
        for literal in literals:
            now = self.variable()
            self.add(-literal, now)
            self.add(-met, now)
            self.add(-literal, -met)
            met = now

    def solve(self, conflicts: int | None, name: Solver) -> SolverAnswer:
        """Ask the solver, add what a cyclic answer violates, and ask again."""
        from pysat.solvers import Solver as Pysat

        clauses = len(self.clauses)
        with Pysat(name=name, bootstrap_with=self.clauses) as solver:
            # An order by the end of each operation has no cycle, so the first answers have few.
            solver.set_phases(
                variable if self.ops[a].returned <= self.ops[b].returned else -variable
                for (a, b), variable in self._before.items()
            )
            spent = 0
            while True:
                if conflicts is not None:
                    solver.conf_budget(conflicts - spent)
                answer = solver.solve_limited() if conflicts is not None else solver.solve()
                spent = solver.accum_stats()["conflicts"]
                if answer is None or (conflicts is not None and spent >= conflicts):
                    return SolverAnswer(SolverGaveUp(), spent, clauses)
                if not answer:
                    return SolverAnswer(Impossible(np.arange(len(self.ops)), ""), spent, clauses)
                holds = self._holds(solver.get_model())
                order, lemmas = self._order(holds)
                if not lemmas:
                    return SolverAnswer(Linearized(np.array(order, np.int64)), spent, clauses)
                solver.append_formula(lemmas)

    def _holds(self, model: Sequence[int]) -> Callable[[int], bool]:
        true = {literal for literal in model if literal > 0}  # What no clause is about is not in the model.
        return lambda literal: literal in true if literal > 0 else -literal not in true

    def _order(self, holds: Callable[[int], bool]) -> tuple[list[int], list[list[int]]]:
        """Those that took place in order; or clauses that a cycle among them violates."""
        here = [
            a for a in range(len(self.ops)) if self.ops[a].known or holds(self._active.get(a, -self.true))
        ]
        after = self._real_time(here)
        undecided = sorted(set(here))
        present = set(undecided)
        for (a, b), variable in self._before.items():
            if a in present and b in present:
                first, second = (a, b) if holds(variable) else (b, a)
                after[first] |= 1 << second
        for a, b in self._free_pairs(here):
            # Nothing depends on which of these comes first, so the one that returns first does.
            first, second = (a, b) if self.ops[a].returned <= self.ops[b].returned else (b, a)
            after[first] |= 1 << second
        order = sorted(here, key=lambda a: -after[a].bit_count())
        return [self.ops[a].row for a in order], list(self._cycles(order, after))

    def _real_time(self, here: Sequence[int]) -> dict[int, int]:
        """For each operation, those that were invoked after it had returned, as bits."""
        later, by_invocation = 0, sorted(here, key=lambda a: -self.ops[a].invoked)
        after, at = {}, 0
        for a in sorted(here, key=lambda a: -self.ops[a].returned):
            while at < len(by_invocation) and self.ops[by_invocation[at]].invoked > self.ops[a].returned:
                later |= 1 << by_invocation[at]
                at += 1
            after[a] = later
        return after

    def _free_pairs(self, here: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Concurrent operations that no clause is about yet."""
        by_invocation = sorted(here, key=lambda a: self.ops[a].invoked)
        pending: list[int] = []
        for a in by_invocation:
            pending = [b for b in pending if self.ops[b].returned > self.ops[a].invoked]
            for b in pending:
                pair = (a, b) if a < b else (b, a)
                if pair not in self._before:
                    yield pair
            pending.append(a)

    def _cycles(self, order: Sequence[int], after: dict[int, int]) -> Iterator[list[int]]:
        """Clauses against cycles of three: whoever comes before more than another does, comes before it."""
        bits, found = 0, 0
        for b in order:
            wrong = after[b] & bits  # `b` is to come before some that have more after them.
            while wrong and found < _LEMMAS_AT_ONCE:
                lowest = wrong & -wrong
                wrong ^= lowest
                a = lowest.bit_length() - 1
                between = after[a] & ~after[b] & ~(1 << b)
                c = (between & -between).bit_length() - 1
                assert c >= 0, (a, b)
                yield [-self.before(b, a), -self.before(a, c), -self.before(c, b)]
                found += 1
            bits |= 1 << b


def _encode_collection(problem: _Problem, *, last_in_first_out: bool) -> None:
    """Which pop takes which push, and that it may."""
    ops, before = problem.ops, problem.before
    enters = "push" if last_in_first_out else "enqueue"
    pushes = [a for a, op in enumerate(ops) if op.f == enters]
    takers = [a for a, op in enumerate(ops) if op.f != enters and not (op.known and op.result is None)]
    empty = [a for a, op in enumerate(ops) if op.f != enters and op.known and op.result is None]
    by_value: dict[Hashable, list[int]] = {}
    for p in pushes:
        by_value.setdefault(ops[p].argument, []).append(p)
    takes: dict[tuple[int, int], int] = {}
    of_taker: dict[int, list[int]] = {}
    for o in takers:
        offered = by_value.get(ops[o].result, []) if ops[o].known else pushes
        of_taker[o] = [p for p in offered if before(p, o) != -problem.true]
        for p in of_taker[o]:
            takes[p, o] = problem.variable()
            problem.add(-takes[p, o], before(p, o))
            problem.add(-takes[p, o], problem.active(p))
            problem.add(-takes[p, o], problem.active(o))
        chosen = [takes[p, o] for p in of_taker[o]]
        if ops[o].known:
            problem.exactly_one(chosen)
        else:
            problem.at_most_one(chosen)
            problem.add(-problem.active(o), *chosen)  # One that found nothing might as well not have been.
    of_push: dict[int, list[int]] = {p: [] for p in pushes}
    for p, o in takes:
        of_push[p].append(o)
    for p, outs in of_push.items():
        problem.at_most_one([takes[p, o] for o in outs])
        if not ops[p].known:
            problem.add(-problem.active(p), *(takes[p, o] for o in outs))  # Nor need one that nobody took.
    gone: dict[tuple[int, int], int] = {}

    def gone_before(p: int, o: int) -> int:
        """Somebody took `p` before `o`."""
        if (p, o) not in gone:
            outs = [other for other in of_push[p] if other != o and before(other, o) != -problem.true]
            gone[p, o] = literal = problem.variable() if outs else -problem.true
            if outs:
                problem.add(-literal, *(takes[p, other] for other in outs))
                for other in outs:
                    problem.add(-literal, -takes[p, other], before(other, o))
                for other in of_push[p]:
                    if other == o or before(other, o) == -problem.true:
                        problem.add(-literal, -takes[p, other])
        return gone[p, o]

    for o in takers:
        for q in pushes:
            # `o` takes what lies under `q`, or stands behind it: then `q` must be gone.
            if last_in_first_out and before(q, o) == -problem.true:
                continue
            past = [
                p
                for p in of_taker[o]
                if p != q and (before(p, q) if last_in_first_out else before(q, p)) != -problem.true
            ]
            if not past:
                continue
            passes = problem.variable()
            for p in past:
                problem.add(-takes[p, o], -(before(p, q) if last_in_first_out else before(q, p)), passes)
            present = [-before(q, o)] if last_in_first_out else []
            problem.add(-passes, *present, -problem.active(q), gone_before(q, o))
    for e in empty:
        for p in pushes:
            if before(p, e) != -problem.true:
                problem.add(-before(p, e), -problem.active(p), gone_before(p, e))


def _encode_queue(problem: _Problem) -> None:
    _encode_collection(problem, last_in_first_out=False)


def _encode_stack(problem: _Problem) -> None:
    _encode_collection(problem, last_in_first_out=True)


def _encode_set(problem: _Problem) -> None:
    """Each element is there or not: who saw it so saw it from the last that added or removed it."""
    ops = problem.ops
    writers: dict[Hashable, dict[bool, list[int]]] = {}
    for a, op in enumerate(ops):
        if op.f in ("add", "remove"):
            writers.setdefault(op.argument, {True: [], False: []})[op.f == "add"].append(a)
    for r, element, seen in _sights(ops, writers):
        of_element = writers.get(element, {True: [], False: []})
        _sees(problem, r, of_element[seen], of_element[not seen], initially=not seen)


def _sights(ops: Sequence[Operation], elements: Iterable[Hashable]) -> Iterator[tuple[int, Hashable, bool]]:
    """Who saw which element, and whether it was there."""
    for a, op in enumerate(ops):
        if not op.known or op.f not in ("contains", "read"):
            continue
        if op.f == "contains":
            answer = op.result[1] if isinstance(op.result, tuple) else op.result
            yield a, op.argument, bool(answer)
            if not isinstance(answer, JsonBool):
                yield a, object(), True  # As impossible as to see what nobody has added.
        else:
            shown = dict.fromkeys(op.result or ())
            if len(shown) < len(op.result or ()):
                yield a, object(), True  # No set shows an element twice.
            for element in {**dict.fromkeys(elements), **shown}:
                yield a, element, element in shown


def _sees(problem: _Problem, r: int, same: Sequence[int], other: Sequence[int], *, initially: bool) -> None:
    before, true = problem.before, problem.true
    against = [w for w in other if before(w, r) != -true]
    sources: list[int] = []
    if initially:
        sources.append(problem.variable())
        for w in against:
            problem.add(-sources[0], -problem.active(w), before(r, w))
    for w in same:
        if before(w, r) == -true or any(
            problem.ops[v].known and before(w, v) == true and before(v, r) == true for v in against
        ):
            continue
        sources.append(problem.variable())
        problem.add(-sources[-1], before(w, r))
        problem.add(-sources[-1], problem.active(w))
        for v in against:
            problem.add(-sources[-1], -problem.active(v), before(v, w), before(r, v))
    problem.add(*sources)


_ENCODINGS: Final[dict[CollectionKind, Callable[[_Problem], None]]] = {
    "queue": _encode_queue,
    "stack": _encode_stack,
    "set": _encode_set,
}
