"""Sequential consistency: one order of all reads and writes that each process would agree with.

Lamport, "How to Make a Multiprocessor Computer That Correctly Executes Multiprocess Programs" (1979). To
decide it is hard in general; the search remembers where it has been, and gives up after so many steps.
"""

from __future__ import annotations

from ostrakon.checkers.consistency.accesses import Access, accesses, no_accesses
from ostrakon.checkers.value import Key
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Process

STEPS = 1_000_000


def sequential(history: History, *, steps: int = STEPS) -> Verdict:
    """Reads and writes of registers fit into one order that keeps to that of each process, not to real time.

    Ops are `read` and `write`, with [key, value]. Unknown if no such order was found within so many `steps`.
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
"""How far each process has come, and what the registers hold then."""


class _Search:
    """Depth first. A read that can be answered now is answered now: that never stands in anyone's way."""

    def __init__(self, sessions: list[list[Access]], steps: int) -> None:
        self._sessions, self._steps = sessions, steps
        self.taken = 0
        self._furthest: tuple[int, ...] = (0,) * len(sessions)

    def succeeds(self) -> bool:
        """Whether there is an order; undecided, and False, if `taken` exceeds the steps there were."""
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
        """Whether something is left that did happen; writes of which nothing was heard need not."""
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
        """The reads at which the longest attempt ended."""
        stuck = [
            session[at]
            for session, at in zip(self._sessions, self._furthest, strict=True)
            if at < len(session) and not session[at].is_write
        ]
        named = "; ".join(str(access) for access in stuck)
        why = f"no order of the processes' operations explains every read; the longest ends before {named}"
        ops = sorted((op for access in stuck for op in access.ops), key=lambda op: op.index)
        return Anomaly("not sequential", why, tuple(ops))
