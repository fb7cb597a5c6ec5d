"""Verdicts of checkers: valid, invalid or unknown, with the ops or events that show it."""

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
    """A violation that a checker found."""

    name: str
    """The name in the field's terms: "split decision", "G-single", ..."""
    why: str
    """The reason, in one sentence that a person can check with the witness."""
    witness: tuple[Op | Event, ...] = ()
    """The ops and events that show the violation, in order of time."""
    property: str | None = None
    """The violated property: "P2", "M6", ..."""
    latent: bool = False
    """Whether a rule was broken without an effect that clients could observe yet."""
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
    """The verdict of one checker, or of several together, on a history."""

    valid: Valid
    """`valid`, `invalid` or `unknown`."""
    why: str = ""
    """The reason in one sentence; always given if the verdict is `unknown`."""
    anomalies: tuple[Anomaly, ...] = ()
    """The violations that were found."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Counts and other findings; plain data that JSON can carry."""
    parts: Mapping[str, Verdict] = field(default_factory=dict)
    """The verdicts of which this one is composed, by name of the checker."""

    @classmethod
    def passed(cls, why: str = "", **details: Any) -> Verdict:
        """A valid verdict: there was something to judge, and nothing was wrong."""
        return cls("valid", why, details=details)

    @classmethod
    def unknown(cls, why: str, **details: Any) -> Verdict:
        """An unknown verdict; `why` says what was missing."""
        return cls("unknown", why, details=details)

    @classmethod
    def of(cls, anomalies: Iterable[Anomaly], why: str = "", **details: Any) -> Verdict:
        """Invalid if there is an anomaly, else valid."""
        found = tuple(anomalies)
        return cls("invalid" if found else "valid", found[0].why if found else why, found, details)

    @classmethod
    def compose(cls, parts: Mapping[str, Verdict]) -> Verdict:
        """The worst of several verdicts, with the anomalies of all; unknown if there are none."""
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
    # Values that were read from EDN may have keys and numbers that JSON does not have.
    plain = msgspec.structs.replace(op, value=thaw(op.value), error=thaw(op.error))
    return msgspec.to_builtins(plain)  # type: ignore[no-any-return]


def guarded(name: str, check: Callable[[], Verdict]) -> Verdict:
    """Run a check. If it raises an exception, the verdict is `unknown` with that exception, never `valid`."""
    try:
        return check()
    except Exception as error:
        return Verdict.unknown(f"the checker {name!r} crashed: {type(error).__name__}: {error}")
