"""How the `paxos` command ends, and how it speaks to people meanwhile."""

from __future__ import annotations

import click

NOT_DONE = 1
"""No answer, or refused."""
UNSURE = 2
"""Nobody knows whether it was done, or will be."""
UNKNOWN_YET = 3
"""Nothing is known to be chosen yet, or a key has no value."""
BAD_ARGUMENTS = 254
OUR_FAILURE = 255
"""A service could not go on, or not begin."""


def text(value: object) -> str:
    """A value as it was typed; one that is not text, as JSON."""
    if isinstance(value, str):
        return value
    import msgspec

    return msgspec.json.encode(value).decode()


def say(line: str) -> None:
    """Tell people something; what was asked for goes to the standard output, this does not."""
    click.echo(f"paxos: {line}", err=True)
