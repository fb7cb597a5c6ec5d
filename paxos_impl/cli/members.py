"""The commands about the members of a replicated store: `paxos kv members`, `promote` and `remove`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from ostrakon.paxos_impl.cli.exits import NOT_DONE, UNKNOWN_YET, UNSURE, say
from ostrakon.paxos_impl.cli.whom import Whom, asks

if TYPE_CHECKING:
    from ostrakon.paxos_impl.core.multi import Configuration, Member
    from ostrakon.paxos_impl.membership import Address
    from ostrakon.paxos_impl.replica.wire import Status


@click.command()
@asks
def members(whom: Whom) -> int:
    """Print the members, a line for each: id, address, and whether it is a voter or a learner.

    A learner follows the log, but does not count when something is decided.
    """

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        told = await _newest(whom, addresses, timeout_s)
        if told is None:
            say("nothing is known yet")
            return UNKNOWN_YET
        for member in told[1].members:
            click.echo(f"{member.id}  {member.address}  {'voter' if member.votes else 'learner'}")
        return 0

    return whom.ask(ask)


@click.command()
@click.argument("server_id", type=int, metavar="ID")
@asks
def promote(server_id: int, whom: Whom) -> int:
    """Give the learner with this ID a vote, as soon as it has caught up with the log.

    Done means that its vote counts from now on.
    """
    return _change(server_id, lambda now: now.with_vote(server_id), whom)


@click.command()
@click.argument("server_id", type=int, metavar="ID")
@asks
def remove(server_id: int, whom: Whom) -> int:
    """Remove the member with this ID, for good: no member ever gets that id again.

    Done means that its vote does not count any more, and it can be stopped.
    """
    return _change(server_id, lambda now: now.without(server_id), whom)


def _change(server_id: int, wanted: Callable[[Configuration], Sequence[Member]], whom: Whom) -> int:
    import secrets

    import trio

    from ostrakon.paxos_impl.replica.client import NotDone, ReplicaClient, Unsure

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        deadline = trio.current_time() + timeout_s
        told = await _newest(whom, addresses, timeout_s / 2)
        if told is None or server_id not in told[1].ids:
            say(f"not done: server {server_id} is no member")
            return NOT_DONE
        found, now = told
        everyone = [*addresses, *found.members.values()]
        async with ReplicaClient(everyone, secrets.token_hex(8), transport=whom.transport) as client:
            try:
                await client.change(wanted(now), timeout_s=deadline - trio.current_time())
            except NotDone as why:
                say(f"not done: {why}")
                return NOT_DONE
            except Unsure as why:
                say(f"nobody knows whether it was done, or will be: {why}")
                return UNSURE
        return 0

    return whom.ask(ask, awaits_cluster=True)


async def _newest(
    whom: Whom, addresses: Sequence[Address], timeout_s: float
) -> tuple[Status, Configuration] | None:
    """The newest configuration that any of them knows of; None if they know of none.

    Raises: NoAnswer, when nobody answers.
    """
    from ostrakon.paxos_impl.connection import NoAnswer
    from ostrakon.paxos_impl.replica.client import status
    from ostrakon.paxos_impl.replica.wire import Status

    found: list[tuple[Status, Configuration]] = []
    silence: NoAnswer | None = None
    for address in addresses:
        try:
            told = await status(address, timeout_s=timeout_s / len(addresses), transport=whom.transport)
        except NoAnswer as error:
            silence = error
        else:
            if isinstance(told, Status) and told.configuration is not None and told.configuration.members:
                found.append((told, told.configuration))
    if not found and silence is not None:
        raise silence
    return max(found, key=lambda each: each[1].version, default=None)
