"""Sequential consistency: one order of all reads and writes that keeps the order of each process.

Lamport, "How to Make a Multiprocessor Computer That Correctly Executes Multiprocess Programs" (1979). The
problem is NP-complete. The search remembers the states that it has visited, and stops after a number of
steps.
"""

from __future__ import annotations

from ostrakon.checkers.consistency.accesses import Access, accesses, no_accesses
from ostrakon.checkers.value import Key
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Process

STEPS = 1_000_000


def sequential(history: History, *, steps: int = STEPS) -> Verdict:
    """Check sequential consistency of registers: one order of all ops that keeps the order of each process.

    Ops are `read` and `write`, with [key, value]. Real time does not count. The verdict is unknown if the
    search ended after `steps` steps.
    """
    if (other := no_accesses(history)) is not None:
        return other
    sessions: dict[Process, list[Access]] = {}
    for access in accesses(history):
        sessions.setdefault(access.process, []).append(access)
    if not any(not access.is_write for session in sessions.values() for access in session):
        return Verdict.unknown("nothing was read, so any order would do")
    search = _Search(list(sessions.values()), steps)
    if search.succeeds():
        return Verdict.passed("there is an order that explains every read", steps=search.taken)
    if search.taken > steps:
        return Verdict.unknown(f"no order was found within {steps} steps", steps=search.taken)
    return Verdict.of([search.obstacle()], steps=search.taken)


_Place = tuple[tuple[int, ...], tuple[tuple[Key, Key | None], ...]]
"""The number of executed ops of each process, and the values of the registers."""


class _Search:
    """A depth-first search. A read that is possible now is executed now, because it never prevents another
    op."""

    def __init__(self, sessions: list[list[Access]], steps: int) -> None:
        self._sessions, self._steps = sessions, steps
        self.taken = 0
        self._furthest: tuple[int, ...] = (0,) * len(sessions)

    def succeeds(self) -> bool:
        """Whether an order exists; False and undecided if `taken` exceeds the limit of steps."""
        waiting = [self._settled([0] * len(self._sessions), {})]
        seen: set[_Place] = set()
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            self.taken += 1
            at, held = place
            if sum(at) > sum(self._furthest):
                self._furthest = at
            if not any(self._must_happen(number, position) for number, position in enumerate(at)):
                return True
            if self.taken > self._steps:
                return False
            for number, position in enumerate(at):
                session = self._sessions[number]
                if position < len(session) and session[position].is_write:
                    moved = [*at]
                    moved[number] += 1
                    write = session[position]
                    waiting.append(self._settled(moved, {**dict(held), write.key: write.value}))
        return False

    def _must_happen(self, number: int, position: int) -> bool:
        """Whether an op is left that must be executed; a write that was never answered need not be."""
        rest = self._sessions[number][position:]
        return any(access.done is not None and access.done.type == "ok" for access in rest)

    def _settled(self, at: list[int], held: dict[Key, Key | None]) -> _Place:
        for number, session in enumerate(self._sessions):
            while at[number] < len(session):
                access = session[at[number]]
                if access.is_write or held.get(access.key) != access.value:
                    break
                at[number] += 1
        return tuple(at), tuple(sorted(held.items(), key=lambda item: repr(item[0])))

    def obstacle(self) -> Anomaly:
        """The reads at which the longest partial order ended."""
        stuck = [
            session[at]
            for session, at in zip(self._sessions, self._furthest, strict=True)
            if at < len(session) and not session[at].is_write
        ]
        named = "; ".join(str(access) for access in stuck)
        why = f"no order of the processes' operations explains every read; the longest ends before {named}"
        ops = sorted((op for access in stuck for op in access.ops), key=lambda op: op.index)
        return Anomaly("not sequential", why, tuple(ops))
