"""The workload `registry`: instances register, register again from other hosts, and read the view.

The first node is the registry. The other nodes are hosts of instances: they forward requests to the registry,
so that faults of links and hosts affect registrations.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from operator import eq

import trio
from msgspec.structs import replace

from ostrakon.checkers.coordination.registrations import registrations
from ostrakon.checkers.run.evidence import evidence
from ostrakon.checkers.run.stats import stats
from ostrakon.checkers.run.termination import termination
from ostrakon.checkers.verdict import Verdict, guarded
from ostrakon.harness.client import is_answered
from ostrakon.harness.generator import (
    Generator,
    OpRequest,
    any_of,
    limit,
    numbered,
    on,
    repeat,
    sequence,
    stagger,
    until_ok,
)
from ostrakon.harness.history import History, Op, Trace
from ostrakon.harness.plan import Latency, Plan
from ostrakon.harness.workload import Leeway, Refused, SeededBug, Site, Workload
from ostrakon.paxos_impl.registry.server import (
    GetMembership,
    Register,
    Registry,
    RegistryAnswer,
    RegistryRequest,
    View,
    ask_registry,
    serve_registry,
)
from ostrakon.paxos_impl.registry.state import Denied, Granted, Registration, RegistryEntry, RegistryState
from ostrakon.paxos_impl.wire.frame import BadFrame
from ostrakon.paxos_impl.wire.membership import Address

PORT = 7200
CLUSTER_SIZE = 40
"""The size of the complete cluster: large enough that registration takes most of a trial."""
INSTANCES = 50
"""The number of instances that try to register."""
FINAL_TRIES_MAX = 30


async def run_node(site: Site) -> None:
    """The registry on the first node, and hosts of instances on the others."""
    listen = Address("0.0.0.0", PORT)
    if site.name != site.nodes[0]:
        await serve_host(listen, Address(site.nodes[0], PORT))
        return
    cluster_id = f"{site.rng.getrandbits(64):x}"
    await serve_registry(listen, disk=site.disk, new_cluster_id=lambda: cluster_id, make=site.breakage)


async def serve_host(listen: Address, registry: Address) -> None:
    """Forward each connection to the registry."""

    async def serve_connection(instance: trio.SocketStream) -> None:
        try:
            async with (
                instance,
                await trio.open_tcp_stream(registry.host, registry.port) as line,
                trio.open_nursery() as nursery,
            ):
                for source, sink in ((instance, line), (line, instance)):
                    nursery.start_soon(_carry, source, sink, nursery.cancel_scope)
        except OSError:
            pass  # The registry cannot be reached, so the instance gets no answer.

    await trio.serve_tcp(serve_connection, listen.port, host=listen.host)


async def _carry(source: trio.SocketStream, sink: trio.SocketStream, both: trio.CancelScope) -> None:
    """Forward data until one side closes; then close the other side."""
    try:
        async for chunk in source:
            await sink.send_all(chunk)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    both.cancel()


class InstanceClient:
    """A client for the instances of one host."""

    def __init__(self, host: Address) -> None:
        self._host = host

    async def apply(self, op: Op) -> Op:
        """Execute a `register` of [address, token], which fails if it is denied, or a `view`."""
        match op.f:
            case "register":
                ip, token = op.value
                answer = await self._ask(Register(ip, PORT, token, CLUSTER_SIZE))
            case "view":
                answer = await self._ask(GetMembership())
            case _:
                raise ValueError(f"an instance can register, or view the cluster; there is no {op.f!r}")
        match answer:
            case Granted(server_id):
                return op.ok([*op.value, server_id])
            case Denied(why):
                raise Refused(why)
            case View(membership, registered):
                members = membership and {str(id_): it.host for id_, it in membership.members.items()}
                return op.ok({"registered": registered, "members": members})
        return replace(op, type="info", error="it closed the connection")

    async def _ask(self, request: RegistryRequest) -> RegistryAnswer | None:
        try:
            return await ask_registry(self._host, request)
        except BadFrame:
            return None  # There was no answer.


@asynccontextmanager
async def connect(site: Site, process: int) -> AsyncIterator[InstanceClient]:
    """Successive processes use successive hosts; the registry's host is one of them."""
    yield InstanceClient(Address(_host_of(process, site.nodes), PORT))


def _host_of(process: int, nodes: Sequence[str]) -> str:
    return nodes[process % len(nodes)]


def register_and_view(plan: Plan, rng: random.Random) -> Generator:
    """Instances register in turn: some twice, some at the address of another, some again at a new address.

    All read the view.
    """
    seed = rng.getrandbits(64)
    ops = numbered(lambda number: _op(number, random.Random(seed + number)))
    return stagger(1 / plan.rate, ops, rng=rng)


