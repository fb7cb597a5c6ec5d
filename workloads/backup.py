"""The workload `backup`: clients add to several lists, while one takes backups of the running cluster.

A backup must show the lists after one slot: all that was added up to it, nothing that was added after it, and
nothing less than what was acknowledged before the backup began.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.generator import Generator, OpRequest, Source, numbered, repeat
from ostrakon.harness.history import History, Op
from ostrakon.harness.history.value import thaw
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import SeededBug
from ostrakon.paxos_impl.client.backup import take_backup
from ostrakon.paxos_impl.client.connection import NoAnswer
from ostrakon.paxos_impl.client.session import NotDone
from ostrakon.paxos_impl.core.multi import LogRules
from ostrakon.paxos_impl.kv.operation import Append, Get, Transaction
from ostrakon.paxos_impl.kv.sessions import Sessions
from ostrakon.paxos_impl.kv.store import Store
from ostrakon.paxos_impl.storage.backup import read_backup
from ostrakon.workloads.log_bugs import Breakage
from ostrakon.workloads.replicated_store import (
    ATTEMPT_S,
    PATIENCE_S,
    Checks,
    Operations,
    Session,
    address_of,
    shared_out,
    store_workload,
    until_done,
)

KEYS = ("b0", "b1", "b2")
"""Several lists, so that a backup of several slots shows as one list that is ahead of another."""
READ, TAKE = repeat(OpRequest("read")), repeat(OpRequest("backup"))


class BackupClient:
    """A client that adds, reads all lists, and takes backups."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def apply(self, op: Op) -> Op:
        """Execute an `add` of [key, element], a `read` or a `backup`; these two are ok with [slot, lists]."""
        match op.f:
            case "add":
                key, element = op.value
                done = await self._session.execute(Append(key, element))
                return op.ok(slot=done.slot)
            case "read":
                done = await self._session.look(Transaction((), tuple(Get(key) for key in KEYS)))
                lists = {key: held or [] for key, held in zip(KEYS, done.result, strict=True)}
                return op.ok([done.slot, lists], slot=done.slot)
            case "backup":
                # A backup may come after the last operation, and have its slot; so the op itself has none.
                return op.ok(await self._backup())
        raise ValueError(f"elements can be added and read, and backups taken; there is no {op.f!r}")

    async def _backup(self) -> list[Any]:
        """The slot of a backup, and the lists that a cluster begins with that is restored from its file."""
        nodes, first = self._session.nodes, self._session.process
        first %= len(nodes)
        addresses = [address_of(node) for node in (*nodes[first:], *nodes[:first])]
        try:
            taken = await take_backup(addresses, timeout_s=PATIENCE_S, attempt_s=ATTEMPT_S)
        except NoAnswer as why:
            raise NotDone(str(why)) from why
        [group] = read_backup(b"".join(taken.pieces()), "backup").groups
        restored = Store()
        Sessions(restored).restore(group.state)
        return [group.slot, {key: restored.execute(["get", key]) or [] for key in KEYS}]


