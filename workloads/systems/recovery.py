"""Whether a system serves again once the faults are over."""

from __future__ import annotations

from ostrakon.checkers.run.termination import termination
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.faults import find_kind
from ostrakon.harness.history import History
from ostrakon.harness.plan import Plan
from ostrakon.harness.volume.mounted import VOLUME_FAULTS


def serves_again(plan: Plan, history: History) -> Verdict:
    """Some operation succeeds after the last fault.

    A system whose data a fault has damaged may refuse to serve, so that this is then unknown, not invalid.
    """
    verdict = termination(history, node_of=lambda process: "the cluster")
    if verdict.valid == "invalid" and any(_damages(fault.kind) for fault in plan.faults):
        return Verdict.unknown("no operation succeeded after the faults, which had damaged data on disks")
    return verdict


def _damages(kind: str) -> bool:
    found = find_kind(kind)
    return kind in VOLUME_FAULTS and found is not None and found.colour == "spoilt"
