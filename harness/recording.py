"""What a substrate returns after running a plan: history, trace, effects of faults, and its own findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ostrakon.harness.history import History, Trace
from ostrakon.harness.history.verdict import as_json


@dataclass(frozen=True, slots=True)
class Finding:
    """What the harness itself has to say about a trial, beside the checkers."""

    name: str
    valid: str
    """`unknown` or `invalid`."""
    why: str
    is_ours: bool = False
    """Whether the client's code, or ours, is at fault, so that the recording convicts nobody."""
    traceback: str = ""
    """Where that code failed, if it did."""
    manner: str = ""
    """What tells it from others of its name, in words that are the same whatever the seed."""

    def to_json(self) -> dict[str, Any]:
        """The finding as `results.json` has it."""
        told = {"name": self.name, "valid": as_json(self.valid), "why": self.why}
        return {**told, "traceback": self.traceback} if self.traceback else told


@dataclass(frozen=True, slots=True)
class Recording:
    """What happened when a plan was run."""

    history: History
    trace: Trace
    effects: tuple[dict[str, Any], ...] = ()
    """What each fault did, as plain data."""
    findings: tuple[Finding, ...] = ()
    network: dict[str, Any] = field(default_factory=dict)
    """How many messages were sent, delivered, dropped, ..."""
    crashes: tuple[dict[str, Any], ...] = ()
    """Nodes that failed by themselves: node, incarnation, traceback."""
    virtual_s: float = 0.0
    digest: str = ""
    """A hash of everything that happened; equal plans give equal digests."""
    stopped: str = ""
    """Why a monitor stopped the trial before its end; empty if none did."""
    sometimes: dict[str, dict[str, int]] = field(default_factory=dict)
    """How often each rare branch was reached and taken, by name: see `ostrakon.harness.sim.sometimes`."""
