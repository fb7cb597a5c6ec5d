"""The client commands of Basic Paxos: `paxos propose`, `paxos get` and `paxos status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ostrakon.paxos_impl.cli.client_options import ClientOptions, asks
from ostrakon.paxos_impl.cli.exits import NOT_DONE, UNKNOWN_YET, say, text

if TYPE_CHECKING:
    from ostrakon.paxos_impl.wire.membership import Address


@click.command()
@click.argument("value")
@asks
def propose(value: str, options: ClientOptions) -> int:
    """Propose VALUE, and print the chosen value: this one, or one that was proposed earlier.

    No answer in time (exit status 1) does not mean that VALUE will not be chosen.
    """
    from ostrakon.paxos_impl.client import decree as client
    from ostrakon.paxos_impl.core.effect import Chosen

    if any("\udc80" <= character <= "\udcff" for character in value):
        raise click.UsageError("VALUE is not text in UTF-8")

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        outcome = await client.propose(addresses, value, timeout_s=timeout_s, transport=options.transport)
        if isinstance(outcome, Chosen):
            click.echo(text(outcome.value))
            return 0
        say(outcome.why)
        return NOT_DONE

    return options.ask(ask, awaits_cluster=True)


@click.command()
@asks
def get(options: ClientOptions) -> int:
    """Print the chosen value. Exit status 3 if no value is known to be chosen yet."""
    from ostrakon.paxos_impl.client import decree as client
    from ostrakon.paxos_impl.core.effect import Chosen, Refused

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        outcome = await client.get(addresses, timeout_s=timeout_s, transport=options.transport)
        if isinstance(outcome, Chosen):
            click.echo(text(outcome.value))
            return 0
        if isinstance(outcome, Refused):
            say(outcome.why)
            return NOT_DONE
        say("nothing is known to be chosen yet")
        return UNKNOWN_YET

    return options.ask(ask)


@click.command()
@asks
def status(options: ClientOptions) -> int:
    """Print a line for each instance: what it has promised, accepted and learned.

    Exit status 1 if an instance does not answer.
    """
    from ostrakon.paxos_impl.client import decree as client
    from ostrakon.paxos_impl.wire.decree import Status

    def described(seen: Status) -> str:
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
                seen = await client.status(address, timeout_s=share_s, transport=options.transport)
            except client.NoAnswer:
                silent = True
                click.echo(f"{address}  no answer")
            else:
                click.echo(f"{address}  {described(seen) if isinstance(seen, Status) else seen}")
        return NOT_DONE if silent else 0

    return options.ask(ask)
