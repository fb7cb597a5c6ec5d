"""The options of client commands: which servers to ask, for how long, and TLS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ostrakon.paxos_impl.cli.address import ADDRESS
from ostrakon.paxos_impl.cli.exits import NOT_DONE, UNKNOWN_YET, say

if TYPE_CHECKING:
    from ostrakon.paxos_impl.wire.membership import Address
    from ostrakon.paxos_impl.wire.transport import Transport


ASK_AGAIN_S = 0.2
"""Pause before servers that did not answer are asked again, in seconds."""


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Which servers to ask; either `registry` or `node` is given."""

    registry: Address | None
    node: Address | None
    timeout_s: float
    transport: Transport

    def ask(
        self, ask: Callable[[list[Address], float], Awaitable[int]], *, awaits_cluster: bool = False
    ) -> int:
        """Run `ask` with the servers' addresses and the time left; return the exit status.

        If no server answers, `ask` runs again while there is time, because servers may just be starting. The
        same holds for a cluster that is not complete yet, if the command `awaits_cluster`.
        """
        import trio

        from ostrakon.paxos_impl.client.connection import NoAnswer, NotReady

        async def find_and_ask() -> int:
            deadline = trio.current_time() + self.timeout_s
            while True:
                try:
                    addresses = await self._addresses(deadline - trio.current_time())
                    return await ask(addresses, deadline - trio.current_time())
                except NoAnswer as no_log:
                    if isinstance(no_log, NotReady) and not awaits_cluster:
                        raise
                    if trio.current_time() + ASK_AGAIN_S >= deadline:
                        raise
                await trio.sleep(ASK_AGAIN_S)

        try:
            return trio.run(find_and_ask)
        except NotReady as error:
            say(str(error))
            return NOT_DONE if awaits_cluster else UNKNOWN_YET
        except NoAnswer as error:
            say(f"no answer: {error}")
            return NOT_DONE

    async def _addresses(self, timeout_s: float) -> list[Address]:
        """All servers that the registry knows, or the one given. Raises: NoAnswer."""
        import trio

        from ostrakon.paxos_impl.client.connection import NoAnswer, NotReady
        from ostrakon.paxos_impl.registry.server import GetMembership, View, ask_registry
        from ostrakon.paxos_impl.wire.frame import BadFrame

        if self.node is not None:
            return [self.node]
        registry = self.registry
        assert registry is not None, "one of the two is given"
        try:
            with trio.fail_after(max(timeout_s, 0)):
                view = await ask_registry(registry, GetMembership(), self.transport)
        except (OSError, trio.BrokenResourceError, trio.TooSlowError, BadFrame) as error:
            raise NoAnswer(f"the registry at {registry} does not answer: {error}") from None
        if not isinstance(view, View):
            raise NoAnswer(f"what listens at {registry} is no registry: it answered {view}")
        if view.membership is None:
            so_far = f"{view.registered} of {view.cluster_size or 'its'} instances have registered"
            raise NotReady(f"nothing is known yet: {so_far} at {registry}")
        return [view.membership.members[server_id] for server_id in view.membership.ids]


def asks(command: Callable[..., int]) -> Callable[..., int]:
    """Add these options to a command, which gets them as its argument `options`."""

    @wraps(command)
    def with_options(**given: Any) -> int:
        registry, node = given.pop("registry"), given.pop("node")
        if (registry is None) == (node is None):
            raise click.UsageError("give either --registry HOST:PORT or --node HOST:PORT")
        transport = transport_of(given.pop("tls_cert"), given.pop("tls_key"), given.pop("tls_ca"))
        return command(options=ClientOptions(registry, node, given.pop("timeout_s"), transport), **given)

    asked: Callable[..., int] = with_tls(with_options)
    for option in reversed((_REGISTRY, _NODE, _TIMEOUT)):
        asked = option(asked)
    return asked


def _finite(context: click.Context, option: click.Parameter, seconds: float) -> float:
    if not seconds < float("inf"):
        raise click.BadParameter(f"{seconds} is no number of seconds")
    return seconds


_REGISTRY = click.option("--registry", type=ADDRESS, help="Ask the servers that this registry knows.")
_NODE = click.option("--node", type=ADDRESS, help="Ask this server.")
_TIMEOUT = click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    metavar="S",
    callback=_finite,
    help="Give up after so many seconds.",
)


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def with_tls(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options `--cert`, `--key` and `--ca` to a command."""
    for name, about in (
        ("ca", "The certificate of the cluster's own authority; a peer needs a certificate signed by it."),
        ("key", "The key of that certificate."),
        ("cert", "Use TLS with this certificate; PEM, as the other two files."),
    ):
        command = click.option(
            f"--{name}", f"tls_{name}", type=_FILE, envvar=f"PAXOS_{name.upper()}", help=about
        )(command)
    return command


def transport_of(cert: Path | None, key: Path | None, ca: Path | None) -> Transport:
    """The transport for these options.

    Raises: click.UsageError.
    """
    from ostrakon.paxos_impl.wire.transport import PLAIN, BadCertificate, mutual_tls

    match (cert, key, ca):
        case (None, None, None):
            return PLAIN
        case (Path() as cert, Path() as key, Path() as ca):
            try:
                return mutual_tls(cert, key, ca)
            except BadCertificate as error:
                raise click.UsageError(f"TLS can't use {error}") from None
    raise click.UsageError("TLS needs all three of --cert, --key and --ca")
