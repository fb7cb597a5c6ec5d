"""Faults that wait for a moment begin right after the event that they wait for, and strike by what it was."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.faults import reported, reported_by_another, reported_soon_after
from ostrakon.harness.history import Event
from ostrakon.harness.plan import BadPlan, Fault, Plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import Trial, run

MS = 1_000_000


def plan(*faults: Fault, substrate: Any = "model") -> Plan:
    drawn = plan_for(find_workload("register"), seed=3, nodes=3, substrate=substrate)
    return replace(drawn, time_limit_s=1.0, faults=faults)


def event(node: str, kind: str, at_ms: int = 0) -> Event:
    return Event(at_ms * MS, node, 0, 0, kind)


def first(trial: Trial, kind: str) -> Event:
    return next(event for event in trial.trace if event.event == kind)


def test_a_moment_is_a_kind_of_event() -> None:
    told = [event("n1", "leading"), event("n1", "learned")]

    assert reported("leading", "learned")(told[1], told)
    assert not reported("applied")(told[1], told)


def test_a_second_leader_is_one_that_follows_another_node() -> None:
    moment = reported_by_another("leading")
    told = [event("n1", "leading"), event("n1", "leading"), event("n2", "leading")]

    assert [moment(each, told[: at + 1]) for at, each in enumerate(told)] == [False, False, True]


@pytest.mark.parametrize(("node", "at_ms", "comes"), [("n1", 40, True), ("n2", 40, False), ("n1", 60, False)])
def test_an_event_soon_after_another_is_of_the_same_node_and_in_time(
    node: str, at_ms: int, comes: bool
) -> None:
    told = [event("n1", "promise_sent"), event(node, "accept_sent", at_ms)]

    assert reported_soon_after("accept_sent", "promise_sent", 50.0)(told[1], told) is comes


@pytest.mark.parametrize("substrate", ["model", "sim"])
def test_a_node_is_killed_right_after_it_has_begun_to_lead(substrate: str) -> None:
    fault = Fault("kill", 0, 900, when="leading", lasts_ms=200)

    trial = run(plan(fault, substrate=substrate))

    led = first(trial, "leading")
    lives = {event.incarnation for event in trial.trace if event.node == led.node}
    restarted = next(e for e in trial.trace if (e.node, e.incarnation, e.event) == (led.node, 1, "restart"))
    assert trial.valid == "valid"
    assert trial.effects[0]["stopped"] == [led.node]
    assert lives == {0, 1}
    assert 200 * MS <= restarted.time - led.time <= 260 * MS


def test_so_many_moments_pass_before_a_fault_begins() -> None:
    fault = Fault("kill", 0, 900, when="applied", passed=5, lasts_ms=100)

    trial = run(plan(fault))

    (victim,) = trial.effects[0]["stopped"]
    last = [event for event in trial.trace if event.event == "applied"][:6][-1]
    assert victim == last.node


def test_a_fault_whose_moment_does_not_come_says_so() -> None:
    fault = Fault("kill", 0, 900, when="snapshot_installed")

    trial = run(plan(fault))

    assert trial.effects[0]["inert"]
    assert trial.effects[0]["why_inert"] == "the moment `snapshot_installed` did not come often enough"


@pytest.mark.parametrize(
    ("target", "links"),
    [("said", "from the leader"), ("heard", "to the leader")],
)
def test_messages_of_the_node_that_reported_the_event_can_be_struck(target: str, links: str) -> None:
    fault = Fault("drop", 0, 900, probability=1.0, when="leading", target=target, lasts_ms=400, most=1)

    trial = run(plan(fault))

    assert trial.effects[0]["messages"] == 1, links


def test_the_same_plan_strikes_the_same_nodes_again() -> None:
    faults = (
        Fault("power_loss", 0, 900, when="accept_sent", passed=4, lasts_ms=50),
        Fault("partition", 0, 900, when="another-leader", lasts_ms=100),
    )

    assert run(plan(*faults)).digest == run(plan(*faults)).digest


def test_a_moment_that_the_workload_does_not_know_is_refused() -> None:
    with pytest.raises(BadPlan, match=r"faults\[0\] waits for the moment 'leadin'.*leading"):
        run(plan(Fault("kill", 0, 900, when="leadin")))


def test_a_fault_that_waits_for_nothing_lets_nothing_pass() -> None:
    with pytest.raises(BadPlan, match="waits for no moment"):
        run(plan(Fault("kill", 0, 900, passed=2)))


@pytest.mark.parametrize(("operation", "what"), [("write", "before"), ("sync", "between")])
@pytest.mark.parametrize("substrate", ["model", "sim"])
def test_power_fails_before_a_write_or_between_it_and_its_sync(
    operation: str, what: str, substrate: str
) -> None:
    options = {"operation": operation, "file": "replica.0"}
    fault = Fault("crash_at_sync", 300, 300, nodes=("n2",), options=options)

    trial = run(plan(fault, substrate=substrate))

    assert trial.valid == "valid", what
    assert trial.effects[0]["stopped"] == ["n2"]


def test_an_operation_that_no_disk_has_is_refused() -> None:
    fault = Fault("crash_at_sync", 300, 300, nodes=("n2",), options={"operation": "rename"})

    with pytest.raises(BadPlan, match="operation 'rename', expected one of read, write, sync"):
        run(plan(fault))
