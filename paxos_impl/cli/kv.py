"""The commands of the replicated store: `paxos kv serve`, `put`, `get`, `cas`, ..."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from paxos_impl.cli.asking import ask_node, ask_registry, asked, text, timeout
from paxos_impl.cli.exits import NOT_DONE, UNKNOWN_YET, UNSURE, say
from paxos_impl.cli.service import as_member, run_member

if TYPE_CHECKING:
    from paxos_impl.kv.operation import Operation
    from paxos_impl.membership import Address

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


@kv.command()
@as_member
def serve(listen: Address, registry: Address, data: Path, cluster_size: int, trace: Path | None) -> None:
    """Run a replica of the store.

    It registers, waits until the cluster is complete, and serves until stopped. Killed in whatever way and
    started again with the same --listen and --data, it is the same replica and keeps its promises.
    """
    from random import SystemRandom

    from paxos_impl.replica.node import ReplicaConfig
    from paxos_impl.replica.node import serve as serve_replica

    run_member(
        lambda server_id, membership, disk, tracer, task_status: serve_replica(
            ReplicaConfig(server_id, membership),
            disk=disk,
            rng=SystemRandom(),
            tracer=tracer,
            log=say,
            task_status=task_status,
        ),
        listen,
        registry,
        data,
        cluster_size,
        trace,
        promises="replica",
    )


@kv.command()
@click.argument("key")
@ask_registry
@ask_node
@timeout
def get(key: str, registry: Address | None, node: Address | None, timeout_s: float) -> int:
    """Print the value of KEY. Exit status 3 if it has none."""
    from paxos_impl.kv.operation import Get

    def tell(value: Any) -> int:
        if value is None:
            say(f"{key} has no value")
            return UNKNOWN_YET
        click.echo(text(value))
        return 0

    return _carry_out(Get(key), tell, registry, node, timeout_s)


@kv.command()
@click.argument("key")
@click.argument("value")
@_as_json
@ask_registry
@ask_node
@timeout
def put(
    key: str, value: str, is_json: bool, registry: Address | None, node: Address | None, timeout_s: float
) -> int:
    """Let KEY have VALUE."""
    from paxos_impl.kv.operation import Put

    return _carry_out(Put(key, _value(value, is_json)), lambda _: 0, registry, node, timeout_s)


@kv.command()
@click.argument("key")
@click.argument("old")
@click.argument("new")
@_as_json
@ask_registry
@ask_node
@timeout
def cas(
    key: str,
    old: str,
    new: str,
    is_json: bool,
    registry: Address | None,
    node: Address | None,
    timeout_s: float,
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
    return _carry_out(operation, tell, registry, node, timeout_s)


@kv.command()
@click.argument("key")
@click.argument("element")
@_as_json
@ask_registry
@ask_node
@timeout
def append(
    key: str, element: str, is_json: bool, registry: Address | None, node: Address | None, timeout_s: float
) -> int:
    """Add ELEMENT to the list that KEY has, and print how many elements it has then."""
    from paxos_impl.kv.operation import Append

    def tell(length: Any) -> int:
        click.echo(text(length))
        return 0

    return _carry_out(Append(key, _value(element, is_json)), tell, registry, node, timeout_s)


@kv.command()
@click.argument("key")
@ask_registry
@ask_node
@timeout
def delete(key: str, registry: Address | None, node: Address | None, timeout_s: float) -> int:
    """Let KEY have no value. Exit status 3 if it had none."""
    from paxos_impl.kv.operation import Delete

    return _carry_out(Delete(key), lambda had: 0 if had else UNKNOWN_YET, registry, node, timeout_s)


@kv.command()
@ask_registry
@ask_node
@timeout
def status(registry: Address | None, node: Address | None, timeout_s: float) -> int:
    """Print a line for each replica: what it does, whom it follows, how far it knows the log.

    Exit status 1 if one of them does not answer.
    """
    from paxos_impl.client import NoAnswer
    from paxos_impl.replica import client

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        silent = False
        for address in addresses:
            try:
                seen = await client.status(address, timeout_s=timeout_s / len(addresses))
            except NoAnswer:
                silent = True
                click.echo(f"{address}  no answer")
                continue
            click.echo(
                f"{address}  server {seen.server_id}  start {seen.incarnation + 1}  {seen.phase}  "
                f"leader {'-' if seen.leader is None else seen.leader}  promised {seen.promised or '-'}  "
                f"executed {seen.upto}  voted {seen.top}"
            )
        return NOT_DONE if silent else 0

    return asked(ask, registry, node, timeout_s)


def _carry_out(
    operation: Operation,
    tell: Any,
    registry: Address | None,
    node: Address | None,
    timeout_s: float,
) -> int:
    """Have an operation executed; reads go without a slot of their own."""
    import secrets

    from paxos_impl.kv.operation import Get, plain
    from paxos_impl.replica.client import NotDone, ReplicaClient, Unsure

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        async with ReplicaClient(addresses, secrets.token_hex(8)) as client:
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

    return asked(ask, registry, node, timeout_s, awaits_cluster=True)


def _value(argument: str, is_json: bool) -> Any:
    import msgspec

    if not is_json:
        return argument
    try:
        return msgspec.json.decode(argument)
    except msgspec.DecodeError as error:
        raise click.UsageError(f"{argument!r} is not JSON: {error}") from None
