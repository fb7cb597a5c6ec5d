"""The commands that run: `paxos registry` and `paxos serve`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from paxos_impl.cli.address import ADDRESS
from paxos_impl.cli.exits import OUR_FAILURE, say

if TYPE_CHECKING:
    import trio

    from paxos_impl.core.trace import TraceEvent
    from paxos_impl.disk import OsDisk
    from paxos_impl.membership import Address, Membership

_data = click.option(
    "--data",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for all it must remember; made if it is not there. Never copy it, never share it.",
)


@click.command()
@click.option("--listen", type=ADDRESS, default="127.0.0.1:7000", show_default=True, help="Where to listen.")
@_data
def registry(listen: Address, data: Path) -> None:
    """Run the registry, which gives instances their ids and tells them of one another.

    Instances need it until their cluster is complete, clients as long as they find instances by it. It may
    be killed and started again at any time.
    """
    import secrets

    from paxos_impl.disk import OsDisk
    from paxos_impl.registry import serve_registry

    async def run() -> None:
        disk = OsDisk(data)
        await _until_stopped(
            lambda task_status: serve_registry(
                _resolved(listen),
                disk=disk,
                new_cluster_id=lambda: secrets.token_hex(8),
                log=say,
                task_status=task_status,
            )
        )

    _run(run, data)


def as_member(command: Callable[..., None]) -> Callable[..., None]:
    """The options of commands that run a member of a cluster."""
    for option in reversed(
        (
            click.option(
                "--listen", type=ADDRESS, required=True, help="Where to listen, and where others find it."
            ),
            click.option("--registry", type=ADDRESS, required=True, help="The registry."),
            _data,
            click.option(
                "--cluster-size",
                type=click.IntRange(1),
                default=3,
                show_default=True,
                help="How many make the cluster; the same for all of them.",
            ),
            click.option(
                "--trace",
                type=click.Path(dir_okay=False, path_type=Path),
                help="Append every protocol event to this file, as JSON lines.",
            ),
        )
    ):
        command = option(command)
    return command


@click.command()
@as_member
def serve(listen: Address, registry: Address, data: Path, cluster_size: int, trace: Path | None) -> None:
    """Run an instance: proposer, acceptor and learner in one.

    It registers, waits until the cluster is complete, and serves until stopped. Killed in whatever way and
    started again with the same --listen and --data, it is the same instance and keeps its promises.
    """
    from random import SystemRandom

    from paxos_impl.node import NodeConfig
    from paxos_impl.node import serve as serve_node

    run_member(
        lambda server_id, membership, disk, tracer, task_status: serve_node(
            NodeConfig(server_id, membership),
            disk=disk,
            rng=SystemRandom(),
            tracer=tracer,
            log=say,
            task_status=task_status,
        ),
        listen,
        registry,
        data,
        cluster_size,
        trace,
        promises="log",
    )


class Member(Protocol):
    """What a member of a cluster does once it knows who it is."""

    def __call__(
        self,
        server_id: int,
        membership: Membership,
        disk: OsDisk,
        tracer: Callable[[TraceEvent], None] | None,
        task_status: trio.TaskStatus[Address],
    ) -> Awaitable[None]:
        """Serve until cancelled."""


def run_member(
    member: Member,
    listen: Address,
    registry: Address,
    data: Path,
    cluster_size: int,
    trace: Path | None,
    *,
    promises: str,
) -> None:
    """Register, wait for the others, and serve until stopped; `promises` is the file of the member's log."""
    import secrets
    from functools import partial

    import trio

    from paxos_impl.book import normal
    from paxos_impl.disk import OsDisk
    from paxos_impl.enroll import enroll, note_service

    try:
        address = normal(_resolved(listen))
    except (OSError, ValueError) as error:
        raise click.BadParameter(str(error), param_hint="--listen") from None

    async def enrolled(task_status: trio.TaskStatus[Address]) -> None:
        disk = OsDisk(data)
        server_id, membership = await enroll(
            registry,
            address,
            cluster_size,
            disk=disk,
            new_token=lambda: secrets.token_hex(16),
            promises=promises,
            log=say,
        )
        with _tracer(trace) as tracer:
            async with trio.open_nursery() as nursery:
                where = await nursery.start(partial(member, server_id, membership, disk, tracer))
                await note_service(disk)
                task_status.started(where)

    async def run() -> None:
        await _until_stopped(enrolled)

    _run(run, data)


def _run(main: Callable[[], Awaitable[None]], data: Path) -> None:
    """Run a service to its end; what the world does to it is said in a line, not in a traceback."""
    import trio

    from paxos_impl.disk import DirectoryInUse, locked
    from paxos_impl.enroll import NotEnrolled
    from paxos_impl.record import DamagedLog
    from paxos_impl.storage import StorageFailed, WrongStorage

    failures: list[str] = []
    try:
        with locked(data):
            trio.run(main)
    except* (DirectoryInUse, NotEnrolled, OSError) as group:
        failures.extend(f"{failure}" for failure in _leaves(group))
    except* (DamagedLog, WrongStorage, StorageFailed) as group:
        failures.extend(f"{failure} (in {data})" for failure in _leaves(group))
    for failure in failures:
        say(f"stopped: {failure}")
    if failures:
        sys.exit(OUR_FAILURE)


async def _until_stopped(service: Callable[[trio.TaskStatus[Address]], Awaitable[None]]) -> None:
    """Run a service until SIGINT or SIGTERM."""
    import signal

    import trio

    async def run_and_say() -> None:
        async with trio.open_nursery() as inner:
            # Trio hands the task status over by keyword.
            address = await inner.start(lambda *, task_status: service(task_status))
            say(f"listening on {address}")

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_and_say)
            async for _ in signals:
                say("stopped as asked")
                nursery.cancel_scope.cancel()
                break


def _resolved(address: Address) -> Address:
    """The IP address that a name stands for here, since that is what others are told."""
    import socket

    from paxos_impl.membership import Address

    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    return Address(str(found[0][4][0]), address.port)


@contextmanager
def _tracer(path: Path | None) -> Iterator[Callable[[TraceEvent], None] | None]:
    """Writes events with the time of day, in nanoseconds since 1970, so that traces can be joined."""
    if path is None:
        yield None
        return
    import time

    import msgspec

    with path.open("ab", buffering=0) as file:
        encode = msgspec.json.Encoder().encode

        def write(event: TraceEvent) -> None:
            file.write(encode({"time": time.time_ns(), **msgspec.to_builtins(event)}) + b"\n")

        yield write


def _leaves(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
