"""Orders of starts and commits that are guessed from the time at which transactions ran.

Given an order of commits, it is quickly seen whether every read fits: a transaction starts after all that it
read was committed and before any of that is overwritten. Stores commit about when they answer, so two orders
are tried before a search. A wrong guess costs a pass over the history; a right one is still replayed."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np

from ostrakon.checkers.transactions.execution import INITIAL, Execution
from ostrakon.checkers.transactions.levels import Level
from ostrakon.checkers.transactions.table import NEVER, Ints

Event = tuple[Literal["start", "commit"], int]


def guessed_events(execution: Execution, level: Level) -> tuple[Event, ...] | None:
    """Starts and commits that satisfy a level whose transactions see a prefix of the commits, if a guess
    does."""
    if level.rule not in ("serial", "snapshot", "prefix") or level.items_only:
        return None
    last = int(execution.invoked.max(initial=0)) + 1
    done = np.minimum(execution.completed, last)
    for moment in (np.where(execution.completed == NEVER, execution.invoked, done), execution.invoked + done):
        order = np.argsort(moment, kind="stable")
        if _follows_chains(execution, order) and (events := _fitting(execution, level, order)) is not None:
            return events
    return None


def _follows_chains(execution: Execution, order: Ints) -> bool:
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    for chain, writers in zip(execution.chains, execution.writers, strict=True):
        if chain:
            known = set(chain)
            sequence = [*place[chain].tolist(), *sorted(place[w] for w in writers if w not in known)]
            if sequence != sorted(sequence):
                return False
    return True


def _fitting(execution: Execution, level: Level, order: Ints) -> tuple[Event, ...] | None:
    count = len(execution)
    place = [0] * count
    for at, member in enumerate(order.tolist()):
        place[member] = at
    earliest, latest = [-1] * count, list(place)
    following: list[dict[int, int]] = []
    for writers in execution.writers:
        versions = sorted(writers, key=place.__getitem__)
        following.append(dict(zip([INITIAL, *versions], versions, strict=False)))
        if level.rule == "snapshot":
            for before, after in pairwise(versions):
                earliest[after] = max(earliest[after], place[before])
    for read in execution.reads:
        reader = read.reader
        if read.source != INITIAL:
            earliest[reader] = max(earliest[reader], place[read.source])
        newer = following[read.key].get(read.source)
        if newer is not None and newer != reader:
            latest[reader] = min(latest[reader], place[newer])
    if level.order != "none":
        _bound_by_time(execution, level, place, earliest)
    if any(early >= late for early, late in zip(earliest, latest, strict=True)):
        return None
    if level.rule == "serial":
        if any(late < place[member] for member, late in enumerate(latest)):
            return None
        return tuple(("commit", member) for member in order.tolist())
    starts: list[list[int]] = [[] for _ in range(count)]
    for member, late in enumerate(latest):
        starts[late].append(member)
    events: list[Event] = []
    for at, member in enumerate(order.tolist()):
        events.extend(("start", starting) for starting in starts[at])
        events.append(("commit", member))
    return tuple(events)


def _bound_by_time(execution: Execution, level: Level, place: list[int], earliest: list[int]) -> None:
    """What ran before a transaction committed before that one starts."""
    moments = [(int(at), 0, member) for member, at in enumerate(execution.invoked)]
    moments += [(int(at), 1, member) for member, at in enumerate(execution.completed) if at != NEVER]
    process = execution.process.tolist()
    done: dict[int, int] = {}
    for _, is_done, member in sorted(moments):
        group = process[member] if level.order == "session" else 0
        if is_done:
            done[group] = max(done.get(group, -1), place[member])
        else:
            earliest[member] = max(earliest[member], done.get(group, -1))
