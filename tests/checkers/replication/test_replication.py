"""M1 to M13: each property passes what it must, fails what it must by name, and is unknown of nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ostrakon.checkers.replication import (
    compaction,
    converged,
    durability,
    exactly_once,
    lease_reads,
    no_holes,
    prefix,
    progress,
    recovery,
    registry,
    replication,
    state,
)
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import Event, History, Op, OpType, Process, Trace
from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import run
from ostrakon.workloads.decree import DECREE
from ostrakon.workloads.unique_ids import UNIQUE_IDS

Told = tuple[str, str] | tuple[str, str, dict[str, Any]]
MEMBERS = ("n1", "n2", "n3")


def trace(*told: Told) -> Trace:
    """Events from node, kind and fields, a nanosecond apart; `restart` begins a node's next life."""
    lives = dict.fromkeys(MEMBERS, 0)
    events = []
    for time, (node, kind, *fields) in enumerate(told):
        lives[node] += kind == "restart"
        events.append(Event(time, node, lives[node], time, kind, **(fields[0] if fields else {})))
    return tuple(events)


def applied(node: str, slot: int, value: str = "x", **detail: Any) -> Told:
    return node, "applied", {"slot": slot, "value": value, "detail": detail or None}


def vote(node: str, value: str = "x", *, ballot: int = 1) -> Told:
    return node, "accept_sent", {"slot": 1, "ballot": (ballot, 1), "value": value}


def restart(node: str, *accepted: Any, **detail: Any) -> Told:
    return node, "restart", {"accepted": accepted, "detail": detail or None}


def reaching(node: str, kind: str, slot: int, **detail: Any) -> Told:
    return node, kind, {"slot": slot, "detail": detail or None}


def assigned(address: str, id: int, version: int) -> Told:
    return "n1", "registry_assign", {"value": address, "detail": {"id": id, "version": version}}


COUNTS: Told = ("n1", "config_active", {"slot": 0, "members": MEMBERS})
KEPT = (1, (1, 1), "x")
LATER = (1, (2, 2), "x")
OTHER = (1, (3, 3), "y")

RIGHT: list[tuple[Callable[[Trace], Verdict], list[Told]]] = [
    (prefix, [applied("n1", 1), applied("n1", 2, "y"), applied("n2", 1)]),
    (prefix, [applied("n1", 1), restart("n1"), applied("n1", 1)]),
    (no_holes, [applied("n1", 1), applied("n1", 2), applied("n2", 1)]),
    (no_holes, [applied("n1", 1), restart("n1"), applied("n1", 1), applied("n1", 2)]),
    (no_holes, [applied("n1", 1), restart("n1", applied_upto=1), applied("n1", 2)]),
    (no_holes, [applied("n1", 1), reaching("n1", "snapshot_installed", 7), applied("n1", 8)]),
    (state, [applied("n1", 1, state_hash=5), applied("n2", 1, state_hash=5)]),
    (state, [applied("n1", 1, state_hash=5), applied("n2", 1, "another log", state_hash=6)]),
    (state, [
        applied("n1", 1), applied("n1", 2, state_hash=5),
        reaching("n2", "snapshot_installed", 2, state_hash=5), applied("n1", 3, state_hash=6),
        applied("n2", 3, state_hash=6),
    ]),
    (exactly_once, [applied("n1", 1, executed=[["c", 1]]), applied("n1", 2, executed=[["c", 2], ["d", 1]])]),
    (exactly_once, [applied("n1", 1, executed=[["c", 1]]), applied("n2", 1, executed=[["c", 1]])]),
    (exactly_once, [
        applied("n1", 1, executed=[["c", 1]]), restart("n1"), applied("n1", 1, executed=[["c", 1]]),
    ]),
    (exactly_once, [
        applied("n1", 1, executed=[["c", 1]], results=[7]),
        applied("n1", 2, executed=[], results=[], repeated=[["c", 1, 7]]),
        applied("n2", 1, executed=[["c", 1]], results=[7]),
        applied("n2", 2, executed=[["c", 2]], results=[8], repeated=[["c", 1, 7], ["c", 2, 8]]),
    ]),
    (exactly_once, [applied("n1", 9, executed=[], results=[], repeated=[["before the trace", 1, 7]])]),
    (durability, [COUNTS, vote("n1"), vote("n2"), restart("n1", KEPT), restart("n2", KEPT)]),
    (durability, [COUNTS, vote("n1"), vote("n2"), restart("n1", LATER)]),
    (durability, [COUNTS, vote("n1"), vote("n2"), vote("n3"), restart("n1")]),
    (durability, [COUNTS, vote("n1"), vote("n2"), restart("n1", chosen_upto=1)]),
    (durability, [COUNTS, vote("n1"), restart("n1")]),
    (durability, [COUNTS, ("n1", "accept_sent", {"ballot": (1, 1), "value": "x"}),
                  ("n2", "accept_sent", {"ballot": (1, 1), "value": "x"}), restart("n1", chosen="x")]),
    (compaction, [applied("n1", 3), reaching("n1", "snapshot_taken", 3), reaching("n1", "compacted", 3)]),
    (compaction, [reaching("n1", "snapshot_installed", 9), reaching("n1", "compacted", 8)]),
    (registry, [assigned("a", 1, 1), assigned("b", 2, 2), assigned("a", 1, 2)]),
    (converged, [applied("n1", 1), applied("n2", 1)]),
    (converged, [applied("n1", 1), restart("n1"), reaching("n1", "snapshot_installed", 2), applied("n2", 2)]),
    (converged, [COUNTS, applied("n1", 2), applied("n2", 2), applied("n3", 1),
                 ("n1", "config_active", {"slot": 2, "members": ("n1", "n2")})]),
]  # fmt: skip

