"""What a fault has done: how it is counted, and how it is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
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
    files: int = 0
    """Files that were damaged where they lay."""
    connections: int = 0
    """Connections that were broken."""
    clocks: tuple[str, ...] = ()
    """Nodes that acted by a skewed clock, or asked one that was set forward or back."""

    @property
    def is_inert(self) -> bool:
        """Whether it changed nothing: a trial is no evidence that such a fault would have been survived."""
        return self == Effect()


@dataclass(frozen=True, slots=True)
class ActiveFault:
    """A fault that has begun, and perhaps ended."""

    effect: Callable[[], Effect]
    """What it has done so far."""


def settled(undo: ExitStack, effect: Callable[[], Effect]) -> ActiveFault:
    """A fault whose effect is, for ever after, what it is when it is about to be undone."""
    final: list[Effect] = []
    undo.callback(lambda: final.append(effect()))
    return ActiveFault(lambda: final[0] if final else effect())


FaultContext = AbstractContextManager[ActiveFault]