def add_and_back_up(plan: Plan, rng: random.Random) -> Generator:
    """Adds of distinct elements, reads, and backups by one client."""
    return shared_out(plan, rng, looks=READ, ops=_adds(), besides=TAKE)


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Each client adds and reads; the first one takes a backup, too."""

    def ops_of(thread: int) -> list[Source]:
        add = OpRequest("add", [KEYS[thread % len(KEYS)], f"last {thread}"])
        return [repeat(add), READ, *([TAKE] if thread == 0 else [])]

    return until_done(plan, rng, ops_of)


def _adds() -> Source:
    return numbered(lambda number: OpRequest("add", [KEYS[number % len(KEYS)], number]))


def prefixes(history: History) -> Verdict:
    """Whether each backup and each read shows what was added up to one slot.

    Of two views, the one of the earlier slot is a prefix of the other, list by list. A view has each element
    that was acknowledged at its slot or an earlier one, or before the view was begun, or before another
    element was begun that the view has. The slot of an acknowledgement may be a later one than that of the
    element: a command that was sent again is executed in the slot that came first.
    """
    first_begun: dict[tuple[str, Any], int] = {}
    begun: dict[Any, tuple[Op, int]] = {}
    added: list[_Addition] = []
    views: list[_View] = []
    for op in history:
        if op.type == "invoke":
            begun[op.process] = op, len(added)
            if op.f == "add":
                key, element = op.value
                first_begun.setdefault((key, element), op.index)
        elif op.type == "ok" and op.f == "add":
            key, element = op.value
            added.append(_Addition(op, key, element))
        elif op.type == "ok" and op.f in ("backup", "read"):
            slot, lists = thaw(op.value)
            views.append(_View(op, *begun[op.process], slot, lists))
    backups = sum(view.op.f == "backup" for view in views)
    if not backups:
        return Verdict.unknown("no backup was taken")
    views.sort(key=lambda view: (view.slot, sum(map(len, view.lists.values()))))
    return Verdict.of((*_no_prefixes(views), *_missing_elements(views, added, first_begun)), backups=backups)


class _Addition(NamedTuple):
    op: Op
    key: str
    element: Any

    @property
    def slot(self) -> int:
        return self.op.slot or 0


class _View(NamedTuple):
    """A backup or a read."""

    op: Op
    invoked: Op
    known: int
    """How many additions were acknowledged before it was begun."""
    slot: int
    lists: dict[str, list[Any]]

    @property
    def is_of_whole_slot(self) -> bool:
        """Whether it shows all commands of its slot. A read by the log is itself one of them."""
        return self.op.f == "backup"

    def __str__(self) -> str:
        return f"the {self.op.f} of slot {self.slot}"


def _no_prefixes(views: list[_View]) -> Iterator[Anomaly]:
    for earlier, later in pairwise(views):
        for key in KEYS:
            shown, longer = earlier.lists[key], later.lists[key]
            if longer[: len(shown)] != shown:
                why = f"{earlier} shows {shown} at {key}, which is no prefix of {longer} in {later}"
                yield Anomaly("not a prefix", why, (earlier.op, later.op))


def _missing_elements(
    views: list[_View], added: list[_Addition], first_begun: dict[tuple[str, Any], int]
) -> Iterator[Anomaly]:
    for view in views:
        shown = [(key, element) for key, elements in view.lists.items() for element in elements]
        latest = max((first_begun.get(each, -1) for each in shown), default=-1)
        for key, element in shown:
            if (key, element) not in first_begun:
                yield Anomaly(
                    "phantom", f"{view} shows {element!r} at {key}, which was never added", (view.op,)
                )
        for place, add in enumerate(added):
            if add.element in view.lists[add.key]:
                continue
            if place < view.known:
                why = f"{view} lacks {add.element!r}, which was acknowledged before it was begun"
                yield Anomaly("acknowledged element missing", why, (add.op, view.invoked, view.op))
            elif add.slot < view.slot or (add.slot == view.slot and view.is_of_whole_slot):
                why = f"{view} lacks {add.element!r}, which was added in slot {add.slot}"
                yield Anomaly("earlier element missing", why, (add.op, view.op))
            elif add.op.index < latest:
                why = f"{view} lacks {add.element!r}, but shows one that was begun when this was acknowledged"
                yield Anomaly("earlier element missing", why, (add.op, view.op))


def checks(plan: Plan, history: History) -> Checks:
    """Each backup is a prefix of the history."""
    return {"backups": lambda: prefixes(history)}


class _BacksUpThePast(LogRules):
    def may_back_up(self, executed: int, acknowledged: int) -> bool:
        return True


BACKUP_BUGS = {
    "backup-of-the-past": SeededBug(
        "backup-of-the-past",
        "a replica that is behind gives its state for a backup",
        Breakage(rules=_BacksUpThePast()),
        convicted_by=("backups",),
    )
}
BACKUP = dataclasses.replace(
    store_workload(
        name="backup",
        about="Backups of a running cluster: each shows what was acknowledged, after one slot.",
        operations=Operations(BackupClient, add_and_back_up, all_at_last),
        checks=checks,
        bugs=BACKUP_BUGS,
        defaults={"rate": 120.0},
    ),
    model=None,
)
"""Not on the model, which has no streams of answers."""
