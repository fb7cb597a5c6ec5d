"""Whom a command asks, and for how long: what the commands of clients have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from ostrakon.paxos_impl.cli.address import ADDRESS
from ostrakon.paxos_impl.cli.exits import NOT_DONE, UNKNOWN_YET, say
from ostrakon.paxos_impl.cli.tls import transport_of, with_tls

if TYPE_CHECKING:
    from ostrakon.paxos_impl.membership import Address
    from ostrakon.paxos_impl.transport import Transport

ASK_AGAIN_S = 0.2
"""How long to wait before asking again who did not answer."""


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom to ask: one of `registry` and `node` is given."""

    registry: Address | None
    node: Address | None
    timeout_s: float
    transport: Transport

    def ask(
        self, ask: Callable[[list[Address], float], Awaitable[int]], *, awaits_cluster: bool = False
    ) -> int:
        """Run `ask` on the addresses and the time that is left; silence is told in a line.

        While there is time, silence is met by asking again, for who is asked may only just be starting. So
        is a cluster that is not complete yet, if the command `awaits_cluster`.
        """
        import trio

        from ostrakon.paxos_impl.connection import NoAnswer, NotReady

        async def find_and_ask() -> int:
            deadline = trio.current_time() + self.timeout_s
            while True:
                try:
                    addresses = await self._addresses(deadline - trio.current_time())
                    return await ask(addresses, deadline - trio.current_time())
                except NoAnswer as silence:
                    if isinstance(silence, NotReady) and not awaits_cluster:
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
        """All instances there are, or the one that is meant."""
        import trio

        from ostrakon.paxos_impl.connection import NoAnswer, NotReady
        from ostrakon.paxos_impl.frame import BadFrame
        from ostrakon.paxos_impl.registry import GetMembership, View, ask_registry

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
            raise NoAnswer(f"what listens at {registry} is no registry: it says {view}")
        if view.membership is None:
            so_far = f"{view.registered} of {view.cluster_size or 'its'} instances have registered"
            raise NotReady(f"nothing is known yet: {so_far} at {registry}")
        return [view.membership.members[server_id] for server_id in view.membership.ids]


def asks(command: Callable[..., int]) -> Callable[..., int]:
    """The options that say whom to ask, and for how long; the command is given them as its `whom`."""

    @wraps(command)
    def with_whom(**options: Any) -> int:
        registry, node = options.pop("registry"), options.pop("node")
        if (registry is None) == (node is None):
            raise click.UsageError("say whom to ask: either --registry HOST:PORT or --node HOST:PORT")
        transport = transport_of(options.pop("tls_cert"), options.pop("tls_key"), options.pop("tls_ca"))
        return command(whom=Whom(registry, node, options.pop("timeout_s"), transport), **options)

    asked: Callable[..., int] = with_tls(with_whom)
    for option in reversed((_REGISTRY, _NODE, _TIMEOUT)):
        asked = option(asked)
    return asked


def _finite(context: click.Context, option: click.Parameter, seconds: float) -> float:
    if not seconds < float("inf"):
        raise click.BadParameter(f"{seconds} is no number of seconds")
    return seconds


_REGISTRY = click.option("--registry", type=ADDRESS, help="Ask any instance that this registry knows.")
_NODE = click.option("--node", type=ADDRESS, help="Ask this instance.")
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