WRONG: list[tuple[Callable[[Trace], Verdict], str, str, list[Told]]] = [
    (prefix, "M1", "logs diverge", [applied("n1", 1), applied("n2", 1, "y")]),
    (prefix, "M1", "logs diverge", [applied("n1", 1), restart("n1"), applied("n1", 1, "y")]),
    (no_holes, "M2", "slots out of order", [applied("n1", 1), applied("n1", 3)]),
    (no_holes, "M2", "slots out of order", [applied("n1", 1), applied("n1", 1)]),
    (no_holes, "M2", "slots out of order", [applied("n1", 1), restart("n1"), applied("n1", 2)]),
    (no_holes, "M2", "slots out of order", [reaching("n1", "snapshot_installed", 7), applied("n1", 9)]),
    (state, "M3", "states diverge", [applied("n1", 1, state_hash=5), applied("n2", 1, state_hash=6)]),
    (state, "M3", "states diverge", [
        applied("n1", 1), applied("n1", 2, state_hash=5),
        reaching("n2", "snapshot_installed", 2, state_hash=6),
    ]),
    (exactly_once, "M4", "executed twice", [
        applied("n1", 1, executed=[["c", 1]]), applied("n1", 2, executed=[["c", 1]]),
    ]),
    (exactly_once, "M4", "executed twice", [applied("n1", 1, executed=[["c", 1], ["c", 1]])]),
    (exactly_once, "M4", "answered anew", [
        applied("n1", 1, executed=[["c", 1]], results=[7]),
        applied("n1", 2, executed=[], results=[], repeated=[["c", 1, 8]]),
    ]),
    (exactly_once, "M4", "answered anew", [
        applied("n1", 1, executed=[["c", 1]], results=[7]), reaching("n2", "snapshot_installed", 1),
        applied("n2", 2, executed=[], results=[], repeated=[["c", 1, 8]]),
    ]),
    (exactly_once, "M4", "answered anew", [
        applied("n1", 1, executed=[["c", 1]], results=[7], repeated=[["c", 1, 8]]),
    ]),
    (durability, "M5", "chosen value lost", [COUNTS, vote("n1"), vote("n2"), restart("n1")]),
    (durability, "M5", "chosen value lost", [COUNTS, vote("n1"), restart("n1"), vote("n2")]),
    (durability, "M5", "chosen value lost", [COUNTS, vote("n1"), vote("n2"), restart("n1", OTHER)]),
    (compaction, "M9", "compacted without a snapshot", [applied("n1", 3), reaching("n1", "compacted", 3)]),
    (compaction, "M9", "compacted without a snapshot", [
        applied("n1", 3), reaching("n2", "snapshot_taken", 3), reaching("n1", "compacted", 3),
    ]),
    (compaction, "M9", "compacted what is not decided", [
        applied("n1", 3), reaching("n1", "snapshot_taken", 4), reaching("n1", "compacted", 4),
    ]),
    (registry, "M10", "id given twice", [assigned("a", 1, 1), assigned("b", 1, 2)]),
    (registry, "M10", "id changed", [assigned("a", 1, 1), assigned("a", 2, 2)]),
    (registry, "M10", "version used again", [assigned("a", 1, 1), assigned("b", 2, 1)]),
    (converged, "M11", "left behind", [applied("n1", 1), applied("n1", 2), applied("n2", 1)]),
    (converged, "M11", "left behind", [applied("n1", 1), applied("n2", 1), restart("n2")]),
    (converged, "M11", "left behind", [applied("n1", 1), ("n2", "config_active", {"members": MEMBERS})]),
]  # fmt: skip


