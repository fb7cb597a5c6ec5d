"""The `ostrakon` command.

Exit status: 0 valid, 1 invalid, 2 unknown, 254 bad arguments, 255 our own failure.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

import click

from ostrakon.harness.status import BAD_ARGUMENTS, CLOSED_PIPE, INTERRUPTED, OWN_FAILURE, UserError
from ostrakon.harness.version import VERSION

COMMANDS = {
    "test": "ostrakon.harness.commands.test:test",
    "replay": "ostrakon.harness.commands.replay:replay",
    "shrink": "ostrakon.harness.commands.shrink:shrink",
    "explain": "ostrakon.harness.commands.explain:explain",
    "soak": "ostrakon.harness.commands.soak:soak",
    "bugs": "ostrakon.harness.commands.bugs:bugs",
    "explore": "ostrakon.harness.commands.explore:explore",
    "cells": "ostrakon.harness.commands.cells:cells",
    "check": "ostrakon.harness.commands.check:check",
    "report": "ostrakon.harness.commands.report:report",
    "serve": "ostrakon.harness.commands.serve:serve",
    "maelstrom": "ostrakon.harness.commands.maelstrom:maelstrom",
    "list": "ostrakon.harness.commands.offers:offers",
}
"""The module of each subcommand; it is imported only when the command is used."""


_COMPLETE = "_OSTRAKON_COMPLETE"
"""The environment variable that a shell sets to request completions; Click chose the name."""


class _LazyGroup(click.Group):
    """A group that imports a subcommand when it is used, so that the command starts quickly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Whole sentences, on as many lines as they take.
        commands = [(name, self.get_command(ctx, name)) for name in COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first_sentence(found)) for name, found in commands if found])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not ctx.resilient_parsing and not args[0].startswith("-") and args[0] not in COMMANDS:
            from ostrakon.harness.catalogue import UnknownName

            raise UserError(str(UnknownName("command", args[0], COMMANDS)))
        return super().resolve_command(ctx, args)


def _first_sentence(command: click.Command) -> str:
    first, _, _ = " ".join((command.help or "").split()).partition(". ")
    return first.rstrip(".") + "."


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION)
def ostrakon() -> None:
    """Find out whether a distributed system keeps its promises.

    Trials run a system under faults; checkers judge what was recorded; reports show what went wrong.
    Exit status: 0 valid, 1 invalid, 2 unknown, 254 bad arguments, 255 our own failure.

    Completion in a shell: eval "$(_OSTRAKON_COMPLETE=bash_source ostrakon)", or zsh_source; in fish:
    _OSTRAKON_COMPLETE=fish_source ostrakon | source.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit with its status."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status. No traceback for a user's mistake."""
    if arguments is None and (instruction := os.environ.get(_COMPLETE)):
        from click.shell_completion import shell_complete

        return shell_complete(ostrakon, {}, "ostrakon", _COMPLETE, instruction)
    try:
        # Not `ostrakon.main`: it exits with 1 when its output is closed, and 1 means invalid here.
        with ostrakon.make_context(
            "ostrakon", sys.argv[1:] if arguments is None else list(arguments)
        ) as context:
            status: Any = ostrakon.invoke(context)
            sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else str(error))
        return BAD_ARGUMENTS
    except (
        FileExistsError,
        FileNotFoundError,
        NotADirectoryError,
        IsADirectoryError,
        PermissionError,
    ) as error:
        click.echo(f"Error: {error.filename}: {error.strerror}", err=True)
        return BAD_ARGUMENTS
    except click.ClickException as error:
        error.show()
        return BAD_ARGUMENTS
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed our output. Python would report the error once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except Exception:
        traceback.print_exc()
        click.echo("This is a failure of Ostrakon itself, not of what it tests.", err=True)
        return OWN_FAILURE


if __name__ == "__main__":
    main()
