"""What a fault did: counts of what it struck, and the reason when it struck nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

import msgspec


class Effect(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a fault has done so far."""

    messages: int = 0
    """Messages that were stopped, held, delayed, duplicated, ..."""
    stopped: tuple[str, ...] = ()
    """Nodes whose running process was stopped or killed."""
    operations: int = 0
    """Operations of disks that were slowed, refused or damaged."""
    files: int = 0
    """Files that were damaged on the device."""
    connections: int = 0
    """Connections that were broken."""
    clocks: tuple[str, ...] = ()
    """Nodes that acted by a skewed clock, or read one that was set forward or back."""
    other: Mapping[str, int] = {}
    """Counts by name, for faults that strike something else."""

    @property
    def is_inert(self) -> bool:
        """Whether the fault changed nothing: a trial is no evidence that such a fault is survived."""
        return not any(self.other.values()) and msgspec.structs.replace(self, other={}) == Effect()


@dataclass(frozen=True, slots=True)
class ActiveFault:
    """A fault that has begun, and may have ended."""

    effect: Callable[[], Effect]
    """What it has done so far. It may be called at any time, also after the end."""
    why_inert: Callable[[], str] = lambda: ""
    """The reason why it has done nothing, as a clause; empty where the fault cannot tell. It may be called at
    any time."""


def settled(
    undo: ExitStack, effect: Callable[[], Effect], why_inert: Callable[[], str] = lambda: ""
) -> ActiveFault:
    """A fault whose effect stays what it is at the moment before the fault is undone."""
    final: list[tuple[Effect, str]] = []
    undo.callback(lambda: final.append((effect(), why_inert())))
    return ActiveFault(
        lambda: final[0][0] if final else effect(), lambda: final[0][1] if final else why_inert()
    )


FaultContext = AbstractContextManager[ActiveFault]
"""Begins a fault when it is entered and undoes it when it is left, whatever happens in between."""
