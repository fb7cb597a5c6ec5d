"""Histories of several keys: a checker for one key is applied to the ops of each key separately."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from ostrakon.checkers.shape import is_pair
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Verdict, guarded
from ostrakon.harness.history import History, Op

Check = Callable[[History], Verdict]


def independent(check: Check) -> Check:
    """Make a checker for histories whose values are [key, value] from a checker for one key.

    The new checker runs `check` on the history of each key and composes the verdicts. The history of a key
    has the values without the key, and the ops of the nemesis. Witnesses have the ops of the whole history.
    If `check` raises an exception, the verdict for that key is unknown.

        check = independent(set_full)
    """

    def check_each(history: History) -> Verdict:
        parts = by_key(history)
        if not parts:
            return Verdict.unknown("no op has a value of the form [key, value]")
        return Verdict.compose(
            {
                name: _about_the_whole(guarded(f"key {name}", partial(check, part)), history, origin)
                for name, (part, origin) in parts.items()
            }
        )

    return check_each


def by_key(history: History) -> dict[str, tuple[History, list[int]]]:
    """For each key its history, and the positions that its ops have in the whole."""
    ops: dict[Key, list[Op]] = {}
    names: dict[Key, str] = {}
    for op in history.clients:
        if (key := _key(op, history)) is not None:
            ops.setdefault(canonical(key[0]), []).append(_bare(op))
            names.setdefault(canonical(key[0]), value_text(key[0]))
    of_all = [op for op in history if not op.is_client]
    parts: dict[str, tuple[History, list[int]]] = {}
    for which, mine in ops.items():
        ordered = sorted((*of_all, *mine), key=lambda op: op.index)
        renumbered = (msgspec.structs.replace(op, index=at) for at, op in enumerate(ordered))
        parts[names[which]] = (History(renumbered), [op.index for op in ordered])
    return parts


def _key(op: Op, history: History) -> tuple[Any] | None:
    """The key that an op is about; where it does not say, that of its invocation."""
    said = op if is_pair(op.value) or op.type == "invoke" else history.invocation(op)
    return (said.value[0],) if said is not None and is_pair(said.value) else None


def _bare(op: Op) -> Op:
    return msgspec.structs.replace(op, value=op.value[1]) if is_pair(op.value) else op


def _about_the_whole(verdict: Verdict, history: History, origin: list[int]) -> Verdict:
    """The same verdict, its witnesses being ops of the whole history."""
    return replace(
        verdict,
        anomalies=tuple(
            replace(
                anomaly,
                witness=tuple(
                    history.op(origin[seen.index]) if isinstance(seen, Op) else seen
                    for seen in anomaly.witness
                ),
            )
            for anomaly in verdict.anomalies
        ),
    )
