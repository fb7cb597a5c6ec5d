"""Where two runs that ought to be equal part ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

_CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference between two logs."""

    position: int
    """How many entries are equal."""
    before: tuple[str, ...]
    """The last few equal ones."""
    one: str | None
    """The next entry of the first log; None if it ends here."""
    other: str | None
    """The next entry of the second log; None if it ends here."""

    def __str__(self) -> str:
        shown = [f"{self.position} entries are equal, then they differ:"]
        shown += [f"    {entry}" for entry in self.before]
        shown += [f"  - {_or_end(self.one)}", f"  + {_or_end(self.other)}"]
        return "\n".join(shown)


def first_divergence(one: Sequence[str], other: Sequence[str]) -> Divergence | None:
    """Compare two event logs, entry by entry; None if they are equal."""
    for position, (here, there) in enumerate(zip_longest(one, other)):
        if here != there:
            before = tuple(one[max(0, position - _CONTEXT) : position])
            return Divergence(position, before, here, there)
    return None


def _or_end(entry: str | None) -> str:
    return "(the end)" if entry is None else entry
