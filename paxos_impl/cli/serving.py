"""What all services of the `paxos` command have in common: where they listen, how they speak and end."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ostrakon.paxos_impl.cli.exits import OUR_FAILURE
from ostrakon.paxos_impl.cli.speaker import Style, speaker
from ostrakon.paxos_impl.cli.tls import transport_of, with_tls

if TYPE_CHECKING:
    import trio

    from ostrakon.paxos_impl.membership import Address
    from ostrakon.paxos_impl.transport import Transport


SWITCH_S = 0.0005
"""After how long a thread of Python's makes way for another one that waits."""


@dataclass(frozen=True, slots=True)
class Service:
    """Where a service listens, what it remembers, and how it speaks."""

    listen: Address
    data: Path
    transport: Transport
    say: Callable[[str], None]
    is_public: bool

    def run(self, main: Callable[[trio.Event], Awaitable[None]]) -> None:
        """Run `main` until SIGINT or SIGTERM, which sets the event it is given; a second one ends it at once.

        What the world does to a service is said in a line, not in a traceback.
        """
        import trio

        from ostrakon.paxos_impl.disk import DirectoryInUse, locked
        from ostrakon.paxos_impl.enroll import NotEnrolled
        from ostrakon.paxos_impl.record import DamagedLog
        from ostrakon.paxos_impl.storage import StorageFailed, WrongStorage

        # Syncs are done by a thread, which should not wait for as long as it usually does for its turn.
        sys.setswitchinterval(SWITCH_S)
        failures: list[str] = []
        try:
            with locked(self.data):
                trio.run(self._run_until_stopped, main)
        except* (DirectoryInUse, NotEnrolled, OSError) as group:
            failures.extend(f"{failure}" for failure in _leaves(group))
        except* (DamagedLog, WrongStorage, StorageFailed) as group:
            failures.extend(f"{failure} (in {self.data})" for failure in _leaves(group))
        for failure in failures:
            self.say(f"stopped: {failure}")
        if failures:
            sys.exit(OUR_FAILURE)

    async def _run_until_stopped(self, main: Callable[[trio.Event], Awaitable[None]]) -> None:
        import signal

        import trio

        stop = trio.Event()

        async def run() -> None:
            await main(stop)
            nursery.cancel_scope.cancel()

        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run)
                async for _ in signals:
                    if stop.is_set():
                        nursery.cancel_scope.cancel()
                        break
                    self.say("stopping, as asked")
                    stop.set()
        self.say("stopped as asked")


def serves(command: Callable[..., None]) -> Callable[..., None]:
    """The options of all services; the command is given them as its `service`."""

    @wraps(command)
    def with_service(
        *,
        listen: Address,
        data: Path,
        log: Style,
        public: bool,
        tls_cert: Path | None,
        tls_key: Path | None,
        tls_ca: Path | None,
        **options: Any,
    ) -> None:
        transport = transport_of(tls_cert, tls_key, tls_ca)
        require_told(listen, "--listen", is_allowed=public or tls_cert is not None)
        command(service=Service(listen, data, transport, speaker(log), public), **options)

    served: Callable[..., None] = with_tls(with_service)
    for option in (
        click.option("--public", is_flag=True, help="Let anybody who can reach it connect, without TLS."),
        click.option(
            "--log",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="How to speak on the standard error.",
        ),
        click.option(
            "--data",
            required=True,
            type=click.Path(file_okay=False, path_type=Path),
            help="Directory for all it must remember; made if need be. Never copy it, never share it.",
        ),
    ):
        served = option(served)
    return served


def require_told(address: Address, option: str, *, is_allowed: bool) -> None:
    """Whether to listen there: beyond this machine only if that is meant.

    Raises: click.BadParameter.
    """
    from ipaddress import ip_address

    try:
        is_local = ip_address(resolved(address).host).is_loopback
    except OSError as error:
        raise click.BadParameter(f"{address}: {error}", param_hint=option) from None
    if not (is_local or is_allowed):
        why = (
            f"{address} can be reached from other machines, by anybody there. If that is meant, say "
            "--public; better, have a service speak TLS, by --cert, --key and --ca"
        )
        raise click.BadParameter(why, param_hint=option)


def resolved(address: Address) -> Address:
    """The IP address that a name stands for here, since that is what others are told. Raises: OSError."""
    import socket

    from ostrakon.paxos_impl.membership import Address

    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    return Address(str(found[0][4][0]), address.port)


def _leaves(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
