"""From dependencies to a verdict: which cycles there are, and which models of consistency that rules out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np

from ostrakon.checkers.transactions import consistency as lattice
from ostrakon.checkers.transactions.assessment import Assessment
from ostrakon.checkers.transactions.certificate import TransactionModel
from ostrakon.checkers.transactions.columns import MicroOps
from ostrakon.checkers.transactions.cycle_anomalies import STEPS, find_cycles
from ostrakon.checkers.transactions.edges import EdgeList
from ostrakon.checkers.transactions.execution import Execution
from ostrakon.checkers.transactions.findings import Findings
from ostrakon.checkers.transactions.replay import Replay
from ostrakon.checkers.transactions.serial_replay import serial_fault
from ostrakon.checkers.transactions.story import Reason
from ostrakon.checkers.transactions.table import OK, Ints, Transactions
from ostrakon.checkers.transactions.version_order import CONFLICTS
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History


@dataclass(frozen=True, slots=True)
class Inference:
    """What a data type lets one conclude from a history."""

    model: TransactionModel
    edges: EdgeList
    findings: Findings
    reason: Reason
    execution: Callable[[], Execution]
    """The history in the form in which levels are decided."""
    remark: str = ""
    """What had to be supposed."""


def judge(
    table: Transactions,
    inferred: Inference,
    model: str,
    *,
    steps: int = STEPS,
    conflicts: int = CONFLICTS,
    every_model: bool | None = None,
) -> Verdict:
    """Whether the history satisfies the model, and which models it satisfies and violates at all.

    Anomalies and cycles are inferred first. What they leave open is decided: for every model if
    `every_model`, or if it is None and the history is short, otherwise for the model that was asked for."""
    find_cycles(table, inferred.edges, inferred.findings, inferred.reason, steps=steps)
    if every_model is None:
        every_model = len(table) <= EVERY_MODEL
    assessment = Assessment(table, inferred.model, inferred.execution, inferred.findings, conflicts)
    assessment.decide(model)
    if every_model:
        assessment.decide_all()
    assessment.tell_refutations()
    return conclude(table, inferred.findings, assessment, model, inferred.remark)


EVERY_MODEL = 2_000
"""Up to so many transactions all models are decided, not only the one that was asked for."""


def proven_by(
    guesses: Iterable[Ints],
    table: Transactions,
    ops: MicroOps | None,
    model: TransactionModel,
    consistency: str,
) -> Verdict | None:
    """That a history is strictly serializable, if one of some guessed serial orders proves it; None if none
    does, or if its micro-ops are not plain enough to be there as columns.

    Most histories of stores that keep their promise are done with here: nothing has to be inferred from them.
    """
    lists = model == "list-append"
    if ops is None or not np.any(ops.counts & ~ops.is_write):
        return None
    for rank in guesses:
        if serial_fault(table, ops, rank, lists=lists, realtime=True) is None:
            rows = np.argsort(rank, kind="stable")[np.count_nonzero(rank < 0) :]
            at = np.where(table.ended >= 0, table.ended, table.invoked)[rows]
            order = list(map(attrgetter("index"), map(table.history.__getitem__, at.tolist())))
            found = {"model": model, "consistency": "strict-serializable", "order": order}
            assessment = Assessment(table, model, _nothing, Findings(table), 0)
            if len(table) > REPLAYED or assessment.accept_certificate("strict-serializable", found):
                assessment.keep("strict-serializable", found)
                return conclude(table, Findings(table), assessment, consistency)
    return None


REPLAYED = 5_000
"""Up to so many transactions a serial order is replayed op by op, too, and not on columns alone."""


def _nothing() -> Execution:
    raise AssertionError("a history that is proven has nothing to be decided")


def certified(history: History, model: TransactionModel, consistency: str, given: Any) -> Verdict:
    """Whether a certificate that somebody kept proves that a history satisfies a consistency model.

    Instead of the certificate, a verdict may be given that has it in its `details`.
    """
    for each in _certificates(given):
        shown = each.get("consistency")
        if shown in lattice.MODELS and lattice.as_strong(shown, consistency):
            break
    else:
        names = ", ".join(sorted(repr(each.get("consistency")) for each in _certificates(given)))
        return Verdict.unknown(
            f"there is no certificate for {consistency!r}, or what is stronger, but {names or 'none'}"
        )
    if each.get("model") != model:
        return Verdict.unknown(f"the certificate is for the model {each.get('model')!r}, not for {model!r}")
    if (fault := Replay(history).fault(each)) is not None:
        return Verdict.unknown(f"the certificate proves nothing: {fault}")
    why = f"the certificate shows an order of commits that satisfies {shown}"
    return Verdict.passed(why, consistency=consistency, certificates={shown: dict(each)})


def _certificates(given: Any) -> list[Mapping[str, Any]]:
    if not isinstance(given, Mapping):
        return []
    details = given.get("details")
    kept = details.get("certificates") if isinstance(details, Mapping) else None
    found = list(kept.values()) if isinstance(kept, Mapping) else [given]
    return [each for each in found if isinstance(each, Mapping)]


def conclude(
    table: Transactions, findings: Findings, assessment: Assessment, model: str, remark: str = ""
) -> Verdict:
    """The verdict, with what is known of every model."""
    name = lattice.canonical_name(model)
    wrong = lattice.forbidden(model)
    details: dict[str, Any] = {
        "consistency": name,
        "transactions": len(table),
        "committed": int(np.count_nonzero(table.status == OK)),
        "satisfied": list(lattice.strongest(assessment.certificates)),
        "violated": list(lattice.weakest(assessment.violated)),
        "undecided": [other for other in lattice.MODELS if assessment.is_open(other)],
        "found": dict(findings.counts),
        "tolerated": sorted(found for found in findings.counts if found not in wrong),
        "certificates": assessment.certificates,
    }
    forbidden = [anomaly for anomaly in findings.anomalies if anomaly.name in wrong]
    if name in assessment.violated:
        return Verdict.of(forbidden, **details)
    if assessment.is_open(name):
        return Verdict.unknown(
            f"{name} is not violated as far as is known: {assessment.why_open(name)}", **details
        )
    passed = f"a certificate shows an order of commits that satisfies {assessment.proof_of(name)}"
    return Verdict.of((), f"{passed}, {remark}" if remark else passed, **details)
