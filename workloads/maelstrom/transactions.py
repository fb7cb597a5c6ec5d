"""Maelstrom's `txn-list-append` and `txn-rw-register`: transactions over a few keys."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ostrakon.checkers.transactions import list_append, rw_register
from ostrakon.checkers.transactions.consistency import UnknownModel, canonical_name
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.generator import OpRequest, Source, repeat
from ostrakon.harness.history import History, Op
from ostrakon.harness.plan import Plan
from ostrakon.harness.workload import Workload
from ostrakon.workloads.maelstrom.client import asking, told
from ostrakon.workloads.maelstrom.cluster import Checks, maelstrom_workload, until_done
from ostrakon.workloads.maelstrom.message import Body
from ostrakon.workloads.maelstrom.micro_ops import LENGTH_MAX, OPTIONS, MicroOp, micro_ops

MODELS = ("strict-serializable",)
"""The consistency models that are asked for if the option says nothing."""
_LAST_KEYS = 4
"""The keys that are read at last."""

Check = Callable[[History, str], Verdict]


def _transactions(write: str) -> Callable[[Plan, random.Random], Source]:
    def make(drawn: list[MicroOp], keys: tuple[int, ...], rng: random.Random) -> OpRequest:
        txn: list[list[Any]] = [
            [write, key, value] if is_write else ["r", key, None] for is_write, key, value in drawn
        ]
        return OpRequest("txn", txn)

    return lambda plan, rng: micro_ops(plan, rng, make)


def _ask(op: Op) -> Body:
    return {"type": "txn", "txn": op.value}


def _checks(check: Check) -> Callable[[Plan, History], Checks]:
    def checks(plan: Plan, history: History) -> Checks:
        models = plan.options.get("consistency_models") or MODELS
        return {model: lambda model=model: check(history, model) for model in models}  # type: ignore[misc]

    return checks


def _problems(options: Mapping[str, Any]) -> Iterator[str]:
    for model in options.get("consistency_models", ()):
        try:
            canonical_name(model)
        except UnknownModel as unknown:
            yield str(unknown)


def _workload(name: str, write: str, about: str, check: Check) -> Workload:
    return maelstrom_workload(
        name=name,
        about=about,
        connect=asking(_ask, lambda op, body: told(body, "txn_ok", "txn")),
        ops=_transactions(write),
        final=until_done(
            lambda thread: [repeat(OpRequest("txn", [["r", key, None] for key in range(_LAST_KEYS)]))]
        ),
        checks=_checks(check),
        option_problems=_problems,
        options={
            **OPTIONS,
            "max_txn_length": f"the maximum number of micro-operations of a transaction; {LENGTH_MAX}",
            "consistency_models": f"the list of models to check; {', '.join(MODELS)} if not given",
        },
    )


TXN_LIST_APPEND = _workload(
    "txn-list-append",
    "append",
    "Whether transactions that append to lists are strictly serializable; the report names what holds.",
    list_append,
)
TXN_RW_REGISTER = _workload(
    "txn-rw-register",
    "w",
    "Whether transactions that write registers are strictly serializable; the report names what holds.",
    rw_register,
)
