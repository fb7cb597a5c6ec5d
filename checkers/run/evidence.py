"""Evidence: a trial in which nothing could go wrong shows nothing, so it must not pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History
from ostrakon.harness.history.history import fruitless


def evidence(
    history: History, *, effects: Iterable[Mapping[str, Any]] = (), required: Iterable[str] = ()
) -> Verdict:
    """Check that each kind of operation succeeded at least once and that, if there were faults, one had an
    effect.

    Kinds of operation are those that clients tried and those in `required`. The effects of faults come from
    the ops "stop-..." of the nemesis and from `effects`. An effect is data with `inert`, or else with counts
    (messages stopped, nodes stopped, ...) of which at least one must not be 0. The verdict is `valid` or
    `unknown`.
    """
    missing = [*fruitless(history, required), *_inert(history, effects)]
    return Verdict.unknown("; ".join(missing), missing=missing) if missing else Verdict.passed()


def _inert(history: History, effects: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The sentence for a trial with faults of which none had an effect."""
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
    """Whether an effect report says that the fault had an effect; None if it does not say."""
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
"""The counts in effect reports; faults of other packages have theirs in `other`, by name."""
