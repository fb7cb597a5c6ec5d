"""The recording of a trial, which a substrate returns: history, trace, effects of faults, and findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ostrakon.harness.history import History, Trace
from ostrakon.harness.history.verdict import as_json


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding of the harness itself, in addition to the verdict of the checkers."""

    name: str
    valid: str
    """`unknown` or `invalid`."""
    why: str
    is_ours: bool = False
    """Whether the cause is a mistake in the client's code or in Ostrakon, so that the trial proves
    nothing."""
    traceback: str = ""
    """The place in the code that failed, if code failed."""
    manner: str = ""
    """Distinguishes findings with the same name; the words do not depend on the seed."""

    def to_json(self) -> dict[str, Any]:
        """The finding as `results.json` has it."""
        told = {"name": self.name, "valid": as_json(self.valid), "why": self.why}
        return {**told, "traceback": self.traceback} if self.traceback else told


@dataclass(frozen=True, slots=True)
class Recording:
    """All that was recorded while a plan ran."""

    history: History
    trace: Trace
    effects: tuple[dict[str, Any], ...] = ()
    """The effect of each fault, as plain data."""
    findings: tuple[Finding, ...] = ()
    network: dict[str, Any] = field(default_factory=dict)
    """The numbers of messages that were sent, delivered, dropped, ..."""
    crashes: tuple[dict[str, Any], ...] = ()
    """Nodes that failed without a fault: node, incarnation, traceback."""
    virtual_s: float = 0.0
    digest: str = ""
    """A hash of all that happened. Equal plans have equal digests."""
    stopped: str = ""
    """Why the monitor stopped the trial early; empty if it did not."""
    sometimes: dict[str, dict[str, int]] = field(default_factory=dict)
    """How often each rare branch was reached and taken, by name; see `ostrakon.sometimes`."""
    versions: dict[str, str] = field(default_factory=dict)
    """What each program that took part says of its version, where programs of others did."""
    final_ns: int | None = None
    """When the final phase began, in simulation and on the model; None if it did not begin."""
    message_transitions: dict[str, int] = field(default_factory=dict)
    """How often one kind of message followed another at a node, if messages and no events were observed."""
