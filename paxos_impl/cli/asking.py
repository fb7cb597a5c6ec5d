"""The commands that ask: `paxos propose`, `paxos get` and `paxos status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ostrakon.paxos_impl.cli.exits import NOT_DONE, UNKNOWN_YET, say, text
from ostrakon.paxos_impl.cli.whom import Whom, asks

if TYPE_CHECKING:
    from ostrakon.paxos_impl.membership import Address


@click.command()
@click.argument("value")
@asks
def propose(value: str, whom: Whom) -> int:
    """Propose VALUE, and print the value that is chosen: this one, or one that came first.

    No answer in time (exit status 1) does not mean that VALUE will not be chosen.
    """
    from ostrakon.paxos_impl import client
    from ostrakon.paxos_impl.core.effect import Chosen

    if any("\udc80" <= character <= "\udcff" for character in value):
        raise click.UsageError("VALUE is not text in UTF-8")

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        outcome = await client.propose(addresses, value, timeout_s=timeout_s, transport=whom.transport)
        if isinstance(outcome, Chosen):
            click.echo(text(outcome.value))
            return 0
        say(outcome.why)
        return NOT_DONE

    return whom.ask(ask, awaits_cluster=True)


@click.command()
@asks
def get(whom: Whom) -> int:
    """Print the chosen value, alone. Exit status 3 if nothing is known yet."""
    from ostrakon.paxos_impl import client
    from ostrakon.paxos_impl.core.effect import Chosen, Refused

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        outcome = await client.get(addresses, timeout_s=timeout_s, transport=whom.transport)
        if isinstance(outcome, Chosen):
            click.echo(text(outcome.value))
            return 0
        if isinstance(outcome, Refused):
            say(outcome.why)
            return NOT_DONE
        say("nothing is known to be chosen yet")
        return UNKNOWN_YET

    return whom.ask(ask)


@click.command()
@asks
def status(whom: Whom) -> int:
    """Print a line for each instance: what it has promised, accepted and learned.

    Exit status 1 if one of them does not answer.
    """
    from ostrakon.paxos_impl import client
    from ostrakon.paxos_impl.wire import Status

    def told(seen: Status) -> str:
        accepted = "-" if seen.accepted is None else f"{text(seen.accepted.value)}@{seen.accepted.ballot}"
        return (
            f"server {seen.server_id}  start {seen.incarnation + 1}  {seen.phase}  "
            f"promised {seen.promised or '-'}  accepted {accepted}  "
            f"chosen {'-' if seen.chosen is None else text(seen.chosen.value)}"
        )

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        silent = False
        for address in addresses:
            share_s = timeout_s / len(addresses)
            try:
                seen = await client.status(address, timeout_s=share_s, transport=whom.transport)
            except client.NoAnswer:
                silent = True
                click.echo(f"{address}  no answer")
            else:
                click.echo(f"{address}  {told(seen) if isinstance(seen, Status) else seen}")
        return NOT_DONE if silent else 0

    return whom.ask(ask)
