"""Members of a cluster as services: they register, wait for the others, and serve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from ostrakon.paxos_impl.cli.address import ADDRESS
from ostrakon.paxos_impl.cli.serving import Service, require_told, resolved, serves

if TYPE_CHECKING:
    import trio

    from ostrakon.paxos_impl.driver import Tracer
    from ostrakon.paxos_impl.membership import Address, Membership
    from ostrakon.paxos_impl.server import Server
    from ostrakon.paxos_impl.visitor import Visitor
    from ostrakon.paxos_impl.wire import Waiting


@dataclass(frozen=True, slots=True)
class Kind:
    """What there is to be a member of: a cluster of instances, or of replicas of a store."""

    promises: str
    """The file without which a member does not know what it has promised."""
    read: Callable[[bytes], object]
    """Reads what its clients say."""
    answer_early: Callable[[Visitor, object, Waiting], None]
    """Serves them before there is a cluster."""
    recover: Callable[[Service, int, Membership, Any, Tracer | None], Awaitable[Server]]
    """Makes the member, of its server id, the membership, its disk and who listens to what it does."""
    groups: int = 1
    """How many groups the members of its cluster have."""


class Office(Protocol):
    """Where a service becomes a member."""

    @property
    def cluster_size(self) -> int:
        """How many it has to wait for, itself counted in."""

    async def enlist(
        self, service: Service, kind: Kind, address: Address, disk: Any, note: Callable[[int], None]
    ) -> tuple[int, Membership]:
        """Its id, and who it is a member with; `note` is told how many there are, until there are enough."""

    async def note_service(self, disk: Any) -> None:
        """Note that it takes part from now on."""


@dataclass(frozen=True, slots=True)
class ByRegistry:
    """Those who found a cluster find each other by a registry."""

    registry: Address
    cluster_size: int

    async def enlist(
        self, service: Service, kind: Kind, address: Address, disk: Any, note: Callable[[int], None]
    ) -> tuple[int, Membership]:
        """See `Office`."""
        import secrets

        from ostrakon.paxos_impl.enroll import enroll

        return await enroll(
            self.registry,
            address,
            self.cluster_size,
            disk=disk,
            new_token=lambda: secrets.token_hex(16),
            promises=kind.promises,
            transport=service.transport,
            log=service.say,
            note=note,
        )

    async def note_service(self, disk: Any) -> None:
        """See `Office`."""
        from ostrakon.paxos_impl.enroll import note_service

        await note_service(disk)


@dataclass(frozen=True, slots=True)
class ByMember:
    """Who joins a cluster that others have founded is taken in by its members."""

    known: Address
    cluster_size: int = 1

    async def enlist(
        self, service: Service, kind: Kind, address: Address, disk: Any, note: Callable[[int], None]
    ) -> tuple[int, Membership]:
        """See `Office`."""
        from ostrakon.paxos_impl.replica.joining import join

        return await join(
            self.known,
            address,
            disk=disk,
            promises=kind.promises,
            groups=kind.groups,
            transport=service.transport,
            log=service.say,
        )

    async def note_service(self, disk: Any) -> None:
        """See `Office`."""
        from ostrakon.paxos_impl.replica.joining import note_service

        await note_service(disk)


@dataclass(frozen=True, slots=True)
class Member:
    """How to become a member, and what to tell meanwhile."""

    service: Service
    office: Office
    metrics: Address | None
    trace: Path | None

    def run(self, kind: Kind) -> None:
        """Listen, register, wait for the others, and serve until stopped."""
        from ostrakon.paxos_impl.book import normal

        try:
            address = normal(resolved(self.service.listen))
        except (OSError, ValueError) as error:
            raise click.BadParameter(str(error), param_hint="--listen") from None
        if self.metrics is not None:
            require_told(self.metrics, "--metrics", is_allowed=self.service.is_public)

        async def main(stop: trio.Event) -> None:
            with _tracer(self.trace) as tracer:
                await self._serve(kind, address, tracer, stop)

        self.service.run(main)

    async def _serve(self, kind: Kind, address: Address, tracer: Tracer | None, stop: trio.Event) -> None:
        from functools import partial

        import trio

        from ostrakon.paxos_impl.anteroom import Anteroom
        from ostrakon.paxos_impl.disk import OsDisk
        from ostrakon.paxos_impl.instruments import samples_of
        from ostrakon.paxos_impl.metrics import serve_metrics
        from ostrakon.paxos_impl.reception import Reception
        from ostrakon.paxos_impl.server import serve_when_complete

        service, disk, server = self.service, OsDisk(self.service.data), None
        anteroom = Anteroom(kind.read, kind.answer_early, self.office.cluster_size)
        reception = Reception(anteroom, service.say, service.transport)

        async def join() -> Server:
            nonlocal server
            server = await self._join(kind, address, disk, tracer, note)
            return server

        def note(registered: int) -> None:
            anteroom.note(registered)
            reception.speak()

        async with trio.open_nursery() as nursery:
            if self.metrics is not None:
                samples = partial(samples_of, reception)
                serve = partial(serve_metrics, self.metrics, lambda: samples(server), log=service.say)
                service.say(f"metrics at http://{await nursery.start(serve)}/metrics")
            run = partial(serve_when_complete, reception, join, address, stop=stop)
            service.say(f"listening on {await nursery.start(partial(_then_cancel, nursery, run))}")

    async def _join(
        self,
        kind: Kind,
        address: Address,
        disk: Any,
        tracer: Tracer | None,
        note: Callable[[int], None],
    ) -> Server:
        """Register, wait until the cluster is complete, and recover what is remembered of it."""
        from ostrakon.paxos_impl.remark import Remark

        server_id, membership = await self.office.enlist(self.service, kind, address, disk, note)
        server = await kind.recover(self.service, server_id, membership, disk, tracer)
        await self.office.note_service(disk)
        line = f"serving as server {server_id} of cluster {membership.cluster_id}"
        self.service.say(Remark(line, event="serving", server=server_id, cluster=membership.cluster_id))
        return server


def as_member(command: Callable[..., None]) -> Callable[..., None]:
    """The options of commands that run a founder of a cluster; the command is given them as its `member`."""
    return _as_member_by(ByRegistry, {"cluster_size": _CLUSTER_SIZE, "registry": _REGISTRY}, command)


def as_joiner(command: Callable[..., None]) -> Callable[..., None]:
    """The options of commands that run who joins a cluster; the command is given them as its `member`."""
    return _as_member_by(ByMember, {"known": _NODE}, command)


def _as_member_by(
    office: Callable[..., Office], particulars: Mapping[str, _Option], command: Callable[..., None]
) -> Callable[..., None]:
    @wraps(command)
    def with_member(*, service: Service, metrics: Address | None, trace: Path | None, **rest: Any) -> None:
        about = {name: rest.pop(name) for name in particulars}
        command(member=Member(service, office(**about), metrics, trace), **rest)

    served: Callable[..., None] = serves(with_member)
    for option in (_TRACE, _METRICS, *particulars.values(), _LISTEN):
        served = option(served)
    return served


_Option = Callable[[Any], Any]
_TRACE = click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append every protocol event to this file, as JSON lines.",
)
_METRICS = click.option("--metrics", type=ADDRESS, help="Serve metrics there, as Prometheus reads them.")
_CLUSTER_SIZE = click.option(
    "--cluster-size",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="How many make the cluster; the same for all of them.",
)
_REGISTRY = click.option("--registry", type=ADDRESS, required=True, help="The registry.")
_NODE = click.option("--node", "known", type=ADDRESS, required=True, help="Any member of the cluster.")
_LISTEN = click.option("--listen", type=ADDRESS, required=True, help="Where to listen; others find it there.")


async def _then_cancel(
    nursery: trio.Nursery, run: Callable[..., Awaitable[None]], *, task_status: trio.TaskStatus[Address]
) -> None:
    """Run this, and when it is done end all else that runs in the nursery."""
    await run(task_status=task_status)
    nursery.cancel_scope.cancel()


@contextmanager
def _tracer(path: Path | None) -> Iterator[Tracer | None]:
    """Writes events with the time of day, in nanoseconds since 1970, so that traces can be joined."""
    if path is None:
        yield None
        return
    import time

    import msgspec

    from ostrakon.paxos_impl.core.trace import TraceEvent

    with path.open("ab", buffering=0) as file:
        encode = msgspec.json.Encoder().encode

        def write(event: TraceEvent) -> None:
            file.write(encode({"time": time.time_ns(), **msgspec.to_builtins(event)}) + b"\n")

        yield write
