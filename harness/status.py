"""Exit statuses, and the exception for a user's mistake."""

from __future__ import annotations

import click

VALID, INVALID, UNKNOWN, BAD_ARGUMENTS, OWN_FAILURE = 0, 1, 2, 254, 255
INTERRUPTED, CLOSED_PIPE = 130, 141
"""The statuses that shells use for a command that was ended by ctrl-C or by a closed pipe."""

_STATUS = {"valid": VALID, "unknown": UNKNOWN, "invalid": INVALID}


class UserError(click.ClickException):
    """A mistake of the user; the message says what was wrong and what would be right."""

    exit_code = BAD_ARGUMENTS


def exit_status(valid: str) -> int:
    """The exit status for a verdict: `valid`, `unknown` or `invalid`."""
    return _STATUS[valid]
