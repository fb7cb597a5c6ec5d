"""The commands that ask the store for something: `paxos kv get`, `put`, `cas`, ..., and all that it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from ostrakon.paxos_impl.cli.exits import NOT_DONE, UNKNOWN_YET, UNSURE, say, text
from ostrakon.paxos_impl.cli.whom import Whom, asks

if TYPE_CHECKING:
    from ostrakon.paxos_impl.kv.operation import Operation
    from ostrakon.paxos_impl.membership import Address

How = Literal["lease", "index", "log", "stale"]
"""What makes sure that a read shows what is there now."""

_as_json = click.option("--json", "is_json", is_flag=True, help="Values are JSON, not text.")


@click.command()
@click.argument("key")
@click.option(
    "--read",
    "how",
    type=click.Choice(["lease", "index", "log", "stale"]),
    default="lease",
    show_default=True,
    help="What makes sure that the value is not an old one.",
)
@asks
def get(key: str, how: How, whom: Whom) -> int:
    """Print the value of KEY. Exit status 3 if it has none.

    By `lease`, the leader answers at once while nobody else can lead. By `index`, it makes sure first that a
    quorum still goes by it. By `log`, the read is decided and executed as a write is. With `stale`, whoever
    is asked tells what it knows, which may be long out of date.
    """
    from ostrakon.paxos_impl.kv.operation import Get

    def tell(value: Any) -> int:
        if value is None:
            say(f"{key} has no value")
            return UNKNOWN_YET
        click.echo(text(value))
        return 0

    return _carry_out(Get(key), tell, whom, how)


@click.command()
@click.argument("key")
@click.argument("value")
@_as_json
@asks
def put(key: str, value: str, is_json: bool, whom: Whom) -> int:
    """Let KEY have VALUE."""
    from ostrakon.paxos_impl.kv.operation import Put

    return _carry_out(Put(key, _value(value, is_json)), lambda _: 0, whom)


@click.command()
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
    from ostrakon.paxos_impl.kv.operation import Cas

    def tell(swapped: Any) -> int:
        if not swapped:
            say(f"{key} has another value")
        return 0 if swapped else NOT_DONE

    operation = Cas(key, _value(old, is_json), _value(new, is_json))
    return _carry_out(operation, tell, whom)


@click.command()
@click.argument("key")
@click.argument("element")
@_as_json
@asks
def append(key: str, element: str, is_json: bool, whom: Whom) -> int:
    """Add ELEMENT to the list that KEY has, and print how many elements it has then."""
    from ostrakon.paxos_impl.kv.operation import Append

    def tell(length: Any) -> int:
        click.echo(text(length))
        return 0

    return _carry_out(Append(key, _value(element, is_json)), tell, whom)


@click.command()
@click.argument("key")
@asks
def delete(key: str, whom: Whom) -> int:
    """Let KEY have no value. Exit status 3 if it had none."""
    from ostrakon.paxos_impl.kv.operation import Delete

    return _carry_out(Delete(key), lambda had: 0 if had else UNKNOWN_YET, whom)


@click.command()
@click.argument("key")
@click.argument("amount", type=int)
@asks
def add(key: str, amount: int, whom: Whom) -> int:
    """Add AMOUNT to the whole number that KEY has, or to 0, and print the sum.

    Exit status 1 if it has something else.
    """
    from ostrakon.paxos_impl.kv.operation import Add

    def tell(total: Any) -> int:
        if total is None:
            say(f"{key} has a value that is no whole number")
            return NOT_DONE
        click.echo(text(total))
        return 0

    return _carry_out(Add(key, amount), tell, whom)


@click.command()
@click.argument("lock")
@click.argument("holder")
@click.option(
    "--for",
    "lease_s",
    metavar="S",
    type=click.FloatRange(0.001),
    default=10.0,
    show_default=True,
    help="How long.",
)
@asks
def lock(lock: str, holder: str, lease_s: float, whom: Whom) -> int:
    """Give LOCK to HOLDER for a while, and print the fencing token. Exit status 1 if somebody else has it.

    HOLDER is a name that nobody else uses. Who has the lock already keeps it, from now on for as long.
    """
    from ostrakon.paxos_impl.kv.operation import Acquire

    def tell(token: Any) -> int:
        if token is None:
            say("somebody else has it")
            return NOT_DONE
        click.echo(text(token))
        return 0

    return _carry_out(Acquire(lock, holder, round(1000 * lease_s)), tell, whom)


@click.command()
@click.argument("lock")
@click.argument("token", type=int)
@asks
def unlock(lock: str, token: int, whom: Whom) -> int:
    """Give LOCK back that was got with TOKEN. Exit status 1 if it was given to another since, or back."""
    from ostrakon.paxos_impl.kv.operation import Release

    def tell(released: Any) -> int:
        if not released:
            say("it was not that token's any more")
        return 0 if released else NOT_DONE

    return _carry_out(Release(lock, token), tell, whom)


@click.command()
@click.argument("operation")
@asks
def do(operation: str, whom: Whom) -> int:
    """Carry out OPERATION, any that the store knows, as JSON; print the result, as JSON.

    \b
      paxos kv do '["txn", [["x", 1], ["y", null]], [["add", "x", -1], ["put", "y", 1]]]'
      paxos kv do '["guarded", "lock", 7, ["append", "log", "mine"]]'

    The first does two things at once if x is 1 and y has no value; the second appends if nobody was given
    the lock since token 7. Exit status 1 if nothing was done, since a condition does not hold.
    """
    from ostrakon.paxos_impl.kv.machine import BadOperation
    from ostrakon.paxos_impl.kv.operation import Acquire, Guarded, Transaction, parse

    try:
        parsed = parse(_value(operation, is_json=True))
    except BadOperation as error:
        raise click.UsageError(str(error)) from None

    def tell(result: Any) -> int:
        import msgspec

        click.echo(msgspec.json.encode(result).decode())
        is_conditional = isinstance(parsed, Transaction | Guarded | Acquire)
        return NOT_DONE if is_conditional and result is None else 0

    return _carry_out(parsed, tell, whom)


OPERATIONS = (get, put, cas, append, add, delete, lock, unlock, do)
"""In the order in which they are told of."""


def _carry_out(
    operation: Operation,
    tell: Any,
    whom: Whom,
    how: How = "lease",
) -> int:
    """Have an operation executed; reads go without a slot of their own, unless they are to be by `log`."""
    import secrets

    from ostrakon.paxos_impl.kv.operation import only_looks, plain
    from ostrakon.paxos_impl.replica.client import NotDone, ReplicaClient, Unsure

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        async with ReplicaClient(addresses, secrets.token_hex(8), transport=whom.transport) as client:
            try:
                if only_looks(operation) and how != "log":
                    done = await client.read(plain(operation), how=how, timeout_s=timeout_s)
                else:
                    done = await client.execute(plain(operation), timeout_s=timeout_s)
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
