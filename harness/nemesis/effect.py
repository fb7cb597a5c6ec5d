"""What a fault has done: how it is counted, and how it is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import msgspec


class Effect(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a fault has really done."""

    messages: int = 0
    """Messages that were stopped, held, delayed, duplicated, ..."""
    stopped: tuple[str, ...] = ()
    """Nodes whose running process was stopped or killed."""
    operations: int = 0
    """Operations of disks that were slowed, refused or spoiled."""
    clocks: tuple[str, ...] = ()
    """Nodes that acted by a skewed clock, or asked one that was set forward or back."""

    @property
    def is_inert(self) -> bool:
        """Whether it changed nothing: a trial is no evidence that such a fault would have been survived."""
        return not (self.messages or self.stopped or self.operations or self.clocks)


@dataclass(frozen=True, slots=True)
class Underway:
    """A fault that has begun, and perhaps ended."""

    effect: Callable[[], Effect]
    """What it has done so far."""


Enacted = AbstractContextManager[Underway]
