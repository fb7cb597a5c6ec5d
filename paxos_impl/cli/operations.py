"""The commands that read and change the store: `paxos kv get`, `put`, `cas`, ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import click

from ostrakon.paxos_impl.cli.client_options import ClientOptions, asks
from ostrakon.paxos_impl.cli.exits import NOT_DONE, UNKNOWN_YET, UNSURE, say, text

if TYPE_CHECKING:
    from ostrakon.paxos_impl.kv.operation import Operation
    from ostrakon.paxos_impl.wire.membership import Address

How = Literal["lease", "index", "log", "stale"]
"""How a read is kept from returning an old value."""

_as_json = click.option("--json", "is_json", is_flag=True, help="Values are JSON, not text.")


@click.command()
@click.argument("key")
@click.option(
    "--read",
    "how",
    type=click.Choice(["lease", "index", "log", "stale"]),
    default="lease",
    show_default=True,
    help="How to make sure that the value is not an old one.",
)
@asks
def get(key: str, how: How, options: ClientOptions) -> int:
    """Print the value of KEY. Exit status 3 if it has none.

    With `lease`, the leader answers at once while no other replica can lead. With `index`, the leader first
    asks a quorum whether it still leads. With `log`, the read is decided and executed as a write is. With
    `stale`, any replica answers with the value that it knows, which may be out of date.
    """
    from ostrakon.paxos_impl.kv.operation import Get

    def show(value: Any) -> int:
        if value is None:
            say(f"{key} has no value")
            return UNKNOWN_YET
        click.echo(text(value))
        return 0

    return _carry_out(Get(key), show, options, how)


@click.command("list")
@click.argument("prefix", default="")
@click.option("--from", "start", help="Begin with this key instead of the first one.")
@click.option("--keys-only", is_flag=True, help="Leave the values out.")
@click.option("--limit", type=click.IntRange(1), help="Print at most so many keys.")
@asks
def list_keys(
    prefix: str, start: str | None, keys_only: bool, limit: int | None, options: ClientOptions
) -> int:
    """Print the keys that begin with PREFIX, in order, each with its value as JSON after a tab.

    Keys are read page by page. Each page shows one state of the store; together they may show several. If
    there are more than --limit, the last line on the standard error tells how to go on.
    """
    from contextlib import aclosing

    import msgspec

    from ostrakon.paxos_impl.client.replica import NotDone, ReplicaClient

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        printed = 0
        async with ReplicaClient(addresses, "list", transport=options.transport) as client:
            try:
                items = client.items(prefix, start=start, keys_only=keys_only, timeout_s=timeout_s)
                async with aclosing(items):
                    async for key, value in items:
                        if printed == limit:
                            say(f"there are more; go on with --from {key!r}")
                            break
                        printed += 1
                        click.echo(key if keys_only else f"{key}\t{msgspec.json.encode(value).decode()}")
            except NotDone as why:
                say(f"not done: {why}")
                return NOT_DONE
        return 0

    return options.ask(ask, awaits_cluster=True)


@click.command()
@click.argument("prefix", default="")
@click.option("--after", type=click.IntRange(0), metavar="SLOT", help="Begin after this slot, not now.")
@click.option("--count", type=click.IntRange(1), help="End after so many changes.")
@click.option("--group", type=click.IntRange(0), help="Which group's keys, if the cluster has several.")
@asks
def watch(
    prefix: str, after: int | None, count: int | None, group: int | None, options: ClientOptions
) -> int:
    """Print each change of a key that begins with PREFIX, as a JSON object a line, until --timeout is over.

    A line has the slot, the key and its new value, which is null if the key is gone. If `left_out` is true,
    the value is long and has to be read. When a replica fails, the next one tells what follows: no change is
    missing or printed twice. The last line on the standard error tells the slot to go on after. Exit status 1
    if changes after --after are not kept any more: read the keys, and watch from then on.
    """
    from contextlib import aclosing

    import msgspec
    import trio

    from ostrakon.paxos_impl.client.session import NotDone
    from ostrakon.paxos_impl.client.watching import TooOld
    from ostrakon.paxos_impl.client.watching import watch as watched

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        upto, printed = after, 0
        batches = watched(addresses, prefix, after=after, group=group, transport=options.transport)
        try:
            with trio.move_on_after(timeout_s):
                async with aclosing(batches):
                    async for batch in batches:
                        for change in batch.changes:
                            if printed == count:
                                return 0
                            line = {"slot": change.slot, "key": change.key, "value": change.value}
                            shown = line | ({"left_out": True} if change.is_left_out else {})
                            click.echo(msgspec.json.encode(shown).decode())
                            printed += 1
                        upto = batch.upto
                        if printed == count:
                            break
        except (TooOld, NotDone) as why:
            say(f"not done: {why}")
            return NOT_DONE
        if upto is not None:
            say(f"go on with --after {upto}")
        return 0

    return options.ask(ask, awaits_cluster=True)


@click.command()
@click.argument("key")
@click.argument("value")
@click.option("--lease", help="Delete KEY when this lease ends; see `paxos kv lease`.")
@_as_json
@asks
def put(key: str, value: str, lease: str | None, is_json: bool, options: ClientOptions) -> int:
    """Set KEY to VALUE. Exit status 1 if the --lease has ended.

    KEY stays under its lease until it is put, swapped or deleted.
    """
    from ostrakon.paxos_impl.kv.operation import Put, PutLeased

    if lease is None:
        return _carry_out(Put(key, _value(value, is_json)), lambda _: 0, options)
    return _carry_out(PutLeased(key, _value(value, is_json), lease), _show_alive(lease), options)


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
    options: ClientOptions,
) -> int:
    """Set KEY to NEW if its value is OLD; exit status 1 if it has another value.

    With --json, null stands for no value.
    """
    from ostrakon.paxos_impl.kv.operation import Cas

    def show(swapped: Any) -> int:
        if not swapped:
            say(f"{key} has another value")
        return 0 if swapped else NOT_DONE

    operation = Cas(key, _value(old, is_json), _value(new, is_json))
    return _carry_out(operation, show, options)


@click.command()
@click.argument("key")
@click.argument("element")
@_as_json
@asks
def append(key: str, element: str, is_json: bool, options: ClientOptions) -> int:
    """Append ELEMENT to the list at KEY, and print the new length of the list."""
    from ostrakon.paxos_impl.kv.operation import Append

    def show(length: Any) -> int:
        click.echo(text(length))
        return 0

    return _carry_out(Append(key, _value(element, is_json)), show, options)


@click.command()
@click.argument("key")
@asks
def delete(key: str, options: ClientOptions) -> int:
    """Delete the value of KEY. Exit status 3 if it had none."""
    from ostrakon.paxos_impl.kv.operation import Delete

    return _carry_out(Delete(key), lambda had: 0 if had else UNKNOWN_YET, options)


@click.command()
@click.argument("key")
@click.argument("amount", type=int)
@asks
def add(key: str, amount: int, options: ClientOptions) -> int:
    """Add AMOUNT to the integer at KEY, or to 0 if KEY has no value, and print the sum.

    Exit status 1 if the value is not an integer.
    """
    from ostrakon.paxos_impl.kv.operation import Add

    def show(total: Any) -> int:
        if total is None:
            say(f"{key} has a value that is no whole number")
            return NOT_DONE
        click.echo(text(total))
        return 0

    return _carry_out(Add(key, amount), show, options)


def lasting(help_text: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """The option for how long a lock or a lease is granted."""
    return click.option(
        "--for",
        "lease_s",
        metavar="S",
        type=click.FloatRange(0.001),
        default=10.0,
        show_default=True,
        help=help_text,
    )


@click.command()
@click.argument("lock")
@click.argument("holder")
@lasting("Duration in seconds.")
@asks
def lock(lock: str, holder: str, lease_s: float, options: ClientOptions) -> int:
    """Give LOCK to HOLDER for a time, and print the fencing token. Exit status 1 if another holder has it.

    HOLDER is a name that no other client uses. A holder that has the lock already gets it for longer.
    """
    from ostrakon.paxos_impl.kv.operation import Acquire

    def show(token: Any) -> int:
        if token is None:
            say("somebody else has it")
            return NOT_DONE
        click.echo(text(token))
        return 0

    return _carry_out(Acquire(lock, holder, round(1000 * lease_s)), show, options)


@click.command()
@click.argument("lock")
@click.argument("token", type=int)
@asks
def unlock(lock: str, token: int, options: ClientOptions) -> int:
    """Release LOCK, which was granted with TOKEN. Exit status 1 if it was released or granted again since."""
    from ostrakon.paxos_impl.kv.operation import Release

    def show(released: Any) -> int:
        if not released:
            say("that token does not hold it any more")
        return 0 if released else NOT_DONE

    return _carry_out(Release(lock, token), show, options)


@click.group()
def lease() -> None:
    """Leases on keys: when a lease ends, the keys that were put under it are deleted.

    \b
      paxos kv lease grant mine --for 30
      paxos kv put --lease mine worker/7 here
      paxos kv lease keep mine          (again and again, at least every 30 s)

    With several groups, a lease and its keys must be in one group, as {x}mine and {x}worker.
    """


@lease.command()
@click.argument("name", required=False)
@lasting("Length in seconds, from each time that it is kept alive.")
@asks
def grant(name: str | None, lease_s: float, options: ClientOptions) -> int:
    """Grant a lease and print its NAME. Exit status 1 if a lease with this name is alive.

    NAME should be one that no other lease ever has; without it, a random one is made.
    """
    import secrets

    from ostrakon.paxos_impl.kv.operation import GrantLease

    granted = name or secrets.token_hex(8)

    def show(is_new: Any) -> int:
        if not is_new:
            say(f"there is a lease {granted} already")
            return NOT_DONE
        click.echo(granted)
        return 0

    return _carry_out(GrantLease(granted, round(1000 * lease_s)), show, options)


@lease.command()
@click.argument("name")
@asks
def keep(name: str, options: ClientOptions) -> int:
    """Keep the lease NAME alive for its length from now on. Exit status 1 if it has ended."""
    from ostrakon.paxos_impl.kv.operation import KeepLease

    return _carry_out(KeepLease(name), _show_alive(name), options)


@lease.command()
@click.argument("name")
@asks
def revoke(name: str, options: ClientOptions) -> int:
    """End the lease NAME and delete its keys. Exit status 1 if it had ended."""
    from ostrakon.paxos_impl.kv.operation import RevokeLease

    return _carry_out(RevokeLease(name), _show_alive(name), options)


def _show_alive(lease: str) -> Callable[[Any], int]:
    def show(was_alive: Any) -> int:
        if not was_alive:
            say(f"the lease {lease} has ended")
        return 0 if was_alive else NOT_DONE

    return show


@click.command()
@click.argument("operation")
@click.option(
    "--raw", is_flag=True, help="An operation of another state machine; see `paxos kv serve --machine`."
)
@asks
def do(operation: str, raw: bool, options: ClientOptions) -> int:
    """Execute OPERATION, which may be any operation of the store as JSON; print the result as JSON.

    \b
      paxos kv do '["txn", [["x", 1], ["y", null]], [["add", "x", -1], ["put", "y", 1]]]'
      paxos kv do '["guarded", "lock", 7, ["append", "log", "mine"]]'

    The first changes two keys at once if x is 1 and y has no value. The second appends if the lock was not
    granted again since token 7. Exit status 1 if nothing was done because a condition does not hold.
    """
    from ostrakon.paxos_impl.kv.machine import BadOperation
    from ostrakon.paxos_impl.kv.operation import Acquire, Guarded, Transaction, parse

    if raw:
        return _carry_out_plain(_value(operation, is_json=True), options)
    try:
        parsed = parse(_value(operation, is_json=True))
    except BadOperation as error:
        raise click.UsageError(str(error)) from None

    def show(result: Any) -> int:
        import msgspec

        click.echo(msgspec.json.encode(result).decode())
        is_conditional = isinstance(parsed, Transaction | Guarded | Acquire)
        return NOT_DONE if is_conditional and result is None else 0

    return _carry_out(parsed, show, options)


OPERATIONS = (get, list_keys, watch, put, cas, append, add, delete, lock, unlock, lease, do)
"""In the order of the help text."""


def _carry_out(
    operation: Operation,
    show: Any,
    options: ClientOptions,
    how: How = "lease",
) -> int:
    """Execute an operation; a read needs no slot of the log, except with `how="log"`."""
    import secrets

    from ostrakon.paxos_impl.client.replica import NotDone, ReplicaClient, Unsure
    from ostrakon.paxos_impl.kv.operation import only_looks, plain

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        async with ReplicaClient(addresses, secrets.token_hex(8), transport=options.transport) as client:
            try:
                if only_looks(operation) and how != "log":
                    done = await client.read(plain(operation), how=how, timeout_s=timeout_s)
                else:
                    done = await client.execute(plain(operation), timeout_s=timeout_s)
            except NotDone as why:
                say(f"not done: {why}")
                return NOT_DONE
            except Unsure as why:
                say(f"unknown whether it was done, or will be: {why}")
                return UNSURE
        status: int = show(done.result)
        return status

    return options.ask(ask, awaits_cluster=True)


def _carry_out_plain(op: Any, options: ClientOptions) -> int:
    """Execute an operation of any state machine, and print the result as JSON."""
    import secrets

    import msgspec

    from ostrakon.paxos_impl.client.replica import NotDone, ReplicaClient, Unsure

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        async with ReplicaClient(addresses, secrets.token_hex(8), transport=options.transport) as client:
            try:
                done = await client.execute(op, timeout_s=timeout_s)
            except NotDone as why:
                say(f"not done: {why}")
                return NOT_DONE
            except Unsure as why:
                say(f"unknown whether it was done, or will be: {why}")
                return UNSURE
        click.echo(msgspec.json.encode(done.result).decode())
        return 0

    return options.ask(ask, awaits_cluster=True)


def _value(argument: str, is_json: bool) -> Any:
    import msgspec

    if not is_json:
        return argument
    try:
        return msgspec.json.decode(argument)
    except msgspec.DecodeError as error:
        raise click.UsageError(f"{argument!r} is not JSON: {error}") from None
