"""No pass without evidence: a trial in which nothing could have gone wrong has not shown anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History
from ostrakon.harness.history.fruitless import fruitless


def evidence(
    history: History, *, effects: Iterable[Mapping[str, Any]] = (), required: Iterable[str] = ()
) -> Verdict:
    """Valid if each kind of operation succeeded at least once and, if there were faults, one had an effect.

    Kinds of operation are those that clients tried, and those `required` beside. Faults are judged by what
    the nemesis reports when one ends (ops "stop-..."), and by the `effects` given: an effect is data with
    `inert`, or else with counts of what was cut, delayed, stopped, ..., of which one must not be 0.
    """
    missing = [*fruitless(history, required), *_inert(history, effects)]
    return Verdict.unknown("; ".join(missing), missing=missing) if missing else Verdict.passed()


def _inert(history: History, effects: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """That there were faults, and none of them changed anything."""
    reports = [op.value for op in history.nemesis if op.f.startswith("stop-")]
    changed = [_has_changed(report) for report in (*reports, *effects) if isinstance(report, Mapping)]
    told = [has_changed for has_changed in changed if has_changed is not None]
    if told and not any(told):
        yield (
            f"none of the {len(told)} faults changed anything"
            if len(told) > 1
            else "the fault changed nothing"
        )


def _has_changed(effect: Mapping[str, Any]) -> bool | None:
    """Whether an effect report says that something changed; None if it says nothing of the kind."""
    if "inert" in effect:
        return not effect["inert"]
    counts = [effect[field] for field in _COUNTS if field in effect]
    if isinstance(other := effect.get("other"), Mapping):
        counts.extend(other.values())
    return any(counts) if counts else None


_COUNTS = (
    *("messages", "stopped", "operations", "files", "connections", "clocks"),
    *("cut", "delayed", "dropped", "duplicated", "reordered"),
)
"""What effect reports count; what faults of other packages count is in `other`, by name."""
