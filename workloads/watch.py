"""The workload `watch`: clients change keys, and others watch the changes, from one replica after another.

A watcher goes on after the last slot that it was told of, at another replica each time. What must hold: no
change is missing, none is told twice, and all watchers are told the same.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from itertools import pairwise
from typing import Any, NamedTuple

import trio
from msgspec.structs import replace

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.generator import Generator, OpRequest, Source, drawn, mix, numbered, repeat
from ostrakon.harness.history import History, Op, Process
from ostrakon.harness.history.value import thaw
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Refused, SeededBug
from ostrakon.paxos_impl.client.session import NotDone
from ostrakon.paxos_impl.client.watching import TooOld
from ostrakon.paxos_impl.client.watching import watch as watched
from ostrakon.paxos_impl.kv.operation import Delete, Put
from ostrakon.paxos_impl.server.change_log import ChangeLog
from ostrakon.paxos_impl.wire.replica import KeyChange
from ostrakon.workloads.log_bugs import Breakage
from ostrakon.workloads.replicated_store import (
    ATTEMPT_S,
    Checks,
    Operations,
    Session,
    address_of,
    shared_out,
    store_workload,
    until_done,
)

KEYS = ("w0", "w1", "w2")
PREFIX = "w"
WATCH_S = 0.2
"""How long one operation watches."""
WATCH = repeat(OpRequest("watch"))


class WatchClient:
    """A client that changes keys, and watches from where it stopped."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._upto: int | None = None
        self._turn = session.process

    async def apply(self, op: Op) -> Op:
        """Execute a `put` of [key, value], a `delete` of a key, or a `watch`, ok with [after, upto, changes].

        A change is [slot, key, value]; `after` and `upto` are slots.
        """
        match op.f:
            case "put":
                done = await self._session.execute(Put(*op.value))
                return replace(op, type="ok", slot=done.slot)
            case "delete":
                done = await self._session.execute(Delete(op.value))
                return replace(op, type="ok", slot=done.slot)
            case "watch":
                return replace(op, type="ok", value=await self._watch())
        raise ValueError(f"keys can be put, deleted and watched; there is no {op.f!r}")

    async def _watch(self) -> list[Any]:
        """The changes since the last watch, or from now on."""
        nodes = self._session.nodes
        self._turn = first = (self._turn + 1) % len(nodes)
        addresses = [address_of(node) for node in (*nodes[first:], *nodes[:first])]
        after = upto = self._upto
        changes: list[list[Any]] = []
        batches = watched(addresses, PREFIX, after=after, attempt_s=ATTEMPT_S)
        try:
            with trio.move_on_after(WATCH_S):
                async with aclosing(batches):
                    async for batch in batches:
                        after = batch.upto if after is None else after
                        changes += [[change.slot, change.key, change.value] for change in batch.changes]
                        upto = batch.upto
        except TooOld as why:
            self._upto = None
            raise Refused(str(why)) from why
        if upto is None:
            raise NotDone("no replica told anything")
        self._upto = upto
        return [after, upto, changes]


