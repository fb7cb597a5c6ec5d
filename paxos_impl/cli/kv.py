"""The commands of the replicated store: `paxos kv serve`, `put`, `get`, `cas`, ..."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from paxos_impl.cli.exits import NOT_DONE, UNKNOWN_YET, UNSURE, say, text
from paxos_impl.cli.member import Kind, Member, as_joiner, as_member
from paxos_impl.cli.members import members, promote, remove
from paxos_impl.cli.whom import Whom, asks

if TYPE_CHECKING:
    from paxos_impl.cli.serving import Service
    from paxos_impl.driver import Tracer
    from paxos_impl.kv.operation import Operation
    from paxos_impl.membership import Address, Membership
    from paxos_impl.replica.wire import Status

_as_json = click.option("--json", "is_json", is_flag=True, help="Values are JSON, not text.")


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


kv.add_command(members)
kv.add_command(promote)
kv.add_command(remove)


@kv.command()
@as_member
def serve(member: Member) -> None:
    """Run a replica of the store.

    It registers, waits until the cluster is complete, and serves until stopped. Killed in whatever way and
    started again with the same --listen and --data, it is the same replica and keeps its promises.
    """
    _run(member, joins=False)


@kv.command()
@as_joiner
def join(member: Member) -> None:
    """Run another replica, in a cluster that others have founded.

    It has itself added as a learner: it follows the log, and does not count when something is decided until
    it is given a vote with `paxos kv promote`. Killed in whatever way and started again with the same
    --listen and --data, it is the same replica. One that has lost its data has to join anew, as another.
    """
    _run(member, joins=True)


def _run(member: Member, *, joins: bool) -> None:
    from random import SystemRandom

    from paxos_impl.disk import OsDisk
    from paxos_impl.replica.desk import answer_early
    from paxos_impl.replica.node import ReplicaConfig, ReplicaNode
    from paxos_impl.replica.wire import read_incoming

    async def recover(
        service: Service, server_id: int, membership: Membership, disk: OsDisk, tracer: Tracer | None
    ) -> ReplicaNode:
        config = ReplicaConfig(server_id, membership, joins, transport=service.transport)
        return await ReplicaNode.recover(config, disk, rng=SystemRandom(), tracer=tracer, log=service.say)

    member.run(Kind("replica", read_incoming, answer_early, recover))


@kv.command()
@click.argument("key")
@asks
def get(key: str, whom: Whom) -> int:
    """Print the value of KEY. Exit status 3 if it has none."""
    from paxos_impl.kv.operation import Get

    def tell(value: Any) -> int:
        if value is None:
            say(f"{key} has no value")
            return UNKNOWN_YET
        click.echo(text(value))
        return 0

    return _carry_out(Get(key), tell, whom)


@kv.command()
@click.argument("key")
@click.argument("value")
@_as_json
@asks
def put(key: str, value: str, is_json: bool, whom: Whom) -> int:
    """Let KEY have VALUE."""
    from paxos_impl.kv.operation import Put

    return _carry_out(Put(key, _value(value, is_json)), lambda _: 0, whom)


@kv.command()
@click.argument("key")
@click.argument("old")
@click.argument("new")
@_as_json
@asks
def cas(
    key: str,
    old: str,
    new: str,
    is_json: bool,
    whom: Whom,
) -> int:
    """Let KEY have the value NEW if it has OLD; exit status 1 if it has another.

    With --json, null stands for having none.
    """
    from paxos_impl.kv.operation import Cas

    def tell(swapped: Any) -> int:
        if not swapped:
            say(f"{key} has another value")
        return 0 if swapped else NOT_DONE

    operation = Cas(key, _value(old, is_json), _value(new, is_json))
    return _carry_out(operation, tell, whom)


@kv.command()
@click.argument("key")
@click.argument("element")
@_as_json
@asks
def append(key: str, element: str, is_json: bool, whom: Whom) -> int:
    """Add ELEMENT to the list that KEY has, and print how many elements it has then."""
    from paxos_impl.kv.operation import Append

    def tell(length: Any) -> int:
        click.echo(text(length))
        return 0

    return _carry_out(Append(key, _value(element, is_json)), tell, whom)


@kv.command()
@click.argument("key")
@asks
def delete(key: str, whom: Whom) -> int:
    """Let KEY have no value. Exit status 3 if it had none."""
    from paxos_impl.kv.operation import Delete

    return _carry_out(Delete(key), lambda had: 0 if had else UNKNOWN_YET, whom)


@kv.command()
@asks
def status(whom: Whom) -> int:
    """Print a line for each replica: what it does, whom it follows, and how far it knows the log.

    Its lag is how many slots another one has executed and it has not. Exit status 1 if one of them does not
    answer.
    """
    from paxos_impl.connection import NoAnswer
    from paxos_impl.replica import client
    from paxos_impl.replica.wire import Status

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        found: dict[Address, Status | str] = {}
        for address in addresses:
            share_s = timeout_s / len(addresses)
            try:
                seen = await client.status(address, timeout_s=share_s, transport=whom.transport)
            except NoAnswer:
                found[address] = "no answer"
            else:
                found[address] = seen if isinstance(seen, Status) else str(seen)
        last = max((seen.executed for seen in found.values() if isinstance(seen, Status)), default=0)
        for address, told in found.items():
            click.echo(f"{address}  {_told(told, last) if isinstance(told, Status) else told}")
        return NOT_DONE if "no answer" in found.values() else 0

    return whom.ask(ask)


def _told(seen: Status, last: int) -> str:
    """What a replica says of itself, in a line."""
    return (
        f"server {seen.server_id}  start {seen.incarnation + 1}  {seen.phase}  "
        f"leader {'-' if seen.leader is None else seen.leader}  ballot {seen.promised or '-'}  "
        f"executed {seen.executed}  known {seen.upto}  voted {seen.top}  lag {last - seen.executed}  "
        f"members {','.join(map(str, sorted(seen.members)))}"
        + ("" if seen.lease_s is None else f"  lease {1000 * seen.lease_s:.0f} ms")
    )


def _carry_out(
    operation: Operation,
    tell: Any,
    whom: Whom,
) -> int:
    """Have an operation executed; reads go without a slot of their own."""
    import secrets

    from paxos_impl.kv.operation import Get, plain
    from paxos_impl.replica.client import NotDone, ReplicaClient, Unsure

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        async with ReplicaClient(addresses, secrets.token_hex(8), transport=whom.transport) as client:
            call = client.read if isinstance(operation, Get) else client.execute
            try:
                done = await call(plain(operation), timeout_s=timeout_s)
            except NotDone as why:
                say(f"not done: {why}")
                return NOT_DONE
            except Unsure as why:
                say(f"nobody knows whether it was done, or will be: {why}")
                return UNSURE
        status: int = tell(done.result)
        return status

    return whom.ask(ask, awaits_cluster=True)


def _value(argument: str, is_json: bool) -> Any:
    import msgspec

    if not is_json:
        return argument
    try:
        return msgspec.json.decode(argument)
    except msgspec.DecodeError as error:
        raise click.UsageError(f"{argument!r} is not JSON: {error}") from None
