"""The commands of the replicated store: `paxos kv serve`, `put`, `get`, `cas`, ..."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from ostrakon.paxos_impl.cli.exits import NOT_DONE
from ostrakon.paxos_impl.cli.member import Kind, Member, as_joiner, as_member
from ostrakon.paxos_impl.cli.members import members, promote, remove
from ostrakon.paxos_impl.cli.operations import OPERATIONS
from ostrakon.paxos_impl.cli.whom import Whom, asks

if TYPE_CHECKING:
    from ostrakon.paxos_impl.cli.serving import Service
    from ostrakon.paxos_impl.driver import Tracer
    from ostrakon.paxos_impl.membership import Address, Membership
    from ostrakon.paxos_impl.replica.wire import Status
    from ostrakon.paxos_impl.server import Server


@click.group()
def kv() -> None:
    """A replicated key-value store, on a log of decisions (Multi-Paxos).

    Its replicas find each other by a registry of their own, as instances do:

    \b
      paxos registry --listen 127.0.0.1:7000 --data data/registry &
      paxos kv serve --listen 127.0.0.1:7001 --registry 127.0.0.1:7000 --data data/1 &
      ... and so on, three in all
      paxos kv put --registry 127.0.0.1:7000 colour blue
      paxos kv get --registry 127.0.0.1:7000 colour

    Exit status: 0 done; 1 definitely not done; 2 nobody knows whether it was, or will be; 3 the key has no
    value; 254 bad arguments; 255 a service could not go on.
    """


for command in (*OPERATIONS, members, promote, remove):
    kv.add_command(command)


_groups = click.option(
    "--groups",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Spread the keys over so many independent logs; the same for all replicas, and for ever.",
)


@kv.command()
@as_member
@_groups
def serve(member: Member, groups: int) -> None:
    """Run a replica of the store.

    It registers, waits until the cluster is complete, and serves until stopped. Killed in whatever way and
    started again with the same --listen and --data, it is the same replica and keeps its promises.

    With several --groups, each has a log and a leader of its own, and syncs of the disk are for all of them
    together. An operation can only be about keys of one group: {x}1 and {x}2 are in the same one, because
    they have the same part in braces.
    """
    _run(member, joins=False, groups=groups)


@kv.command()
@as_joiner
@_groups
def join(member: Member, groups: int) -> None:
    """Run another replica, in a cluster that others have founded.

    It has itself added as a learner: it follows the log, and does not count when something is decided until
    it is given a vote with `paxos kv promote`. Killed in whatever way and started again with the same
    --listen and --data, it is the same replica. One that has lost its data has to join anew, as another.
    """
    _run(member, joins=True, groups=groups)


def _run(member: Member, *, joins: bool, groups: int) -> None:
    from random import SystemRandom

    from ostrakon.paxos_impl.disk import OsDisk
    from ostrakon.paxos_impl.groups.node import GroupsNode
    from ostrakon.paxos_impl.replica.config import ReplicaConfig
    from ostrakon.paxos_impl.replica.desk import answer_early
    from ostrakon.paxos_impl.replica.node import ReplicaNode
    from ostrakon.paxos_impl.replica.wire import read_incoming

    async def recover(
        service: Service, server_id: int, membership: Membership, disk: OsDisk, tracer: Tracer | None
    ) -> Server:
        config = ReplicaConfig(server_id, membership, joins, transport=service.transport, groups=groups)
        node = ReplicaNode if groups == 1 else GroupsNode
        return await node.recover(config, disk, rng=SystemRandom(), tracer=tracer, log=service.say)

    member.run(Kind("replica", read_incoming, answer_early, recover, groups))


@kv.command()
@asks
def status(whom: Whom) -> int:
    """Print a line for each replica: what it does, whom it follows, and how far it knows the log.

    Its lag is how many slots another one has executed and it has not. A replica with several groups has a
    line for each of them. Exit status 1 if one of them does not answer.
    """
    from ostrakon.paxos_impl.connection import NoAnswer
    from ostrakon.paxos_impl.replica import client

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        found: dict[Address, list[Status] | str] = {}
        for address in addresses:
            share_s = timeout_s / len(addresses)
            try:
                seen = await client.statuses(address, timeout_s=share_s, transport=whom.transport)
            except NoAnswer:
                found[address] = "no answer"
            else:
                found[address] = seen if isinstance(seen, list) else str(seen)
        for address, told in found.items():
            for line in [told] if isinstance(told, str) else _lines(told, list(found.values())):
                click.echo(f"{address}  {line}")
        return NOT_DONE if "no answer" in found.values() else 0

    return whom.ask(ask)


def _lines(told: Sequence[Status], found: Sequence[Sequence[Status] | str]) -> Iterator[str]:
    """What a replica says of itself, a line for each group."""
    for group, seen in enumerate(told):
        others = [each[group] for each in found if not isinstance(each, str) and group < len(each)]
        line = _told(seen, max(each.executed for each in others))
        yield line if len(told) == 1 else f"group {group}  {line}"


def _told(seen: Status, last: int) -> str:
    """What a replica, or one group of it, says of itself."""
    return (
        f"server {seen.server_id}  start {seen.incarnation + 1}  {seen.phase}  "
        f"leader {'-' if seen.leader is None else seen.leader}  ballot {seen.promised or '-'}  "
        f"executed {seen.executed}  known {seen.upto}  voted {seen.top}  lag {last - seen.executed}  "
        f"members {','.join(map(str, sorted(seen.members)))}"
        + ("" if seen.lease_s is None else f"  lease {1000 * seen.lease_s:.0f} ms")
    )
