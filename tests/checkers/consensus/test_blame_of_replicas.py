"""Replicas of the log with a seeded bug: whatever is decided twice or lost, the right one is to blame for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ostrakon.checkers.consensus import with_blame
from ostrakon.checkers.consensus.excerpt import LONGEST
from ostrakon.checkers.consensus.properties import judge
from ostrakon.checkers.replication import compaction, durability, no_holes, prefix
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Trace
from ostrakon.paxos_impl.core.multi import LOG_RULES, LogRules
from ostrakon.workloads.log_bugs import LOG_BUGS
from ostrakon.workloads.membership import MEMBERSHIP_BUGS

from .replicas import replicas_trace

Finding = tuple[str, str, str]
"""The class, the rule that was broken, and the role of the guilty."""
TOO_FEW_PROMISES: Finding = ("A", "P9", "proposer")
LEARNED_EARLY: Finding = ("A", "P4", "learner")
PROMISE_BROKEN: Finding = ("B", "P7", "acceptor")
VOTE_HIDDEN: Finding = ("C", "P8", "acceptor")
REPORT_IGNORED: Finding = ("D", "P9", "proposer")
VOTES_FORGOTTEN: Finding = ("F", "M5", "acceptor")


@dataclass(frozen=True)
class Case:
    """Which schedules split or lose decisions, and the charges that may come of it."""

    seeds: tuple[int, ...]
    charges: set[Finding]
    after_restarts: bool | None
    """Whether a restart always lies between, or never; None if it does not matter."""


CASES = {
    "ack-before-quorum": Case(
        (1, 6, 36), {TOO_FEW_PROMISES, LEARNED_EARLY, REPORT_IGNORED}, after_restarts=False
    ),
    "commit-without-ballot": Case((703, 1046), {LEARNED_EARLY}, after_restarts=False),
    "promise-omits-chosen": Case((46, 152), {VOTE_HIDDEN}, after_restarts=None),
    "vote-not-persisted": Case((2, 8), {VOTE_HIDDEN, VOTES_FORGOTTEN}, after_restarts=True),
    "reply-before-fsync": Case((6,), {VOTES_FORGOTTEN}, after_restarts=True),
    "ignores-reported-votes": Case((6, 45), {REPORT_IGNORED}, after_restarts=False),
    "counts-everyone": Case((6, 23, 62), {TOO_FEW_PROMISES, REPORT_IGNORED}, after_restarts=False),
}
"""Seeds are of schedules that show it; a change of the core may move them."""
BUGS = {**LOG_BUGS, **MEMBERSHIP_BUGS}


@pytest.mark.parametrize("name", CASES)
def test_whatever_a_seeded_bug_splits_or_loses_is_blamed_on_what_it_breaks(name: str) -> None:
    case, bug = CASES[name], BUGS[name]
    found = [
        blamed for seed in case.seeds for blamed in accusations(trace_of(name, seed, bug.breakage.rules))
    ]

    assert {(told["class"], told["rule"], told["role"]) for told in found} == case.charges
    if case.after_restarts is not None:
        assert {told["restarted"] for told in found} == {case.after_restarts}
    assert all(told["guilty"] for told in found)
    assert all(5 <= len(told["story"]) <= LONGEST for told in found)


def test_what_a_restart_kept_is_not_said_to_have_been_lost_in_it() -> None:
    kept = accusations(trace_of("promise-omits-chosen", 46, LOG_BUGS["promise-omits-chosen"].breakage.rules))
    lost = accusations(trace_of("vote-not-persisted", 8, LOG_BUGS["vote-not-persisted"].breakage.rules))

    assert all("a restart lay between, after which it still knew of its vote" in told["why"] for told in kept)
    assert any("a restart lay between, in which its vote was lost" in told["why"] for told in lost)


@pytest.mark.parametrize("changes", [False, True])
def test_nothing_is_wrong_with_correct_replicas_in_any_schedule(changes: bool) -> None:
    traces = [
        replicas_trace(seed, LOG_RULES, steps=2000 if changes else 300, changes=changes)
        for seed in range(10 if changes else 60)
    ]

    assert [judge(trace).counts for trace in traces] == [{}] * len(traces)
    assert not any(check(trace).anomalies for trace in traces for check in OF_LOGS)
    kinds = {event.event for trace in traces for event in trace}
    assert kinds >= {"restart", "applied", "snapshot_installed", "compacted"}, "vacuous"


OF_LOGS = (prefix, no_holes, durability, compaction)


def trace_of(name: str, seed: int, rules: LogRules) -> Trace:
    changes = name in MEMBERSHIP_BUGS
    return replicas_trace(seed, rules, steps=2500 if changes else 300, changes=changes)


def accusations(trace: Trace) -> list[dict[str, Any]]:
    """The blame for each disagreement or loss; there must be one for each."""
    findings = judge(trace)
    verdicts = {name: findings.verdict(name) for name in ("P2", "P3", "P5")}
    verdicts |= {"M1": prefix(trace), "M5": durability(trace)}
    anomalies = list(told(with_blame(verdicts, trace, seen=findings.seen).values()))
    assert anomalies, "vacuous: nothing was decided twice or lost"
    assert all("blame" in anomaly.details for anomaly in anomalies), anomalies
    return [anomaly.details["blame"] for anomaly in anomalies]


def told(verdicts: Iterable[Verdict]) -> Iterator[Anomaly]:
    return (anomaly for verdict in verdicts for anomaly in verdict.anomalies)
