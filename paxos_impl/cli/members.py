"""The commands that show and change the members of a store: `paxos kv members`, `promote` and `remove`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from ostrakon.paxos_impl.cli.client_options import ClientOptions, asks
from ostrakon.paxos_impl.cli.exits import NOT_DONE, UNKNOWN_YET, UNSURE, say

if TYPE_CHECKING:
    from ostrakon.paxos_impl.core.multi import Configuration, Member
    from ostrakon.paxos_impl.wire.membership import Address
    from ostrakon.paxos_impl.wire.replica import Status


@click.command()
@asks
def members(options: ClientOptions) -> int:
    """Print a line for each member: id, address, and whether it is a voter or a learner.

    A learner follows the log but has no vote.
    """

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        newest = await _newest(options, addresses, timeout_s)
        if newest is None:
            say("nothing is known yet")
            return UNKNOWN_YET
        for member in newest[1].members:
            click.echo(f"{member.id}  {member.address}  {'voter' if member.votes else 'learner'}")
        return 0

    return options.ask(ask)


@click.command()
@click.argument("server_id", type=int, metavar="ID")
@asks
def promote(server_id: int, options: ClientOptions) -> int:
    """Give the learner with this ID a vote, as soon as it has caught up with the log.

    When the command has succeeded, its vote counts.
    """
    return _change(server_id, lambda now: now.with_vote(server_id), options)


@click.command()
@click.argument("server_id", type=int, metavar="ID")
@asks
def remove(server_id: int, options: ClientOptions) -> int:
    """Remove the member with this ID for good: no member ever gets that id again.

    When the command has succeeded, its vote does not count any more, and it can be stopped.
    """
    return _change(server_id, lambda now: now.without(server_id), options)


def _change(
    server_id: int, wanted: Callable[[Configuration], Sequence[Member]], options: ClientOptions
) -> int:
    import secrets

    import trio

    from ostrakon.paxos_impl.client.replica import NotDone, ReplicaClient, Unsure

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        deadline = trio.current_time() + timeout_s
        newest = await _newest(options, addresses, timeout_s / 2)
        if newest is None or server_id not in newest[1].ids:
            say(f"not done: server {server_id} is no member")
            return NOT_DONE
        found, now = newest
        everyone = [*addresses, *found.members.values()]
        async with ReplicaClient(everyone, secrets.token_hex(8), transport=options.transport) as client:
            try:
                await client.change(wanted(now), timeout_s=deadline - trio.current_time())
            except NotDone as why:
                say(f"not done: {why}")
                return NOT_DONE
            except Unsure as why:
                say(f"unknown whether it was done, or will be: {why}")
                return UNSURE
        return 0

    return options.ask(ask, awaits_cluster=True)


async def _newest(
    options: ClientOptions, addresses: Sequence[Address], timeout_s: float
) -> tuple[Status, Configuration] | None:
    """The newest configuration that one of these servers knows; None if they know none.

    Raises: NoAnswer, when no server answers.
    """
    from ostrakon.paxos_impl.client.connection import NoAnswer
    from ostrakon.paxos_impl.client.replica import status
    from ostrakon.paxos_impl.wire.replica import Status

    found: list[tuple[Status, Configuration]] = []
    no_log: NoAnswer | None = None
    for address in addresses:
        try:
            newest = await status(address, timeout_s=timeout_s / len(addresses), transport=options.transport)
        except NoAnswer as error:
            no_log = error
        else:
            if (
                isinstance(newest, Status)
                and newest.configuration is not None
                and newest.configuration.members
            ):
                found.append((newest, newest.configuration))
    if not found and no_log is not None:
        raise no_log
    return max(found, key=lambda each: each[1].version, default=None)
