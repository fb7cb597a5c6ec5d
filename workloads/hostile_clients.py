"""The workload `hostile-clients`: some clients send every extreme that the protocol allows, and some that it
does not.

Beside them, ordinary clients add to a list and read it. No replica may end, whatever is sent; and where no
other fault is at work, the ordinary clients must be served about as quickly as they are without hostile ones.
"""

from __future__ import annotations

import dataclasses
import random
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec
import trio

from ostrakon.checkers.collections.set_full import set_full
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.generator import Generator, OpRequest, Source, drawn, numbered, repeat
from ostrakon.harness.history import History, Op
from ostrakon.harness.plan import Plan
from ostrakon.paxos_impl.client.connection import Connection, NoAnswer, Unsendable
from ostrakon.paxos_impl.kv.operation import KEY_LENGTH_MAX, LEASE_MS_MAX
from ostrakon.paxos_impl.server.replica_config import COMMAND_BYTES_MAX
from ostrakon.paxos_impl.wire.decree import framed
from ostrakon.paxos_impl.wire.frame import FRAME_MAX
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.replica import (
    AskStatus,
    Change,
    Done,
    Elsewhere,
    Execute,
    InGroup,
    OpenSession,
    Read,
    read_response,
)
from ostrakon.workloads.machine_bugs import HOSTILE_BUGS
from ostrakon.workloads.replicated_store import (
    COMPACTION,
    Checks,
    Operations,
    Session,
    address_of,
    shared_out,
    store_workload,
    until_done,
)
from ostrakon.workloads.set import SetClient

CONVERGED_WITHIN_S = 10.0
"""How long a replica may take to catch up: attacks leave long values."""
SNAPSHOTS = msgspec.structs.replace(COMPACTION, chunk_bytes=1 << 16)
"""Chunks are long, because attacks leave a megabyte of state, and a chunk takes a round trip."""
KEY = "ordinary"
SLOWER_MAX = 3.0
"""How many times as long an operation of an ordinary client may take while hostile clients are at work."""
FLOOR_S = 0.1
"""A latency that is never too long: a few round trips of the slowest network in a plan."""
SAMPLES_MIN = 20
ATTACK_S = 0.12
"""How long an attack lasts whose answers are not read, or which is not complete."""
READ = repeat(OpRequest("read"))


def _command(session: str, op: Any) -> list[bytes]:
    """An operation as a command, and as a read."""
    return [framed(Execute(2, session, 1, op)), framed(Read(3, op))]


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


ATTACKS: Mapping[str, Callable[[str], list[bytes]]] = {
    "longest key": lambda session: _command(session, ["put", "k" * KEY_LENGTH_MAX, 1]),
    "key too long": lambda session: _command(session, ["put", "k" * (KEY_LENGTH_MAX + 1), 1]),
    "empty key": lambda session: _command(session, ["put", "", 1]),
    "long value": lambda session: _command(session, ["put", "big", "v" * (COMMAND_BYTES_MAX - 200)]),
    "value too long": lambda session: _command(session, ["put", "big", "v" * (COMMAND_BYTES_MAX + 1)]),
    "long answer": lambda session: [
        framed(Execute(1, session, 1, ["put", "big", "v" * 600_000])),
        framed(Execute(2, session, 2, ["txn", [], [["get", "big"]] * 9])),
        framed(Read(3, ["txn", [], [["get", "big"]] * 9])),
    ],
    "deep value": lambda session: _command(session, ["put", "deep", _nested(60)]),
    "value too deep": lambda session: _command(session, ["put", "deep", _nested(500)]),
    "least integer": lambda session: _command(session, ["put", "int", -(2**63)]),
    "greatest integer": lambda session: _command(session, ["put", "int", 2**64 - 1]),
    "sum at its bound": lambda session: _command(session, ["add", "sum", 2**63 - 1]),
    "no number": lambda session: _command(session, ["put", "nan", float("nan")]),
    "bytes": lambda session: _command(session, ["put", "bytes", b"\x00\xff"]),
    "keys that are no text": lambda session: _command(session, ["put", "dict", {1: 2}]),
    "longest lease": lambda session: _command(session, ["acquire", "lock", "me", LEASE_MS_MAX]),
    "lease too long": lambda session: _command(session, ["acquire", "lock", "me", 2**64 - 1]),
    "longest lease on keys": lambda session: [
        framed(Execute(1, session, 1, ["grant", "l", LEASE_MS_MAX, 2**63 - 1])),
        framed(Execute(2, session, 2, ["put_leased", "leased", 1, "l"])),
    ],
    "ticks": lambda session: [framed(Execute(n, "/clock.1.0", n, ["tick", 2**63 - 1])) for n in range(1, 50)],
    "greatest token": lambda session: _command(session, ["release", "lock", 2**63 - 1]),
    "many operations": lambda session: _command(
        session, ["txn", [], [["put", f"t{n}", n] for n in range(2000)]]
    ),
    "widest range": lambda session: _command(session, ["range", "", None, 1000]),
    "range turned round": lambda session: _command(session, ["range", "z", "a", 1]),
    "numbers of commands": lambda session: [
        framed(Execute(n, session, number, ["put", "n", n]))
        for n, number in enumerate((0, -1, -(2**63), 2**62, 2**63 - 1, 2**64 - 1))
    ],
    "names of sessions": lambda session: [
        framed(OpenSession(n, name)) for n, name in enumerate(("", "x" * 5000, "/"))
    ],
    "nobody as members": lambda session: [framed(Change(1, ()))],
    "groups that are none": lambda session: [framed(InGroup(n, AskStatus(1))) for n in (-1, 1, 2**62)],
    "thousands at once": lambda session: [framed(Read(n, ["get", KEY])) for n in range(3000)],
    "half a frame": lambda session: [framed(Execute(1, session, 1, ["put", "k", "v" * 1000]))[:500]],
    "half a length": lambda session: [b"\0\0"],
    "longest frame": lambda session: [struct.pack(">I", FRAME_MAX) + b"\0" * 1000],
    "frame too long": lambda session: [struct.pack(">I", FRAME_MAX + 1) + b"\0" * 1000],
    "no message": lambda session: [struct.pack(">I", 5) + b"\xc1\xff\x00\x93\xa1"],
    "not even a frame": lambda session: [b"GET / HTTP/1.1\r\nHost: paxos\r\n\r\n"],
}
"""What to send, by name, given a session."""


