"""Exit statuses of the `paxos` command, and how it prints values and messages."""

from __future__ import annotations

import click

NOT_DONE = 1
"""No answer, or the request was refused."""
UNSURE = 2
"""Unknown whether the operation was done, or will be."""
UNKNOWN_YET = 3
"""No value is known to be chosen yet, or a key has no value."""
BAD_ARGUMENTS = 254
OUR_FAILURE = 255
"""A service could not start or could not go on."""


def text(value: object) -> str:
    """A value as text; a value that is not a string, as JSON."""
    if isinstance(value, str):
        return value
    import msgspec

    return msgspec.json.encode(value).decode()


def say(line: str) -> None:
    """Print a message on the standard error; results go to the standard output."""
    click.echo(f"paxos: {line}", err=True)
