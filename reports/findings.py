"""The anomalies in a verdict's JSON, in the order in which a person should read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from ostrakon.checkers.verdict import Valid
from ostrakon.harness.history import Event, Op
from ostrakon.reports.folder import word

_T = TypeVar("_T", Op, Event)


@dataclass(frozen=True, slots=True)
class Finding:
    """One anomaly and the checker that found it."""

    checker: str
    name: str
    why: str
    property: str | None = None
    latent: bool = False
    ops: tuple[Op, ...] = ()
    events: tuple[Event, ...] = ()
    blame: Any = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """The verdict of one checker."""

    name: str
    valid: Valid
    why: str
    details: Mapping[str, Any]


def findings(verdict: object) -> tuple[Finding, ...]:
    """Every anomaly of a verdict and its parts, each once; what did harm comes before what is latent."""
    once: dict[tuple[str, str], Finding] = {}
    for finding in _findings(verdict, ""):
        once.setdefault((finding.name, finding.why), finding)
    return tuple(sorted(once.values(), key=lambda finding: finding.latent))


def by_kind(found: Sequence[Finding]) -> list[list[Finding]]:
    """Findings of one name by one checker together, each kind where its first one stood."""
    kinds: dict[tuple[str, str, bool], list[Finding]] = {}
    for finding in found:
        kinds.setdefault((finding.checker, finding.name, finding.latent), []).append(finding)
    return list(kinds.values())


def parts(verdict: object, path: str = "") -> Iterator[Part]:
    """The verdicts of the single checkers; those inside others have a path for a name."""
    if not isinstance(verdict, Mapping):
        return
    inner = verdict.get("parts")
    if not (isinstance(inner, Mapping) and inner):
        yield Part(path or "verdict", word(verdict.get("valid")), _text(verdict.get("why")), details(verdict))
        return
    for name, part in inner.items():
        yield from parts(part, f"{path} / {name}" if path else str(name))


def worst_first(said: Iterable[Part]) -> list[Part]:
    """What is invalid, then what is unknown, then the rest, each in the order it came in."""
    return sorted(said, key=lambda part: ("invalid", "unknown", "valid").index(part.valid))


def details(verdict: object) -> Mapping[str, Any]:
    """The further findings of a verdict or an anomaly."""
    found = verdict.get("details") if isinstance(verdict, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def ops(entries: object) -> tuple[Op, ...]:
    """Those of some JSON values that are ops."""
    return _entries(entries, Op)


def events(entries: object) -> tuple[Event, ...]:
    """Those of some JSON values that are trace events."""
    return _entries(entries, Event)


def _findings(verdict: object, path: str) -> Iterator[Finding]:
    if not isinstance(verdict, Mapping):
        return
    anomalies = verdict.get("anomalies")
    for anomaly in anomalies if isinstance(anomalies, list) else ():
        if isinstance(anomaly, Mapping):
            yield _finding(anomaly, path)
    inner = verdict.get("parts")
    for name, part in inner.items() if isinstance(inner, Mapping) else ():
        yield from _findings(part, f"{path} / {name}" if path else str(name))


def _finding(anomaly: Mapping[str, Any], path: str) -> Finding:
    more = dict(details(anomaly))
    return Finding(
        checker=path,
        name=_text(anomaly.get("name")) or "anomaly",
        why=_text(anomaly.get("why")),
        property=_text(anomaly.get("property")) or None,
        latent=anomaly.get("latent") is True,
        ops=ops(anomaly.get("ops")),
        events=events(anomaly.get("events")),
        blame=more.pop("blame", None),
        details=more,
    )


def _entries(entries: object, kind: type[_T]) -> tuple[_T, ...]:
    return tuple(_converted(entries, kind)) if isinstance(entries, list) else ()


def _converted(entries: list[Any], kind: type[_T]) -> Iterator[_T]:
    for entry in entries:
        try:
            yield msgspec.convert(entry, kind)
        except msgspec.ValidationError:
            # A foreign checker may attach what it likes; what is no op has no place in a table of ops.
            continue


def _text(value: object) -> str:
    return "" if value is None else str(value)