class HostileOrOrdinary:
    """An ordinary client adds and reads; a hostile one connects anew for each attack."""

    def __init__(self, session: Session) -> None:
        self._session, self._elements = session, SetClient(session, KEY)

    async def apply(self, op: Op) -> Op:
        """Carry out an `add`, a `read` or an `attack`; an attack is ok once it was sent."""
        match op.f:
            case "add" | "read":
                return await self._elements.apply(op)
            case "attack":
                name, number = op.value
                nodes = self._session.nodes
                await _attack(address_of(nodes[number % len(nodes)]), ATTACKS[name])
                return op.ok()
        raise ValueError(f"elements can be added and read, and replicas attacked; there is no {op.f!r}")


async def _attack(address: Address, frames: Callable[[str], list[bytes]]) -> None:
    """Open a session with the leader, or with this replica if it knows none; send frames, and read no
    answer."""
    session = ""
    with suppress(NoAnswer, Unsendable), trio.move_on_after(ATTACK_S):
        for _ in range(2):
            connection = Connection(address, read_response)
            try:
                await connection.open()
                answer = await connection.ask(OpenSession(1, "hostile"))
            finally:
                await connection.drop()
            match answer:
                case Elsewhere(Address() as leader):
                    address = leader
                case Done(_, opened):
                    session = opened
                    break
    with suppress(OSError, trio.BrokenResourceError), trio.move_on_after(ATTACK_S):
        async with await trio.open_tcp_stream(*address) as stream:
            for frame in frames(session):
                await stream.send_all(frame)
            await trio.sleep_forever()


def add_read_and_attack(plan: Plan, rng: random.Random) -> Generator:
    """Adds and reads from the beginning, and attacks by one client, which come a little later."""
    adds = numbered(lambda number: OpRequest("add", number))
    attacks = drawn(lambda rng: OpRequest("attack", [rng.choice(sorted(ATTACKS)), rng.randrange(9)]), rng=rng)
    return shared_out(plan, rng, looks=READ, ops=adds, besides=attacks)


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Everyone adds and reads."""

    def ops_of(thread: int) -> list[Source]:
        return [numbered(lambda number: OpRequest("add", f"last {thread}.{number}")), READ]

    return until_done(plan, rng, ops_of)


def latency(history: History) -> Verdict:
    """Whether ordinary operations take at most `SLOWER_MAX` times as long while an attack is under way.

    Compares the 90th percentiles of operations during which an attack was under way, and of the others.
    """
    begun: dict[Any, Op] = {}
    attacks: list[tuple[int, int]] = []
    ordinary: list[tuple[int, int]] = []
    for op in history:
        if op.type == "invoke":
            begun[op.process] = op
        elif (invoked := begun.pop(op.process, None)) is not None and op.type == "ok":
            (attacks if op.f == "attack" else ordinary).append((invoked.time, op.time))
    during, alone = list[int](), list[int]()
    for first, last in ordinary:
        under = any(first <= end and start <= last for start, end in attacks)
        (during if under else alone).append(last - first)
    if min(len(during), len(alone)) < SAMPLES_MIN:
        why = f"{len(during)} operations were done during an attack and {len(alone)} were not"
        return Verdict.unknown(f"too few operations to compare: {why}")
    slow, usual = (sorted(each)[len(each) * 9 // 10] / 1e9 for each in (during, alone))
    if slow > max(SLOWER_MAX * usual, FLOOR_S):
        why = f"nine of ten operations took up to {slow:.3f} s during attacks, and {usual:.3f} s otherwise"
        return Verdict.of([Anomaly("slowed down", witness=(), why=why)])
    return Verdict.of([])


def checks(plan: Plan, history: History) -> Checks:
    """What ordinary clients see is a list; and, with no other faults, they see it in time."""
    found: dict[str, Callable[[], Verdict]] = {"set": lambda: set_full(history, linearizable=True)}
    if not plan.faults and (verdict := latency(history)).valid != "unknown":
        found["latency"] = lambda: verdict
    return found


_STORE = store_workload(
    name="hostile-clients",
    about="Hostile clients send extremes of the protocol: no replica ends, and others are served in time.",
    operations=Operations(HostileOrOrdinary, add_read_and_attack, all_at_last),
    checks=checks,
    bugs=HOSTILE_BUGS,
    compaction=SNAPSHOTS,
    defaults={"rate": 100.0},
)
assert _STORE.quiescence is not None, "the store has to converge"
HOSTILE_CLIENTS = dataclasses.replace(
    _STORE,
    model=None,
    quiescence=dataclasses.replace(_STORE.quiescence, most_s=CONVERGED_WITHIN_S),
)
"""Not on the model, which has no connections to attack."""