def test_who_is_not_well_for_good_need_not_catch_up() -> None:
    told = trace(applied("n1", 1), applied("n1", 2), applied("n2", 1), applied("n3", 1), applied("n3", 2))

    assert converged(told, among=("n1", "n3")).valid == "valid"
    assert converged(told, among=("n1", "n2")).valid == "invalid"
    assert converged(told).valid == "invalid"


@pytest.mark.parametrize(("property", "told"), RIGHT)
def test_what_is_right_passes(property: Callable[[Trace], Verdict], told: list[Told]) -> None:
    assert property(trace(*told)).valid == "valid"


@pytest.mark.parametrize(("property", "name", "anomaly", "told"), WRONG)
def test_what_is_wrong_is_named(
    property: Callable[[Trace], Verdict], name: str, anomaly: str, told: list[Told]
) -> None:
    verdict = property(trace(*told))

    assert [(found.property, found.name) for found in verdict.anomalies] == [(name, anomaly)]
    assert verdict.anomalies[0].witness


@pytest.mark.parametrize(
    "property", [prefix, no_holes, state, exactly_once, durability, compaction, registry, converged]
)
def test_of_nothing_nothing_is_known(property: Callable[[Trace], Verdict]) -> None:
    assert property(()).valid == "unknown"
    assert "was not put to test" in property(()).why


def ops(*told: tuple[float, str, int | str]) -> History:
    """Ops from seconds, type and process."""
    return History([
        Op(index, int(at * 1e9), kind, process, "stop-partition" if process == "nemesis" else "read")  # type: ignore[arg-type]
        for index, (at, kind, process) in enumerate(told)
    ])  # fmt: skip


HEALED = (1.0, "info", "nemesis")


@pytest.mark.parametrize(
    "history",
    [
        ops(
            HEALED,
            (1.1, "invoke", 0),
            (1.5, "ok", 0),
            (9, "info", "nemesis"),
            (9, "invoke", 1),
            (9.1, "ok", 1),
        ),
        ops(HEALED, (1.1, "invoke", 0), (1.5, "fail", 0)),
        ops((0, "invoke", 0), (0.5, "info", 0), HEALED, (2, "invoke", 1), (2.1, "ok", 1)),
        ops(HEALED, (1.1, "invoke", 0), (1.2, "ok", 0), (1.3, "invoke", 0)),
    ],
    ids=["in time", "refused", "silence before", "time not up"],
)
def test_answers_in_time_are_progress(history: History) -> None:
    assert recovery(history, within_s=1).valid == "valid"


@pytest.mark.parametrize(
    "history",
    [
        ops(HEALED, (1.1, "invoke", 0), (2.5, "ok", 0)),
        ops(HEALED, (1.1, "invoke", 0), (1.2, "info", 0), (3, "invoke", 1), (3.1, "ok", 1)),
        ops(HEALED, (1.1, "invoke", 0), (3, "invoke", 1), (3.1, "ok", 1)),
    ],
    ids=["late", "silence", "never"],
)
def test_late_answers_are_no_progress(history: History) -> None:
    assert [anomaly.property for anomaly in recovery(history, within_s=1).anomalies] == ["M11"]


