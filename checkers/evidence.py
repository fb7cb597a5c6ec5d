"""No pass without evidence: a trial in which nothing could have gone wrong has not shown anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from checkers.verdict import Verdict
from harness.history import History


def evidence(
    history: History, *, effects: Iterable[Mapping[str, Any]] = (), required: Iterable[str] = ()
) -> Verdict:
    """Valid if each kind of operation succeeded at least once and each fault changed something.

    Kinds are those that clients tried, and those `required` beside. Faults are judged by what the nemesis
    reports when one ends (ops "stop-..."), and by the `effects` given: an effect is data with `inert`, or
    else with counts of what was cut, delayed, stopped, ..., of which one at least must not be 0.
    """
    missing = [*_never_ok(history, required), *_inert(history, effects)]
    return Verdict.unknown("; ".join(missing), missing=missing) if missing else Verdict.passed()


def _never_ok(history: History, required: Iterable[str]) -> Iterator[str]:
    tried: Counter[str] = Counter()
    succeeded: set[str] = set()
    for op in history.clients:
        if op.type == "invoke":
            tried[op.f] += 1
        elif op.type == "ok":
            succeeded.add(op.f)
    if not tried:
        yield "no client did anything"
    for f in sorted({*tried, *required} - succeeded):
        times = tried[f]
        yield f"{f} never succeeded in {times} tries" if times else f"{f} was never tried"


def _inert(history: History, effects: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for op in history.nemesis:
        if op.f.startswith("stop-") and isinstance(op.value, Mapping) and _changed_nothing(op.value):
            fault = op.f.removeprefix("stop-")
            yield f"the fault {fault} that ended at {op.time / 1e9:.3f} s changed nothing"
    for effect in effects:
        if _changed_nothing(effect):
            yield f"the fault {effect.get('kind', 'without a name')} changed nothing"


def _changed_nothing(effect: Mapping[str, Any]) -> bool:
    """Whether an effect report says so; one that reports no counts says nothing either way."""
    effect = effect.get("effect", effect)
    if "inert" in effect:
        return bool(effect["inert"])
    counts = [count for count in effect.values() if isinstance(count, int)]
    return bool(counts) and not any(counts)
