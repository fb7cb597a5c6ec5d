"""Roles that hosts say they have, as events of the trace, and faults aimed at whoever has one."""

from __future__ import annotations

from collections.abc import Sequence

from ostrakon.harness.faults import Target
from ostrakon.harness.history import Event


def gained(role: str) -> str:
    """The event of a host that has a role from now on."""
    return "leading" if role == "leader" else f"is_{role}"


def given_up(role: str) -> str:
    """The event of a host that has a role no more."""
    return f"not_{gained(role)}"


def holder_of(role: str) -> Target:
    """A target: the host that was last to say that it has a role, and has not said since that it lost it."""

    def target(events: Sequence[Event], nodes: Sequence[str]) -> Sequence[str]:
        holders: dict[str, None] = {}
        for event in events:
            if event.event == gained(role):
                holders[event.node] = None
            elif event.event == given_up(role):
                holders.pop(event.node, None)
        return list(holders)[-1:]

    return target
