"""The three verdicts, how bad each is, and how JSON writes them: for all who judge, sum up or show a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

Valid = Literal["valid", "unknown", "invalid"]

SEVERITY: Final[dict[str, int]] = {"valid": 0, "unknown": 1, "invalid": 2}
"""How bad each verdict is: of several, the one with the highest number counts."""


def worst(verdicts: Iterable[str]) -> str:
    """The worst of several verdicts. None at all is `unknown`: nothing was checked.

    >>> worst(["valid", "invalid", "unknown"]), worst([])
    ('invalid', 'unknown')
    """
    return max(verdicts, key=SEVERITY.__getitem__, default="unknown")


def as_json(verdict: str) -> bool | str:
    """A verdict as JSON writes it: true, false or "unknown".

    >>> as_json("valid"), as_json("invalid"), as_json("unknown")
    (True, False, 'unknown')
    """
    return {"valid": True, "invalid": False}.get(verdict, "unknown")