def test_progress_under_a_fault_that_stays_is_counted_from_a_time_on() -> None:
    history = ops(
        (0.0, "invoke", 0), (1.0, "info", 0), (2, "invoke", 1), (2.9, "ok", 1), (9, "info", "nemesis")
    )

    assert recovery(history, within_s=1, since_ns=2 * 10**9).valid == "valid"
    assert [a.property for a in recovery(history, within_s=0.5, since_ns=2 * 10**9).anomalies] == ["M12"]
    assert recovery(history, within_s=1).valid == "unknown"


def test_a_trial_is_judged_by_what_its_trace_tells() -> None:
    told = trace(applied("n1", 1, state_hash=1), applied("n2", 1, state_hash=2))

    parts = replication(History([]), told)

    assert {name: part.valid for name, part in parts.items()} == {
        "M1": "valid",
        "M2": "valid",
        "M3": "invalid",
    }


def test_what_is_required_and_not_told_is_unknown() -> None:
    parts = replication(History([]), (), required=("M1", "M9"))

    assert {name: part.valid for name, part in parts.items()} == {"M1": "unknown", "M9": "unknown"}


def test_a_property_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="M99: not among the properties of a log"):
        replication(History([]), (), required=("M99",))


def test_clients_and_their_views_are_judged_as_well() -> None:
    back = History([
        Op(0, 0, "invoke", 0, "read"), Op(1, 1, "ok", 0, "read", 5, slot=7),
        Op(2, 2, "invoke", 0, "read"), Op(3, 3, "ok", 0, "read", None, slot=6),
    ])  # fmt: skip

    parts = replication(back, (), model="register", required=())

    assert {name: part.valid for name, part in parts.items()} == {"M6": "invalid", "M13": "invalid"}


def test_an_instance_that_forgets_its_votes_loses_what_was_chosen() -> None:
    def verdict(seed: int, bug: str | None) -> str:
        plan = plan_for(DECREE, seed=seed, nemesis="kill", bug=bug, nodes=3)
        return durability(run(plan, workload=DECREE).trace).valid

    assert any(verdict(seed, "accepted-not-persisted") == "invalid" for seed in range(60))
    assert all(verdict(seed, None) != "invalid" for seed in range(20))


@pytest.mark.parametrize("bug", ["retries-answered-anew", "results-forgotten"])
def test_a_store_that_does_not_keep_its_results_answers_retries_anew(bug: str) -> None:
    def verdict(seed: int, bug: str | None) -> Verdict:
        plan = plan_for(UNIQUE_IDS, seed=seed, nemesis="mixed", bug=bug, time_limit_s=1.0)
        return exactly_once(run(plan, workload=UNIQUE_IDS).trace)

    seed, found = next((seed, found) for seed in range(30) if (found := verdict(seed, bug)).anomalies)
    assert {anomaly.name for anomaly in found.anomalies} == {"answered anew"}

    correct = verdict(seed, None)
    assert correct.valid == "valid"
    assert correct.details["repeated"], "vacuous: no command came again"


# M7


def promised(node: str, round: int, by: int) -> Told:
    return node, "promise_sent", {"slot": 1, "ballot": (round, by)}


def leased(node: str, kind: str, round: int, by: int) -> Told:
    return node, kind, {"slot": 4, "ballot": (round, by)}


MEMBERSHIP: Told = ("n1", "config_active", {"members": MEMBERS})
ELECTED = (MEMBERSHIP, promised("n1", 1, 1), promised("n2", 1, 1), leased("n1", "lease_held", 1, 1))


def test_a_leader_may_read_by_its_lease_while_no_quorum_has_promised_another_ballot() -> None:
    verdict = lease_reads(
        trace(
            *ELECTED, leased("n1", "lease_read", 1, 1), promised("n3", 2, 3), leased("n1", "lease_read", 1, 1)
        )
    )

    assert verdict.valid == "valid"
    assert (verdict.details["leases"], verdict.details["reads"]) == (1, 2)


