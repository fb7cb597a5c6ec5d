"""What clients met that they did not know how to read: errors behind `info` ops, by kind."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ostrakon.checkers.value import value_text
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History, Op


def exceptions(history: History) -> Verdict:
    """The errors of `info` ops, counted by kind and f, the most frequent first; each with an example.

    An error's kind is the text before its first colon, such as the class of an exception. It is always valid:
    silence is no fault; but a client that takes many errors for silence hides what the system answered.
    """
    ended = [op for op in history.clients if op.type != "invoke"]
    if not ended:
        return Verdict.unknown("nothing was ever completed")
    unknown = [op for op in ended if op.type == "info" and op.error is not None]
    examples: dict[tuple[str, str], Op] = {}
    for op in unknown:
        examples.setdefault((_kind(op.error), op.f), op)
    counts = Counter((_kind(op.error), op.f) for op in unknown)
    kinds: list[dict[str, Any]] = [
        {
            "kind": kind,
            "f": f,
            "count": count,
            "op": examples[kind, f].index,
            "error": examples[kind, f].error,
        }
        for (kind, f), count in counts.most_common()
    ]
    return Verdict.passed(unknown=len(unknown), kinds=kinds)


def _kind(error: Any) -> str:
    text = error if isinstance(error, str) else value_text(error)
    return text.split(":", 1)[0].strip()
