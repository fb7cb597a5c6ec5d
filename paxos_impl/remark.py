"""Remarks: what a service says of itself, in words for people, with particulars beside it for machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping


class Remark(str):
    """A line for people to read; `particulars` has what a machine would have to pick out of it.

    What `is_usual` happens all the time, and is of interest only to who looks for something.
    """

    is_usual: bool
    particulars: Mapping[str, object]

    def __new__(cls, line: str, is_usual: bool = False, **particulars: object) -> Remark:
        """A line, and its particulars, which JSON can carry."""
        made = super().__new__(cls, line)
        made.is_usual, made.particulars = is_usual, particulars
        return made


Remarks = Callable[[str], None]
"""Takes lines, some of which are remarks."""


def silence(line: str) -> None:
    """A log that nobody reads."""
