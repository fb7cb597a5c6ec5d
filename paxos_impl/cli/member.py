"""Members of a cluster as services: they register, wait for the others, and serve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from paxos_impl.cli.address import ADDRESS
from paxos_impl.cli.serving import Service, require_told, resolved, serves

if TYPE_CHECKING:
    import trio

    from paxos_impl.driver import Tracer
    from paxos_impl.membership import Address, Membership
    from paxos_impl.server import Server
    from paxos_impl.visitor import Visitor
    from paxos_impl.wire import Waiting


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


@dataclass(frozen=True, slots=True)
class Member:
    """How to become a member, and what to tell meanwhile."""

    service: Service
    registry: Address
    cluster_size: int
    metrics: Address | None
    trace: Path | None

    def run(self, kind: Kind) -> None:
        """Listen, register, wait for the others, and serve until stopped."""
        from paxos_impl.book import normal

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

        from paxos_impl.anteroom import Anteroom
        from paxos_impl.disk import OsDisk
        from paxos_impl.instruments import samples_of
        from paxos_impl.metrics import serve_metrics
        from paxos_impl.reception import Reception
        from paxos_impl.server import serve_when_complete

        service, disk, server = self.service, OsDisk(self.service.data), None
        anteroom = Anteroom(kind.read, kind.answer_early, self.cluster_size)
        reception = Reception(anteroom, service.say, service.transport, is_open=False)

        async def join() -> Server:
            nonlocal server
            server = await self._join(kind, address, disk, tracer, anteroom.note)
            return server

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
        import secrets

        from paxos_impl.enroll import enroll, note_service
        from paxos_impl.remark import Remark

        server_id, membership = await enroll(
            self.registry,
            address,
            self.cluster_size,
            disk=disk,
            new_token=lambda: secrets.token_hex(16),
            promises=kind.promises,
            transport=self.service.transport,
            log=self.service.say,
            note=note,
        )
        server = await kind.recover(self.service, server_id, membership, disk, tracer)
        await note_service(disk)
        line = f"serving as server {server_id} of {len(membership.ids)}"
        self.service.say(Remark(line, event="serving", server=server_id, cluster=membership.cluster_id))
        return server


def as_member(command: Callable[..., None]) -> Callable[..., None]:
    """The options of commands that run a member of a cluster; the command is given them as its `member`."""

    @wraps(command)
    def with_member(
        *,
        service: Service,
        registry: Address,
        cluster_size: int,
        metrics: Address | None,
        trace: Path | None,
    ) -> None:
        command(member=Member(service, registry, cluster_size, metrics, trace))

    served = serves(with_member)
    for option in (
        click.option(
            "--trace",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Append every protocol event to this file, as JSON lines.",
        ),
        click.option("--metrics", type=ADDRESS, help="Serve metrics there, as Prometheus reads them."),
        click.option(
            "--cluster-size",
            type=click.IntRange(1),
            default=3,
            show_default=True,
            help="How many make the cluster; the same for all of them.",
        ),
        click.option("--registry", type=ADDRESS, required=True, help="The registry."),
        click.option("--listen", type=ADDRESS, required=True, help="Where to listen; others find it there."),
    ):
        served = option(served)
    return served


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

    from paxos_impl.core.trace import TraceEvent

    with path.open("ab", buffering=0) as file:
        encode = msgspec.json.Encoder().encode

        def write(event: TraceEvent) -> None:
            file.write(encode({"time": time.time_ns(), **msgspec.to_builtins(event)}) + b"\n")

        yield write