def change_and_watch(plan: Plan, rng: random.Random) -> Generator:
    """Puts of distinct values and some deletions; a quarter of the clients watch, and one of the others."""
    puts = numbered(lambda number: OpRequest("put", [KEYS[number % len(KEYS)], number]))
    deletions = drawn(lambda rng: OpRequest("delete", rng.choice(KEYS)), rng=rng)
    return shared_out(plan, rng, looks=WATCH, ops=mix(puts, deletions, rng=rng), besides=WATCH)


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Each client puts, deletes and watches."""

    def ops_of(thread: int) -> list[Source]:
        put = numbered(lambda number: OpRequest("put", [KEYS[thread % len(KEYS)], f"last {thread}.{number}"]))
        return [WATCH, put, repeat(OpRequest("delete", KEYS[thread % len(KEYS)])), WATCH, WATCH]

    return until_done(plan, rng, ops_of)


class _Watch(NamedTuple):
    """What a watcher was told, in one operation or in several that continue each other."""

    begun: Op
    first: Op
    """The `ok` of the first operation."""
    ended: Op
    """The `ok` of the last operation."""
    after: int
    upto: int
    changes: tuple[tuple[int, str, Any], ...]

    def __str__(self) -> str:
        return f"process {self.begun.process}, which watched slots {self.after + 1} to {self.upto},"


class _PutOp(NamedTuple):
    begun: Op
    key: str
    value: Any
    ended: Op | None
    """Its `ok`, with a slot that is not before that of the change."""


def unbroken(history: History) -> Verdict:
    """Whether each watcher was told every change of its slots once, in their order.

    All watchers of a slot are told the same changes of it. A watcher is told each put that was begun after
    the first slot of its watch was known, and was acknowledged at a slot that the watch includes. No put is
    told twice, and none that was never begun.
    """
    puts = [
        _PutOp(asked, asked.value[0], asked.value[1], done if done and done.type == "ok" else None)
        for asked, done in history.pairs
        if asked.f == "put"
    ]
    watches = list(_watches(history))
    found = (
        *(anomaly for watch in watches for anomaly in _misplaced(watch, puts)),
        *(anomaly for watch in watches for anomaly in _missing(watch, puts)),
        *_disagreements(watches),
    )
    if not found and not any(watch.changes for watch in watches):
        return Verdict.unknown("no watcher was told of a change")
    return Verdict.of(found, changes=sum(len(watch.changes) for watch in watches))


def _watches(history: History) -> Iterator[_Watch]:
    """What each watcher was told, from each beginning on."""
    last: dict[Process, _Watch] = {}
    for asked, done in history.pairs:
        if asked.f != "watch" or done is None or done.type != "ok":
            continue
        after, upto, changes = thaw(done.value)
        told = _Watch(asked, done, done, after, upto, tuple(map(tuple, changes)))
        before = last.get(asked.process)
        if before is not None and before.upto == after:
            told = _Watch(
                before.begun, before.first, done, before.after, upto, (*before.changes, *told.changes)
            )
        elif before is not None:
            yield before
        last[asked.process] = told
    yield from last.values()


def _misplaced(watch: _Watch, puts: Sequence[_PutOp]) -> Iterator[Anomaly]:
    known = {(put.key, put.value) for put in puts}
    seen: set[tuple[str, Any]] = set()
    for slot, key, value in watch.changes:
        if not watch.after < slot <= watch.upto:
            yield _anomaly("misplaced change", watch, f"was told {key}={value!r} of slot {slot}")
        if value is None:
            continue
        if (key, value) not in known:
            yield _anomaly("phantom change", watch, f"was told {key}={value!r}, which nobody has put")
        if (key, value) in seen:
            yield _anomaly("change told twice", watch, f"was told {key}={value!r} twice")
        seen.add((key, value))
    for one, two in pairwise(watch.changes):
        if two[0] < one[0]:
            yield _anomaly("changes out of order", watch, f"was told slot {two[0]} after slot {one[0]}")


def _missing(watch: _Watch, puts: Sequence[_PutOp]) -> Iterator[Anomaly]:
    told = {(key, value) for _, key, value in watch.changes}
    for put in puts:
        if put.ended is None or (put.key, put.value) in told:
            continue
        # When the first of its operations was over, the slot was known after which the watch goes on.
        is_later = put.begun.index > watch.first.index
        if is_later and watch.after < (put.ended.slot or 0) <= watch.upto:
            why = f"was not told {put.key}={put.value!r}, which was put in slot {put.ended.slot} or before it"
            yield _anomaly("change missing", watch, why, put.begun, put.ended)


def _disagreements(watches: Sequence[_Watch]) -> Iterator[Anomaly]:
    """Slots of which two watchers were told different changes."""
    for place, one in enumerate(watches):
        for two in watches[place + 1 :]:
            first, last = max(one.after, two.after) + 1, min(one.upto, two.upto)
            mine, theirs = ([each for each in w.changes if first <= each[0] <= last] for w in (one, two))
            if mine != theirs:
                other = [each for each in (*mine, *theirs) if each not in mine or each not in theirs]
                shown = other[0] if other else theirs[0]
                why = f"and process {two.begun.process} were told different changes: {shown}"
                yield _anomaly("watchers differ", one, why, two.begun, two.ended)


def _anomaly(name: str, watch: _Watch, why: str, *more: Op) -> Anomaly:
    return Anomaly(name, f"{watch} {why}", (watch.begun, watch.ended, *more))


def checks(plan: Plan, history: History) -> Checks:
    """No watcher misses a change or is told one twice."""
    verdict = unbroken(history)
    found: dict[str, Callable[[], Verdict]] = {}
    if verdict.valid != "unknown":  # A short trial may have no change while somebody watches.
        found["watch"] = lambda: verdict
    return found


class _TellsTheSlotAgain(ChangeLog):
    """Tells the changes of the slot again after which a watch goes on."""

    def after(self, slot: int, start: str, end: str | None) -> tuple[int, list[KeyChange]]:
        return super().after(max(self.oldest, slot - 1), start, end)


class _TellsPartOfASlot(ChangeLog):
    """Tells the first changes only, when there are several, but the slot up to which they all are."""

    def after(self, slot: int, start: str, end: str | None) -> tuple[int, list[KeyChange]]:
        upto, found = super().after(slot, start, end)
        return upto, found[:2]


class _GoesOnOverSnapshots(ChangeLog):
    """Does not note that changes are unknown which a snapshot of another replica contains."""

    def reset(self, slot: int) -> None:
        oldest, kept = self.oldest, list(self._kept)
        super().reset(slot)
        self.oldest = oldest
        self._kept.extend(kept)


def _changes(name: str, about: str, changes: type[ChangeLog]) -> SeededBug:
    return SeededBug(name, about, Breakage(changes=changes), convicted_by=("watch",))


WATCH_BUGS = {
    bug.name: bug
    for bug in (
        _changes(
            "watch-tells-slot-again", "a watch that goes on is told the last slot again", _TellsTheSlotAgain
        ),
        _changes(
            "watch-tells-a-part",
            "of several changes only two are told, and the rest is left out",
            _TellsPartOfASlot,
        ),
        _changes(
            "watch-over-snapshots",
            "a replica that fetched a snapshot tells changes as if it had executed all slots",
            _GoesOnOverSnapshots,
        ),
    )
}
WATCH_KEYS = dataclasses.replace(
    store_workload(
        name="watch",
        about="Watches of keys: no change is missing or told twice, whichever replica tells it.",
        operations=Operations(WatchClient, change_and_watch, all_at_last),
        checks=checks,
        bugs=WATCH_BUGS,
        defaults={"rate": 150.0},
    ),
    model=None,
)
"""Not on the model, which has no streams of answers."""
