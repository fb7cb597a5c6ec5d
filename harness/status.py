"""Exit statuses, and the one way to tell a user of a mistake."""

from __future__ import annotations

import click

VALID, INVALID, UNKNOWN, BAD_ARGUMENTS, OWN_FAILURE = 0, 1, 2, 254, 255
INTERRUPTED, CLOSED_PIPE = 130, 141
"""As shells have it for what ctrl-C or a reader who went away has ended."""

_STATUS = {"valid": VALID, "unknown": UNKNOWN, "invalid": INVALID}


class UserError(click.ClickException):
    """Something is wrong with what was asked for; the message says what would be right."""

    exit_code = BAD_ARGUMENTS


def exit_status(valid: str) -> int:
    """The exit status for a verdict: `valid`, `unknown` or `invalid`."""
    return _STATUS[valid]