@pytest.mark.parametrize("kind", ["lease_read", "lease_held"])
def test_a_lease_that_is_relied_on_when_a_quorum_has_promised_more_is_overtaken(kind: str) -> None:
    verdict = lease_reads(
        trace(*ELECTED, promised("n3", 2, 3), promised("n2", 2, 3), leased("n1", kind, 1, 1))
    )

    [anomaly] = verdict.anomalies
    assert (anomaly.name, anomaly.property) == ("lease overtaken", "M7")
    assert "n2 and n3, a quorum, had promised a higher one" in anomaly.why
    assert [event.node for event in anomaly.witness] == ["n3", "n2", "n1"]


def test_the_leader_of_the_higher_ballot_may_read() -> None:
    told = (*ELECTED, promised("n3", 2, 3), promised("n2", 2, 3), leased("n3", "lease_read", 2, 3))

    assert lease_reads(trace(*told)).valid == "valid"


def test_without_leases_m7_is_not_put_to_test() -> None:
    assert lease_reads(()).valid == "unknown"
    assert replication(History(), trace(*ELECTED)).keys() >= {"M7"}


# M12

CHAIN: dict[str, tuple[str, ...]] = {"n1": ("n3",), "n3": ("n1",)}
"""n1 and n3 do not hear each other; everybody hears a quorum."""
ALONE: dict[str, tuple[str, ...]] = {"n1": ("n2", "n3"), "n2": ("n1", "n3"), "n3": ("n1", "n2")}


def under_partition(grudge: dict[str, tuple[str, ...]], done_ms: int, *more: tuple[int, str]) -> Verdict:
    """A partition from 0 to 3 s; something is asked for at 100 ms and done at `done_ms`."""
    ops: list[tuple[int, OpType, Process, str, Any]] = [
        (0, "info", "nemesis", "start-partition", {"id": 0, "grudge": grudge}),
        *((at, "info", "nemesis", f, {"id": 1}) for at, f in more),
        (100, "invoke", 0, "read", None),
        (done_ms, "ok", 0, "read", None),
        (3000, "info", "nemesis", "heal", None),
    ]
    history = History(
        Op(index, at * 1_000_000, type_, process, f, value)
        for index, (at, type_, process, f, value) in enumerate(ops)
    )
    return progress(history, MEMBERS, within_s=2.0)


def test_who_reaches_a_quorum_serves_clients_in_time() -> None:
    assert under_partition(CHAIN, 1500).valid == "valid"


def test_clients_that_nobody_serves_though_one_reaches_a_quorum_are_an_anomaly() -> None:
    verdict = under_partition(CHAIN, 2500)

    [anomaly] = verdict.anomalies
    assert (anomaly.name, anomaly.property) == ("no progress", "M12")
    assert "n1 reached a quorum from 0 ms on" in anomaly.why


def test_what_was_done_at_once_may_have_been_under_way() -> None:
    assert under_partition(CHAIN, 200).valid == "invalid"


def test_nothing_is_asked_of_a_cluster_without_a_quorum_or_with_other_faults() -> None:
    assert under_partition(ALONE, 2500).valid == "unknown"
    assert under_partition(CHAIN, 2500, (50, "start-pause")).valid == "unknown"


def test_diverged_states_are_traced_to_the_slot_in_which_replicas_did_not_do_the_same() -> None:
    def life(node: str, results: list[int], last: int) -> list[Told]:
        did = [["c", 1]]
        return [
            applied(node, 1, "a", executed=did, results=[7], state_hash=1),
            applied(node, 2, "b", executed=did, results=[7]),
            applied(node, 3, "c", executed=did, results=results),
            applied(node, 4, "d", executed=did, results=[7], state_hash=last),
        ]

    (seen,) = state(trace(*life("n1", [8], 5), *life("n2", [9], 6))).anomalies
    assert seen.details == {"slot": 4, "parted": 3, "operation": "c", "results": {"n1": [8], "n2": [9]}}
    assert 'slot 3, "c", is the first in which they did not do the same' in seen.why

    (unseen,) = state(trace(*life("n1", [8], 5), *life("n2", [8], 6))).anomalies
    assert unseen.details["parted"] == [2, 3, 4]
    assert "one of the slots 2 to 4 parted them" in unseen.why
