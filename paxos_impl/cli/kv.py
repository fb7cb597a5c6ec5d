"""The commands of the replicated store: `paxos kv serve`, `put`, `get`, `cas`, ..."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from ostrakon.paxos_impl.cli.backup import backup, restore
from ostrakon.paxos_impl.cli.client_options import ClientOptions, asks
from ostrakon.paxos_impl.cli.exits import NOT_DONE, say
from ostrakon.paxos_impl.cli.member import Kind, MemberProcess, as_joiner, as_member
from ostrakon.paxos_impl.cli.members import members, promote, remove
from ostrakon.paxos_impl.cli.operations import OPERATIONS
from ostrakon.paxos_impl.cli.tuning import Tuning, with_tuning

if TYPE_CHECKING:
    from ostrakon.paxos_impl.cli.service_options import Service
    from ostrakon.paxos_impl.server.driver import Tracer
    from ostrakon.paxos_impl.server.server import Server
    from ostrakon.paxos_impl.wire.membership import Address, Membership
    from ostrakon.paxos_impl.wire.replica import Status


@click.group()
def kv() -> None:
    """A replicated key-value store on a log of decisions (Multi-Paxos).

    Its replicas find each other with a registry, as instances of Basic Paxos do:

    \b
      paxos registry --listen 127.0.0.1:7000 --data data/registry &
      paxos kv serve --listen 127.0.0.1:7001 --registry 127.0.0.1:7000 --data data/1 &
      ... and so on, three in all
      paxos kv put --registry 127.0.0.1:7000 colour blue
      paxos kv get --registry 127.0.0.1:7000 colour

    Exit status: 0 done; 1 definitely not done; 2 unknown whether it was done, or will be; 3 the key has no
    value; 254 bad arguments; 255 a service could not go on.
    """


for command in (*OPERATIONS, members, promote, remove, backup, restore):
    kv.add_command(command)


_groups = click.option(
    "--groups",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Number of independent logs over which the keys are spread; the same for all replicas, for ever.",
)


@kv.command()
@as_member
@_groups
@with_tuning
def serve(member: MemberProcess, groups: int, tuning: Tuning) -> None:
    """Run a replica of the store.

    It registers, waits until the cluster is complete, and serves until stopped. After any crash, started
    again with the same --listen and --data, it is the same replica and keeps its promises.

    With several --groups, each group has a log and a leader of its own, and they share syncs of the disk. An
    operation can only use keys of one group. Keys with the same part in braces are in the same group, as {x}1
    and {x}2.
    """
    _run(member, tuning, joins=False, groups=groups)


@kv.command()
@as_joiner
@_groups
@with_tuning
def join(member: MemberProcess, groups: int, tuning: Tuning) -> None:
    """Run a further replica in an existing cluster.

    The replica is added as a learner: it follows the log and has no vote until `paxos kv promote` gives it
    one. After any crash, started again with the same --listen and --data, it is the same replica. A replica
    that has lost its data must join again, as a new one.
    """
    _run(member, tuning, joins=True, groups=groups)


def _run(member: MemberProcess, tuning: Tuning, *, joins: bool, groups: int) -> None:
    from random import SystemRandom

    from ostrakon.paxos_impl.kv.store import Store
    from ostrakon.paxos_impl.server.groups_server import GroupsServer
    from ostrakon.paxos_impl.server.replica_config import COMMAND_BYTES_MAX, ReplicaConfig
    from ostrakon.paxos_impl.server.replica_handler import answer_before_cluster
    from ostrakon.paxos_impl.server.replica_server import ReplicaServer
    from ostrakon.paxos_impl.storage.backup import load_backup
    from ostrakon.paxos_impl.storage.disk import OsDisk
    from ostrakon.paxos_impl.wire.replica import read_incoming

    async def recover(
        service: Service, server_id: int, membership: Membership, disk: OsDisk, tracer: Tracer | None
    ) -> Server:
        config = ReplicaConfig(
            server_id,
            membership,
            joins,
            timing=tuning.timing,
            lease=tuning.lease,
            transport=service.transport,
            command_bytes_max=tuning.value_bytes + COMMAND_BYTES_MAX - (1 << 20),
            groups=groups,
        )
        node = ReplicaServer if groups == 1 else GroupsServer
        return await node.recover(
            config,
            disk,
            rng=SystemRandom(),
            machine=tuning.new_machine,
            tracer=tracer,
            log=service.say,
            backup=await load_backup(disk),
        )

    if not isinstance(tuning.new_machine(), Store) and groups > 1:
        raise click.UsageError("--machine is for one group: only the store spreads its keys over several")
    member.run(Kind("replica", read_incoming, answer_before_cluster, recover, groups), tuning.limits)


@kv.command()
@asks
def health(options: ClientOptions) -> int:
    """Exit with status 0 if every replica that is asked serves and knows a leader, and with 1 otherwise.

    For a load balancer or a supervisor: `paxos kv health --node HOST:PORT --timeout 1`.
    """
    from ostrakon.paxos_impl.client.connection import NoAnswer
    from ostrakon.paxos_impl.client.replica import statuses

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        unwell = 0
        for address in addresses:
            try:
                answer = await statuses(
                    address, timeout_s=timeout_s / len(addresses), transport=options.transport
                )
            except NoAnswer as error:
                why = f"no answer: {error}"
            else:
                lost = isinstance(answer, list) and any(group.leader is None for group in answer)
                why = "it knows no leader" if lost else "" if isinstance(answer, list) else str(answer)
            if why:
                unwell += 1
                say(f"{address}: {why}")
        return NOT_DONE if unwell else 0

    return options.ask(ask)


@kv.command()
@asks
def status(options: ClientOptions) -> int:
    """Print a line for each replica: its phase, its leader, and how far it knows the log.

    The lag is the number of slots that another replica has executed and this one has not. A replica with
    several groups has a line for each group. Exit status 1 if a replica does not answer.
    """
    from ostrakon.paxos_impl.client.connection import NoAnswer
    from ostrakon.paxos_impl.client.replica import statuses

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        found: dict[Address, list[Status] | str] = {}
        for address in addresses:
            share_s = timeout_s / len(addresses)
            try:
                answer = await statuses(address, timeout_s=share_s, transport=options.transport)
            except NoAnswer:
                found[address] = "no answer"
            else:
                found[address] = answer if isinstance(answer, list) else str(answer)
        for address, seen in found.items():
            for line in [seen] if isinstance(seen, str) else _lines(seen, list(found.values())):
                click.echo(f"{address}  {line}")
        return NOT_DONE if "no answer" in found.values() else 0

    return options.ask(ask)


def _lines(groups: Sequence[Status], found: Sequence[Sequence[Status] | str]) -> Iterator[str]:
    """A line for each group of a replica."""
    for group, seen in enumerate(groups):
        others = [each[group] for each in found if not isinstance(each, str) and group < len(each)]
        line = _line(seen, max(each.executed for each in others))
        yield line if len(groups) == 1 else f"group {group}  {line}"


def _line(seen: Status, last: int) -> str:
    """The status of a replica, or of one of its groups, as a line."""
    return (
        f"server {seen.server_id}  start {seen.incarnation + 1}  {seen.phase}  "
        f"leader {'-' if seen.leader is None else seen.leader}  ballot {seen.promised or '-'}  "
        f"executed {seen.executed}  known {seen.upto}  voted {seen.top}  lag {last - seen.executed}  "
        f"members {','.join(map(str, sorted(seen.members)))}"
        + ("" if seen.lease_s is None else f"  lease {1000 * seen.lease_s:.0f} ms")
    )
