"""`paxos kv backup` and `restore`: save the state of a running store, and begin a new one with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ostrakon.paxos_impl.cli.client_options import ClientOptions, asks
from ostrakon.paxos_impl.cli.exits import NOT_DONE, say

if TYPE_CHECKING:
    from ostrakon.paxos_impl.storage.backup import Backup
    from ostrakon.paxos_impl.wire.membership import Address

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
@asks
def backup(file: Path, options: ClientOptions) -> int:
    """Save the state of a running cluster to FILE: all keys, locks and sessions after one slot of the log.

    It has every operation that was acknowledged before the command began. Prints a line for each group: the
    slot, the length of the state in bytes, and its hash. An existing FILE is replaced once the new one is
    whole. With --node, that replica gives its state if it can. `paxos kv restore` begins a new cluster with
    it.
    """

    async def ask(addresses: list[Address], timeout_s: float) -> int:
        from ostrakon.paxos_impl.client.backup import take_backup
        from ostrakon.paxos_impl.client.session import NotDone
        from ostrakon.paxos_impl.storage.disk import OsDisk

        try:
            taken = await take_backup(addresses, timeout_s=timeout_s, transport=options.transport)
            await OsDisk(file.absolute().parent).replace_by_pieces(file.name, taken.pieces)
        except (NotDone, OSError) as why:
            say(f"not done: {why}")
            return NOT_DONE
        _show(taken)
        return 0

    return options.ask(ask, awaits_cluster=True)


@click.command()
@click.argument("file", type=_FILE)
@click.option(
    "--to",
    "directories",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="A new data directory, for one founding member; may be given several times.",
)
def restore(file: Path, directories: tuple[Path, ...]) -> int:
    """Check the backup in FILE, and prepare data directories of a new cluster that begins with its state.

    \b
      paxos kv restore FILE --to data/1 --to data/2 --to data/3
      paxos registry --data data/new-registry ... &
      paxos kv serve --data data/1 --registry ... &

    The new cluster needs a new registry, which gives it a new id: no member of the old cluster can take part.
    All founding members must begin with the same backup. Watches and sessions of clients go on. Exit status 1
    if the backup is damaged, or if a directory is not empty; then nothing was written.
    """
    import trio

    from ostrakon.paxos_impl.storage.backup import FILE, BadBackup, read_backup
    from ostrakon.paxos_impl.storage.disk import OsDisk

    async def prepare() -> None:
        for directory in directories:
            await OsDisk(directory).replace_by_pieces(FILE, found.pieces)

    try:
        found = read_backup(file.read_bytes(), str(file))
        for directory in directories:
            if directory.exists() and any(directory.iterdir()):
                raise BadBackup(f"{directory} is not empty; restore into a new directory")
        trio.run(prepare)
    except (BadBackup, OSError) as why:
        say(f"not done: {why}")
        return NOT_DONE
    _show(found)
    return 0


def _show(found: Backup) -> None:
    for number, group in enumerate(found.groups):
        line = f"slot {group.slot}  {group.id.size} bytes  hash {group.id.digest}"
        click.echo(line if len(found.groups) == 1 else f"group {number}  {line}")
