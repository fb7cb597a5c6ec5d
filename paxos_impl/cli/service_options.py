"""The options that all services of the `paxos` command share, and how a service runs and ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ostrakon.paxos_impl.cli.client_options import transport_of, with_tls
from ostrakon.paxos_impl.cli.exits import OUR_FAILURE

if TYPE_CHECKING:
    import trio

    from ostrakon.paxos_impl.wire.membership import Address
    from ostrakon.paxos_impl.wire.transport import Transport


Style = Literal["text", "json"]
SWITCH_S = 0.0005
"""The time after which a Python thread lets another one run, in seconds."""


@dataclass(frozen=True, slots=True)
class Service:
    """Where a service listens, where it keeps its data, and how it logs."""

    listen: Address
    data: Path
    transport: Transport
    say: Callable[[str], None]
    is_public: bool

    def run(self, main: Callable[[trio.Event], Awaitable[None]]) -> None:
        """Run `main` until SIGINT or SIGTERM, which sets the event given to `main`; a second signal ends it
        at once.

        A failure that is not a bug is logged as one line, without a traceback.
        """
        import trio

        from ostrakon.paxos_impl.registry.enrollment import NotEnrolled
        from ostrakon.paxos_impl.storage.backup import BadBackup
        from ostrakon.paxos_impl.storage.disk import DirectoryInUse, locked
        from ostrakon.paxos_impl.storage.record import DamagedLog
        from ostrakon.paxos_impl.storage.write_ahead_log import StorageFailed, WrongStorage

        # A thread does the syncs; with the default interval it would wait too long for its turn.
        sys.setswitchinterval(SWITCH_S)
        failures: list[str] = []
        try:
            with locked(self.data):
                trio.run(self._run_until_stopped, main)
        except* (DirectoryInUse, NotEnrolled, OSError) as group:
            failures.extend(f"{failure}" for failure in _leaf_errors(group))
        except* (DamagedLog, WrongStorage, StorageFailed, BadBackup) as group:
            failures.extend(f"{failure} (in {self.data})" for failure in _leaf_errors(group))
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
    """Add the options of all services to a command, which gets them as its argument `service`."""

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
        require_public(listen, "--listen", is_allowed=public or tls_cert is not None)
        command(service=Service(listen, data, transport, log_writer(log), public), **options)

    served: Callable[..., None] = with_tls(with_service)
    for option in (
        click.option("--public", is_flag=True, help="Accept connections from other machines without TLS."),
        click.option(
            "--log",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="Format of the log on the standard error.",
        ),
        click.option(
            "--data",
            required=True,
            type=click.Path(file_okay=False, path_type=Path),
            help="Directory for its data, created if it is missing. Never copy or share it.",
        ),
    ):
        served = option(served)
    return served


def log_writer(style: Style) -> Callable[[str], None]:
    """A sink for the log of a service, on the standard error.

    As text, each record is a line that begins with the local time, and debug records are left out. As JSON,
    each record is an object on a line, with `time` in seconds since 1970, `level` (info or debug), `line`,
    and the fields of the record.
    """
    return _write_text if style == "text" else _write_json


def _write_text(line: str) -> None:
    from ostrakon.paxos_impl.server.log_record import LogRecord

    if not (isinstance(line, LogRecord) and line.is_debug):
        click.echo(f"{time.strftime('%Y-%m-%d %H:%M:%S')} paxos: {line}", err=True)


def _write_json(line: str) -> None:
    import msgspec

    from ostrakon.paxos_impl.server.log_record import LogRecord

    fields: dict[str, object] = {"time": time.time(), "level": "info", "line": str(line)}
    if isinstance(line, LogRecord):
        fields |= {"level": "debug" if line.is_debug else "info", **line.fields}
    sys.stderr.write(msgspec.json.encode(fields).decode() + "\n")
    sys.stderr.flush()


def require_public(address: Address, option: str, *, is_allowed: bool) -> None:
    """Check that an address may be listened on: one that other machines can reach must be allowed explicitly.

    Raises: click.BadParameter.
    """
    from ipaddress import ip_address

    try:
        is_local = ip_address(resolved(address).host).is_loopback
    except OSError as error:
        raise click.BadParameter(f"{address}: {error}", param_hint=option) from None
    if not (is_local or is_allowed):
        why = (
            f"other machines can connect to {address}. Use TLS (--cert, --key and --ca), or allow that "
            "with --public"
        )
        raise click.BadParameter(why, param_hint=option)


def resolved(address: Address) -> Address:
    """The address with its host name resolved, because other servers are told the IP address. Raises:
    OSError."""
    import socket

    from ostrakon.paxos_impl.wire.membership import Address

    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    return Address(str(found[0][4][0]), address.port)


def _leaf_errors(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaf_errors(error)
        else:
            yield error
