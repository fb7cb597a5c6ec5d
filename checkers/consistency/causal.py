"""Causal consistency: a process that observes an effect also observes its causes.

After Bouajjani, Enea, Guerraoui and Hamza, "On Verifying Causal Consistency" (POPL 2017): where every write
writes another value, a history is causally consistent exactly if it has none of a few bad patterns.
"""

from __future__ import annotations

from collections.abc import Iterator

from ostrakon.checkers.consistency.accesses import Access, accesses, no_accesses
from ostrakon.checkers.value import Key
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Process


def causal(history: History) -> Verdict:
    """Check causal consistency of registers; each write must have a different value.

    Ops are `read` and `write`, with [key, value]. The causal order consists of the order of each process, and
    of each write before the reads that return it.
    """
    if (other := no_accesses(history)) is not None:
        return other
    done = list(accesses(history))
    if not any(not access.is_write for access in done):
        return Verdict.unknown("nothing was read, so nobody can have seen an effect without its cause")
    writes: dict[tuple[Key, Key | None], Access] = {}
    for access in done:
        if access.is_write and writes.setdefault((access.key, access.value), access) is not access:
            return Verdict.unknown(f"{access} is the second of that value; each write must write another one")
    return Verdict.of(_bad_patterns(done, writes), reads=sum(not access.is_write for access in done))


_Clock = dict[Process, int]
"""For each process, the number of its accesses that precede."""


def _bad_patterns(done: list[Access], writes: dict[tuple[Key, Key | None], Access]) -> Iterator[Anomaly]:
    sessions: dict[Process, list[Access]] = {}
    for access in done:
        sessions.setdefault(access.process, []).append(access)
    for read in done:
        if not read.is_write and read.value is not None and (read.key, read.value) not in writes:
            yield Anomaly("thin air read", f"{read} sees what nobody wrote", read.ops)
    clocks, stuck = _clocks(sessions, writes)
    if stuck:
        why = f"{stuck[0]} needs a write that was only made because of it"
        yield Anomaly("cyclic causality", why, tuple(op for access in stuck for op in access.ops))
        return
    for process, session in sessions.items():
        for position, read in enumerate(session):
            if not read.is_write:
                source = writes.get((read.key, read.value))
                clock = clocks[process, position]
                yield from _overlooked(read, source, clock, sessions, clocks)


def _clocks(
    sessions: dict[Process, list[Access]], writes: dict[tuple[Key, Key | None], Access]
) -> tuple[dict[tuple[Process, int], _Clock], list[Access]]:
    """The predecessors of each access; if the order has a cycle, also the accesses on and after it."""
    place = {id(a): (process, at) for process, session in sessions.items() for at, a in enumerate(session)}
    clocks: dict[tuple[Process, int], _Clock] = {}
    reached = dict.fromkeys(sessions, 0)
    moved = True
    while moved:
        moved = False
        for process, session in sessions.items():
            while (at := reached[process]) < len(session):
                access = session[at]
                source = None if access.is_write else writes.get((access.key, access.value))
                if source is not None and place[id(source)] not in clocks:
                    break
                clock = {**clocks[process, at - 1], process: at} if at else {}
                if source is not None:
                    whose, when = place[id(source)]
                    for other, count in {**clocks[whose, when], whose: when + 1}.items():
                        clock[other] = max(clock.get(other, 0), count)
                clocks[process, at] = clock
                reached[process], moved = at + 1, True
    return clocks, [session[reached[p]] for p, session in sessions.items() if reached[p] < len(session)]


def _overlooked(
    read: Access,
    source: Access | None,
    clock: _Clock,
    sessions: dict[Process, list[Access]],
    clocks: dict[tuple[Process, int], _Clock],
) -> Iterator[Anomaly]:
    """A write that precedes the read and follows the write that the read returned."""
    if source is None and read.value is not None:
        return
    for process, count in clock.items():
        latest = _latest_write(sessions[process], count, read.key)
        if latest is None or sessions[process][latest] is source:
            continue
        newer = sessions[process][latest]
        if source is None:
            why = f"{read} does not see {newer}, which comes before it"
            yield Anomaly("overlooked write", why, (*newer.ops, *read.ops))
        elif _comes_before(source, clocks[process, latest], sessions):
            why = f"{read} does not see {newer}, which comes before it and after {source}"
            yield Anomaly("overlooked write", why, (*source.ops, *newer.ops, *read.ops))


def _latest_write(session: list[Access], count: int, key: Key) -> int | None:
    return next(
        (at for at in range(count - 1, -1, -1) if session[at].is_write and session[at].key == key), None
    )


def _comes_before(access: Access, clock: _Clock, sessions: dict[Process, list[Access]]) -> bool:
    return any(access is other for other in sessions[access.process][: clock.get(access.process, 0)])