def _op(number: int, rng: random.Random) -> OpRequest:
    newest = min(number // 4, INSTANCES - 1)
    instance = newest if rng.random() < 0.5 else rng.randint(0, newest)
    if rng.random() < 0.25:
        return VIEW
    kind = rng.random()
    if kind < 0.1:  # Another instance claims this address.
        return OpRequest("register", [_ip(instance), f"token {instance} of another"])
    if kind < 0.2:  # An instance has moved to another host: it shows its token at another address.
        moved = rng.randint(0, newest // 2)
        return OpRequest("register", [_ip(instance), f"token {moved}"])
    return OpRequest("register", [_ip(instance), f"token {instance}"])


VIEW = OpRequest("view")


def _ip(instance: int) -> str:
    return f"10.20.{instance // 100}.{instance % 100 + 1}"


def all_at_last(plan: Plan, rng: random.Random) -> Generator:
    """Each client registers one of the first instances again, and all read the view."""

    def ops_of(thread: int) -> Generator:
        again = OpRequest("register", [_ip(thread), f"token {thread}"])
        paced = (stagger(0.05, repeat(request), rng=rng) for request in (again, VIEW))
        return on(partial(eq, thread), sequence(*(until_ok(limit(FINAL_TRIES_MAX, ops)) for ops in paced)))

    return any_of(*map(ops_of, range(plan.concurrency)))


def check(plan: Plan, history: History, trace: Trace) -> Verdict:
    """Ids are unique and never change, every instance with an id is counted, and all requests get answers."""
    parts = {
        "registrations": lambda: registrations(history),
        # An instance is always denied an address that another has; a denial is an answer.
        "termination": lambda: termination(
            history, node_of=lambda process: _host_of(process, plan.names), is_answer=is_answered
        ),
        "stats": lambda: stats(history),
        "evidence": lambda: evidence(history),
    }
    return Verdict.compose({name: guarded(name, judge) for name, judge in parts.items()})


_NOBODY = RegistryEntry(Address("192.0.2.1", 1), "nobody")


class _CountsBeforeItWrites(Registry):
    """Decides while the previous decision is still being written, and so on an old state."""

    async def register(self, request: Register) -> Registration:
        book, answer = self._decide(Address(request.ip, request.port), request)
        if book is not self._state:
            await self._write(book)
            self._state = book
        return answer


class _ForgetsInACrash(Registry):
    """Keeps its state in memory only."""

    async def _write(self, book: RegistryState) -> None:
        pass


class _RefusesWhoReturns(Registry):
    """Denies every address that is registered, even to the instance that has it."""

    def _decide(self, address: Address, request: Register) -> tuple[RegistryState, Registration]:
        book, answer = super()._decide(address, request)
        if book is self._state and isinstance(answer, Granted):
            return book, Denied(f"{address} is registered already")
        return book, answer


class _Overlooks(Registry):
    """Does not see some of its entries."""

    def _overlooks(self, entry: RegistryEntry, request: Register) -> bool:
        raise NotImplementedError

    def _decide(self, address: Address, request: Register) -> tuple[RegistryState, Registration]:
        entries = self._state.entries
        seen = tuple(_NOBODY if self._overlooks(entry, request) else entry for entry in entries)
        looked_at = replace(self._state, entries=seen)
        book, answer = looked_at.register(address, request.token, request.cluster_size)
        if book is looked_at:
            return self._state, answer
        return replace(book, entries=(*entries, book.entries[-1])), answer


class _OverlooksAddresses(_Overlooks):
    def _overlooks(self, entry: RegistryEntry, request: Register) -> bool:
        return entry.token != request.token


class _OverlooksTokens(_Overlooks):
    def _overlooks(self, entry: RegistryEntry, request: Register) -> bool:
        return entry.token == request.token


def _bugs() -> Iterator[SeededBug]:
    def bug(name: str, about: str, broken: Callable[..., Registry]) -> SeededBug:
        return SeededBug(name, about, broken, convicted_by=("registrations",))

    yield bug(
        "id-counted-before-append",
        "an id is counted before the registration that came before is written down",
        _CountsBeforeItWrites,
    )
    yield bug("registration-not-durable", "the book is kept in memory", _ForgetsInACrash)
    yield bug(
        "retry-denied", "who asks again is denied, although the answer may have been lost", _RefusesWhoReturns
    )
    yield bug(
        "address-given-twice",
        "an address is given an id for each instance that names it",
        _OverlooksAddresses,
    )
    yield bug("token-not-recognised", "an instance that asks again is given another id", _OverlooksTokens)


REGISTRY_BUGS: Mapping[str, SeededBug] = {bug.name: bug for bug in _bugs()}
"""The seeded bugs of the registry by name."""


REGISTRY = Workload(
    name="registry",
    about="The registry: no id is given to two instances, changed, lost, or missing in a view.",
    program=run_node,
    connect=connect,
    generator=register_and_view,
    final=all_at_last,
    check=check,
    bugs=REGISTRY_BUGS,
    defaults={
        "concurrency": 6,
        "rate": 80.0,
        "time_limit_s": 2.5,
        "latency": Latency("uniform", 1.0, 10.0),
    },
    leeway=Leeway(ops=(12, 60), latency_ms_max=50.0),
    # No framing: a connection carries one request, so faults of messages can only delay it.
    judges_liveness=False,  # Without the registry there is no progress.
)
