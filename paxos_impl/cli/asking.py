"""The commands that ask: `paxos propose`, `paxos get` and `paxos status`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click

from paxos_impl.cli.address import ADDRESS
from paxos_impl.cli.exits import NOT_DONE, UNKNOWN_YET, say

if TYPE_CHECKING:
    from paxos_impl.membership import Address

ASK_AGAIN_S = 0.2
"""How long to wait before asking again who did not answer."""

ask_registry = click.option("--registry", type=ADDRESS, help="Ask any instance that this registry knows.")
ask_node = click.option("--node", type=ADDRESS, help="Ask this instance.")


def _finite(context: click.Context, option: click.Parameter, seconds: float) -> float:
    if not seconds < float("inf"):
        raise click.BadParameter(f"{seconds} is no number of seconds")
    return seconds


timeout = click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    metavar="S",
    callback=_finite,
    help="Give up after so many seconds.",
)


@click.command()
@click.argument("value")
@ask_registry
@ask_node
@timeout
def propose(value: str, registry: Address | None, node: Address | None, timeout_s: float) -> int:
    """Propose VALUE, and print the value that is chosen: this one, or one that came first.

    No answer in time (exit status 1) does not mean that VALUE will not be chosen.
    """
    from paxos_impl import client
    from paxos_impl.core.effect import Chosen

    if any("\udc80" <= character <= "\udcff" for character in value):
        raise click.UsageError("VALUE is not text in UTF-8")

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        outcome = await client.propose(addresses, value, timeout_s=timeout_s)
        if isinstance(outcome, Chosen):
            click.echo(text(outcome.value))
            return 0
        say(outcome.why)
        return NOT_DONE

    return asked(ask, registry, node, timeout_s, awaits_cluster=True)


@click.command()
@ask_registry
@ask_node
@timeout
def get(registry: Address | None, node: Address | None, timeout_s: float) -> int:
    """Print the chosen value, alone. Exit status 3 if nothing is known yet."""
    from paxos_impl import client
    from paxos_impl.core.effect import Chosen, Refused

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        outcome = await client.get(addresses, timeout_s=timeout_s)
        if isinstance(outcome, Chosen):
            click.echo(text(outcome.value))
            return 0
        if isinstance(outcome, Refused):
            say(outcome.why)
            return NOT_DONE
        say("nothing is known to be chosen yet")
        return UNKNOWN_YET

    return asked(ask, registry, node, timeout_s)


@click.command()
@ask_registry
@ask_node
@timeout
def status(registry: Address | None, node: Address | None, timeout_s: float) -> int:
    """Print a line for each instance: what it has promised, accepted and learned.

    Exit status 1 if one of them does not answer.
    """
    from paxos_impl import client

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        silent = False
        for address in addresses:
            try:
                seen = await client.status(address, timeout_s=timeout_s / len(addresses))
            except client.NoAnswer:
                silent = True
                click.echo(f"{address}  no answer")
                continue
            accepted = "-" if seen.accepted is None else f"{text(seen.accepted.value)}@{seen.accepted.ballot}"
            click.echo(
                f"{address}  server {seen.server_id}  start {seen.incarnation + 1}  {seen.phase}  "
                f"promised {seen.promised or '-'}  accepted {accepted}  "
                f"chosen {'-' if seen.chosen is None else text(seen.chosen.value)}"
            )
        return NOT_DONE if silent else 0

    return asked(ask, registry, node, timeout_s)


def asked(
    ask: Callable[[list[Address], float], Awaitable[int]],
    registry: Address | None,
    node: Address | None,
    timeout_s: float,
    *,
    awaits_cluster: bool = False,
) -> int:
    """Run a client's command on who is to be asked, and the time that is left; silence is told in a line.

    While there is time, silence is met by asking again, for who is asked may only just be starting. So is
    a cluster that is not complete yet, if the command `awaits_cluster`.
    """
    if (registry is None) == (node is None):
        raise click.UsageError("say whom to ask: either --registry HOST:PORT or --node HOST:PORT")
    import trio

    from paxos_impl.client import NoAnswer

    async def find_and_ask() -> int:
        deadline = trio.current_time() + timeout_s
        while True:
            try:
                addresses = await _instances(registry, node, deadline - trio.current_time())
                return await ask(addresses, deadline - trio.current_time())
            except (NoAnswer, NotReady) as silence:
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


class NotReady(Exception):
    """There is no cluster to ask yet."""


async def _instances(registry: Address | None, node: Address | None, timeout_s: float) -> list[Address]:
    """Whom to ask."""
    import trio

    from paxos_impl.client import NoAnswer
    from paxos_impl.frame import BadFrame
    from paxos_impl.registry import GetMembership, View
    from paxos_impl.registry import ask_registry as ask

    if node is not None:
        return [node]
    assert registry is not None
    try:
        with trio.fail_after(max(timeout_s, 0)):
            view = await ask(registry, GetMembership())
    except (OSError, trio.BrokenResourceError, trio.TooSlowError, BadFrame) as error:
        raise NoAnswer(f"the registry at {registry} does not answer: {error}") from None
    if not isinstance(view, View):
        raise NoAnswer(f"what listens at {registry} is no registry: it says {view}")
    if view.membership is None:
        so_far = f"{view.registered} of {view.cluster_size or 'its'} instances have registered"
        raise NotReady(f"nothing is known yet: {so_far} at {registry}")
    return [view.membership.members[server_id] for server_id in view.membership.ids]


def text(value: object) -> str:
    """A value as it was typed; one that is not text, as JSON."""
    if isinstance(value, str):
        return value
    import msgspec

    return msgspec.json.encode(value).decode()
