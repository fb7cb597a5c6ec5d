"""The `paxos` command: runs services, and asks them as a client.

Trio, and modules that need it, are imported where they are used, so that `paxos --help` is quick.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from ostrakon.paxos_impl.cli.decree import get, propose, status
from ostrakon.paxos_impl.cli.exits import BAD_ARGUMENTS
from ostrakon.paxos_impl.cli.kv import kv
from ostrakon.paxos_impl.cli.services import registry, serve


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command and exit."""
    try:
        exit_status = cli.main(args, prog_name="paxos", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(BAD_ARGUMENTS)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    sys.exit(exit_status or 0)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ostrakon")
def cli() -> None:
    """Basic Paxos as a service: a cluster of instances chooses one value.

    A cluster on this machine:

    \b
      paxos registry --listen 127.0.0.1:7000 --data data/registry &
      paxos serve --listen 127.0.0.1:7001 --registry 127.0.0.1:7000 --data data/1 &
      paxos serve --listen 127.0.0.1:7002 --registry 127.0.0.1:7000 --data data/2 &
      paxos serve --listen 127.0.0.1:7003 --registry 127.0.0.1:7000 --data data/3 &
      paxos propose --registry 127.0.0.1:7000 "the decree"
      paxos get --registry 127.0.0.1:7000

    A key-value store on a log of such decisions: see `paxos kv --help`.

    Exit status: 0 done; 1 no answer, or refused; 3 no value is known yet; 254 bad arguments; 255 a service
    could not go on.
    """


for command in (registry, serve, propose, get, status, kv):
    cli.add_command(command)
for name in ("put", "cas", "members"):
    # Commands that only the store has work without `kv`, too.
    cli.add_command(kv.commands[name])
