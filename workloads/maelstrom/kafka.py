"""Maelstrom's `kafka`: logs by key, to which clients send messages and which they poll."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from math import ceil
from operator import eq
from typing import Any

from ostrakon.checkers.collections.kafka import kafka
from ostrakon.harness.generator import (
    Generator,
    OpRequest,
    Source,
    any_of,
    limit,
    on,
    repeat,
    sequence,
    stagger,
    time_limit,
    until,
    until_ok,
)
from ostrakon.harness.history import Op
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Client, Site
from ostrakon.workloads.maelstrom.client import MaelstromClient, Misanswered, completed, connected, told
from ostrakon.workloads.maelstrom.cluster import FINAL_TRIES_MAX, RECOVERY_S, maelstrom_workload, number_of
from ostrakon.workloads.maelstrom.micro_ops import KEYS, OPTIONS, WRITES_PER_KEY, MicroOp, micro_ops

_ASSIGNS = 1 / 8
"""The share of ops that assign keys to a client. A client polls only the keys that are assigned to it."""
_CRASHES = 1 / 100
"""The share of ops in which a client forgets what was assigned to it, as one that is started anew."""
_FINAL_POLLS_S = 10.0
"""How long each thread polls at most in the end."""


def _op(drawn: list[MicroOp], keys: tuple[int, ...], rng: random.Random) -> OpRequest:
    [(is_write, key, message)] = drawn
    share = rng.random()
    if share < _CRASHES:
        return OpRequest("crash")
    if share < _CRASHES + _ASSIGNS:
        assigned = rng.sample(keys, rng.randint(1, len(keys)))
        return OpRequest("assign", {"keys": [str(key) for key in sorted(assigned)], "from": "committed"})
    return OpRequest("send", [["send", str(key), message]]) if is_write else OpRequest("poll", [["poll"]])


def _ops(plan: Plan, rng: random.Random) -> Source:
    return micro_ops(plan, rng, _op, length_max=1)


def _final(plan: Plan, rng: random.Random) -> Generator:
    """Each thread gets a new client, which reads every key from the beginning to the end."""
    assign = OpRequest("assign", {"keys": _all_keys(plan), "from": "beginning"})

    def of(thread: int) -> Generator:
        polls = stagger(0.05, repeat(OpRequest("poll", [["poll"]])), rng=rng)
        steps = (
            OpRequest("crash"),
            until_ok(limit(FINAL_TRIES_MAX, stagger(0.1, repeat(assign), rng=rng))),
            time_limit(_FINAL_POLLS_S, until(_is_at_end, polls)),
        )
        return on(partial(eq, thread), sequence(*steps))

    return any_of(*map(of, range(plan.concurrency)))


def _all_keys(plan: Plan) -> list[str]:
    """Every key that a send can have had: the first ones, and a new one after so many sends."""
    ops_most = ceil(2 * plan.rate * plan.time_limit_s)
    writes = number_of(plan, "max_writes_per_key", WRITES_PER_KEY)
    return [str(key) for key in range(number_of(plan, "key_count", KEYS) + ops_most // writes)]


def _is_at_end(polled: Op) -> bool:
    return polled.type == "ok" and not any(polled.value[0][1].values())


class _Consumer:
    """A client that sends, and polls the keys that are assigned to it from where it is in each log."""

    def __init__(self, client: MaelstromClient) -> None:
        self._client = client
        self._offsets: dict[str, int] = {}
        """The offset of each assigned key to poll next."""

    async def apply(self, op: Op) -> Op:
        """Perform an op; a poll commits what it has read, and is ok only if that is done."""
        if op.f == "crash":
            self._offsets = {}
            return op.ok(node=self._client.node)
        return await completed(op, self._client.node, self._value(op))

    async def _value(self, op: Op) -> Any:
        match op.f:
            case "assign":
                return await self._assign(op.value["keys"], from_beginning=op.value["from"] == "beginning")
            case "send":
                [[_, key, message]] = op.value
                body = await self._client.rpc({"type": "send", "key": key, "msg": message})
                return [["send", key, [_offset(told(body, "send_ok", "offset")), message]]]
            case _:
                return [["poll", await self._poll()]]

    async def _assign(self, keys: list[str], *, from_beginning: bool) -> list[str]:
        committed: dict[str, int] = {}
        if not from_beginning:
            body = await self._client.rpc({"type": "list_committed_offsets", "keys": keys})
            committed = told(body, "list_committed_offsets_ok", "offsets")
        before = {} if from_beginning else self._offsets
        # As in Maelstrom, at the committed offset itself, whose message is read once more.
        self._offsets = {key: before.get(key, committed.get(key, 0)) for key in keys}
        return keys

    async def _poll(self) -> dict[str, list[list[Any]]]:
        if not self._offsets:
            return {}
        body = await self._client.rpc({"type": "poll", "offsets": self._offsets})
        read = {key: [_pair(pair) for pair in pairs] for key, pairs in told(body, "poll_ok", "msgs").items()}
        last = {key: max(offset for offset, _ in pairs) for key, pairs in read.items() if pairs}
        if last:
            told(await self._client.rpc({"type": "commit_offsets", "offsets": last}), "commit_offsets_ok")
        # Not before: if committing fails, so does the poll, and the next one is to read the same again.
        for key, offset in last.items():
            self._offsets[key] = max(self._offsets.get(key, 0), offset + 1)
        return read


def _pair(pair: Any) -> list[Any]:
    if not isinstance(pair, list) or len(pair) != 2:
        raise Misanswered(f"expected a polled message as [offset, message], got {pair!r:.60}")
    return [_offset(pair[0]), pair[1]]


def _offset(value: Any) -> int:
    if type(value) is not int:
        raise Misanswered(f"expected an offset, a whole number, got {value!r:.60}")
    return value


@asynccontextmanager
async def _connect(site: Site, process: int) -> AsyncIterator[Client]:
    async with connected(site, process) as client:
        yield _Consumer(client)


KAFKA = maelstrom_workload(
    name="kafka",
    about="Whether logs lose, double, skip or reorder messages between those who send and those who poll.",
    connect=_connect,
    ops=_ops,
    final=_final,
    checks=lambda plan, history: {"logs": lambda: kafka(history)},
    recovery_s=RECOVERY_S,
    options=OPTIONS,
)
