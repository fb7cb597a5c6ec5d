"""Runs a member of a cluster as a service: it gets an id, waits until the cluster is complete, and serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from ostrakon.paxos_impl.cli.address import ADDRESS
from ostrakon.paxos_impl.cli.service_options import Service, require_public, resolved, serves

if TYPE_CHECKING:
    import trio

    from ostrakon.paxos_impl.server.client_connection import ClientConnection
    from ostrakon.paxos_impl.server.driver import Tracer
    from ostrakon.paxos_impl.server.limits import Limits
    from ostrakon.paxos_impl.server.server import Server
    from ostrakon.paxos_impl.wire.decree import Waiting
    from ostrakon.paxos_impl.wire.membership import Address, Membership


@dataclass(frozen=True, slots=True)
class Kind:
    """The kind of member: an instance of Basic Paxos, or a replica of a store."""

    promises: str
    """The file that has the promises of the member."""
    read: Callable[[bytes], object]
    """Decodes a message of a client."""
    answer_before_cluster: Callable[[ClientConnection, object, Waiting], None]
    """Serves clients until the cluster is complete."""
    recover: Callable[[Service, int, Membership, Any, Tracer | None], Awaitable[Server]]
    """Makes the member from its server id, its membership, its disk and its tracer."""
    groups: int = 1
    """Number of groups of the cluster."""


class Enroller(Protocol):
    """Makes a service a member of a cluster."""

    @property
    def cluster_size(self) -> int:
        """Number of members that make the cluster complete, this one included."""

    async def enroll(
        self, service: Service, kind: Kind, address: Address, disk: Any, set_registered: Callable[[int], None]
    ) -> tuple[int, Membership]:
        """The id of the new member, and the membership; `set_registered` gets the number of members
        meanwhile."""

    async def record_service(self, disk: Any) -> None:
        """Record that the member serves from now on."""


@dataclass(frozen=True, slots=True)
class ByRegistry:
    """Founding members find each other with a registry. An `Enroller`."""

    registry: Address
    cluster_size: int

    async def enroll(
        self, service: Service, kind: Kind, address: Address, disk: Any, set_registered: Callable[[int], None]
    ) -> tuple[int, Membership]:
        """Register, and wait until the cluster is complete."""
        import secrets

        from ostrakon.paxos_impl.registry.enrollment import enroll
        from ostrakon.paxos_impl.storage.backup import load_backup

        backup = await load_backup(disk)
        return await enroll(
            self.registry,
            address,
            self.cluster_size,
            disk=disk,
            new_token=lambda: secrets.token_hex(16),
            promises=kind.promises,
            backup="" if backup is None else backup.id,
            transport=service.transport,
            log=service.say,
            note=set_registered,
        )

    async def record_service(self, disk: Any) -> None:
        """Record it on the disk."""
        from ostrakon.paxos_impl.registry.enrollment import record_service

        await record_service(disk)


@dataclass(frozen=True, slots=True)
class ByMember:
    """A later member is added by a member of the cluster. An `Enroller`."""

    known: Address
    cluster_size: int = 1

    async def enroll(
        self, service: Service, kind: Kind, address: Address, disk: Any, set_registered: Callable[[int], None]
    ) -> tuple[int, Membership]:
        """Have the cluster add this replica as a learner."""
        from ostrakon.paxos_impl.registry.enrollment import NotEnrolled
        from ostrakon.paxos_impl.registry.joining import join
        from ostrakon.paxos_impl.storage.backup import load_backup

        if await load_backup(disk) is not None:
            raise NotEnrolled("its data begin with a backup, which only the founders of a new cluster do")
        return await join(
            self.known,
            address,
            disk=disk,
            promises=kind.promises,
            groups=kind.groups,
            transport=service.transport,
            log=service.say,
        )

    async def record_service(self, disk: Any) -> None:
        """Record it on the disk."""
        from ostrakon.paxos_impl.registry.joining import record_service

        await record_service(disk)


@dataclass(frozen=True, slots=True)
class MemberProcess:
    """A member that is about to run: its service, and how it enrolls."""

    service: Service
    enroller: Enroller
    metrics: Address | None
    trace: Path | None

    def run(self, kind: Kind, limits: Limits | None = None) -> None:
        """Listen, enroll, and serve until stopped; without `limits`, with the default ones."""
        from ostrakon.paxos_impl.registry.state import canonical

        try:
            address = canonical(resolved(self.service.listen))
        except (OSError, ValueError) as error:
            raise click.BadParameter(str(error), param_hint="--listen") from None
        if self.metrics is not None:
            require_public(self.metrics, "--metrics", is_allowed=self.service.is_public)

        async def main(stop: trio.Event) -> None:
            with _tracer(self.trace) as tracer:
                await self._serve(kind, address, tracer, stop, limits)

        self.service.run(main)

    async def _serve(
        self,
        kind: Kind,
        address: Address,
        tracer: Tracer | None,
        stop: trio.Event,
        limits: Limits | None,
    ) -> None:
        from functools import partial

        import trio

        from ostrakon.paxos_impl.server.dispatcher import Dispatcher
        from ostrakon.paxos_impl.server.limits import LIMITS
        from ostrakon.paxos_impl.server.metrics_endpoint import serve_metrics, server_samples
        from ostrakon.paxos_impl.server.server import serve_when_complete
        from ostrakon.paxos_impl.server.startup_handler import StartupHandler
        from ostrakon.paxos_impl.storage.disk import OsDisk

        service, disk, server = self.service, OsDisk(self.service.data), None
        startup = StartupHandler(kind.read, kind.answer_before_cluster, self.enroller.cluster_size)
        dispatcher = Dispatcher(startup, service.say, service.transport, limits or LIMITS)

        async def join() -> Server:
            nonlocal server
            server = await self._join(kind, address, disk, tracer, set_registered)
            return server

        def set_registered(registered: int) -> None:
            startup.set_registered(registered)
            dispatcher.serve_clients()

        async with trio.open_nursery() as nursery:
            if self.metrics is not None:
                samples = partial(server_samples, dispatcher)
                serve = partial(serve_metrics, self.metrics, lambda: samples(server), log=service.say)
                service.say(f"metrics at http://{await nursery.start(serve)}/metrics")
            run = partial(serve_when_complete, dispatcher, join, address, stop=stop)
            service.say(f"listening on {await nursery.start(partial(_then_cancel, nursery, run))}")

    async def _join(
        self,
        kind: Kind,
        address: Address,
        disk: Any,
        tracer: Tracer | None,
        set_registered: Callable[[int], None],
    ) -> Server:
        """Enroll, wait until the cluster is complete, and recover the state on the disk."""
        from ostrakon.paxos_impl.server.log_record import LogRecord
        from ostrakon.paxos_impl.storage.backup import remove_backup

        server_id, membership = await self.enroller.enroll(self.service, kind, address, disk, set_registered)
        server = await kind.recover(self.service, server_id, membership, disk, tracer)
        await self.enroller.record_service(disk)
        await remove_backup(disk)  # Its state is in the snapshot of this replica now.
        line = f"serving as server {server_id} of cluster {membership.cluster_id}"
        self.service.say(LogRecord(line, event="serving", server=server_id, cluster=membership.cluster_id))
        _notify_systemd("READY=1")
        return server


def as_member(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a founding member to a command, which gets them as its argument `member`."""
    return _as_member_by(ByRegistry, {"cluster_size": _CLUSTER_SIZE, "registry": _REGISTRY}, command)


