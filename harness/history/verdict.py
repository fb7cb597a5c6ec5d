"""The three verdicts, their order of severity, and their form in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

Valid = Literal["valid", "unknown", "invalid"]

SEVERITY: Final[dict[str, int]] = {"valid": 0, "unknown": 1, "invalid": 2}
"""The severity of each verdict; of several verdicts, the one with the highest severity counts."""


def worst(verdicts: Iterable[str]) -> str:
    """The worst of several verdicts; `unknown` if there are none, because nothing was checked.

    >>> worst(["valid", "invalid", "unknown"]), worst([])
    ('invalid', 'unknown')
    """
    return max(verdicts, key=SEVERITY.__getitem__, default="unknown")


def as_json(verdict: str) -> bool | str:
    """A verdict in JSON: true, false or "unknown".

    >>> as_json("valid"), as_json("invalid"), as_json("unknown")
    (True, False, 'unknown')
    """
    return {"valid": True, "invalid": False}.get(verdict, "unknown")
