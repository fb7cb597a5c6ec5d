"""What a checker says: allowed, not allowed, or not known; and the ops or events that show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ostrakon.harness.history import Event, Op
from ostrakon.harness.history.value import thaw
from ostrakon.harness.history.verdict import SEVERITY, Valid, as_json

__all__ = ["Anomaly", "Valid", "Verdict", "guarded"]


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One thing that should not have happened."""

    name: str
    """What it is called, in the field's terms: "split decision", "G-single", ..."""
    why: str
    """One sentence that a person can check against the witness."""
    witness: tuple[Op | Event, ...] = ()
    """The ops and events that show it, in order of time."""
    property: str | None = None
    """The property that is violated: "P2", "M6", ..."""
    latent: bool = False
    """Whether a rule was broken without anyone having been harmed by it yet."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further findings, such as the node to blame; plain data that JSON can carry."""

    def to_json(self) -> dict[str, Any]:
        """The anomaly as plain data."""
        return {
            "name": self.name,
            "why": self.why,
            "property": self.property,
            "latent": self.latent,
            "ops": [_op_as_json(seen) for seen in self.witness if isinstance(seen, Op)],
            "events": [msgspec.to_builtins(seen) for seen in self.witness if isinstance(seen, Event)],
            **({"details": dict(self.details)} if self.details else {}),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one checker, or several together, say about a history."""

    valid: Valid
    why: str = ""
    """One sentence; always given when the verdict is `unknown`."""
    anomalies: tuple[Anomaly, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    """Counts and other findings; plain data that JSON can carry."""
    parts: Mapping[str, Verdict] = field(default_factory=dict)
    """The verdicts this one is composed of, by name of checker."""

    @classmethod
    def passed(cls, why: str = "", **details: Any) -> Verdict:
        """Nothing was found, and there was something to be found in."""
        return cls("valid", why, details=details)

    @classmethod
    def unknown(cls, why: str, **details: Any) -> Verdict:
        """There is no saying; `why` tells what was missing."""
        return cls("unknown", why, details=details)

    @classmethod
    def of(cls, anomalies: Iterable[Anomaly], why: str = "", **details: Any) -> Verdict:
        """Invalid if there is any anomaly, else valid."""
        found = tuple(anomalies)
        return cls("invalid" if found else "valid", found[0].why if found else why, found, details)

    @classmethod
    def compose(cls, parts: Mapping[str, Verdict]) -> Verdict:
        """The worst of several verdicts, with the anomalies of all. Nothing at all is unknown."""
        if not parts:
            return cls.unknown("nothing was checked")
        worst = max(parts.values(), key=lambda part: SEVERITY[part.valid])
        anomalies = tuple(anomaly for part in parts.values() for anomaly in part.anomalies)
        return cls(worst.valid, worst.why, anomalies, parts=dict(parts))

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain data; `valid` is true, false or "unknown"."""
        return {
            "valid": as_json(self.valid),
            "why": self.why,
            "anomalies": [anomaly.to_json() for anomaly in self.anomalies] if not self.parts else [],
            "details": dict(self.details),
            "parts": {name: part.to_json() for name, part in self.parts.items()},
        }


def _op_as_json(op: Op) -> dict[str, Any]:
    # What was read from EDN may have keys and numbers that JSON does not know.
    plain = msgspec.structs.replace(op, value=thaw(op.value), error=thaw(op.error))
    return msgspec.to_builtins(plain)  # type: ignore[no-any-return]


def guarded(name: str, check: Callable[[], Verdict]) -> Verdict:
    """Run a check; one that crashes says `unknown` and with what, never `valid`."""
    try:
        return check()
    except Exception as error:
        return Verdict.unknown(f"the checker {name!r} crashed: {type(error).__name__}: {error}")