def as_joiner(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a joining member to a command, which gets them as its argument `member`."""
    return _as_member_by(ByMember, {"known": _NODE}, command)


def _as_member_by(
    enroller: Callable[..., Enroller], fields: Mapping[str, _Option], command: Callable[..., None]
) -> Callable[..., None]:
    @wraps(command)
    def with_member(*, service: Service, metrics: Address | None, trace: Path | None, **rest: Any) -> None:
        about = {name: rest.pop(name) for name in fields}
        command(member=MemberProcess(service, enroller(**about), metrics, trace), **rest)

    served: Callable[..., None] = serves(with_member)
    for option in (_TRACE, _METRICS, *fields.values(), _LISTEN):
        served = option(served)
    return served


_Option = Callable[[Any], Any]
_TRACE = click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append every protocol event to this file, as JSON lines.",
)
_METRICS = click.option("--metrics", type=ADDRESS, help="Serve metrics for Prometheus at this address.")
_CLUSTER_SIZE = click.option(
    "--cluster-size",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Number of members of the cluster; the same for all of them.",
)
_REGISTRY = click.option("--registry", type=ADDRESS, required=True, help="The registry.")
_NODE = click.option("--node", "known", type=ADDRESS, required=True, help="Any member of the cluster.")
_LISTEN = click.option(
    "--listen", type=ADDRESS, required=True, help="Address to listen on, at which the other members find it."
)


async def _then_cancel(
    nursery: trio.Nursery, run: Callable[..., Awaitable[None]], *, task_status: trio.TaskStatus[Address]
) -> None:
    """Run a service, and cancel the nursery when it ends."""
    await run(task_status=task_status)
    nursery.cancel_scope.cancel()


def _notify_systemd(state: str) -> None:
    """Tell systemd about the service, if it was started with `Type=notify`; see sd_notify(3)."""
    import os
    import socket
    from contextlib import suppress

    path = os.environ.get("NOTIFY_SOCKET", "")
    if path.startswith(("/", "@")):
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(state.encode(), path.replace("@", "\0", 1) if path[0] == "@" else path)


@contextmanager
def _tracer(path: Path | None) -> Iterator[Tracer | None]:
    """Writes events with the time in nanoseconds since 1970, so that traces of several members can be
    merged."""
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
