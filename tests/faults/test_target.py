"""Targets are found in what nodes have reported, and a fault is then aimed at just these."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ostrakon.harness.faults import (
    FAULTS,
    TARGETS,
    FaultKind,
    Package,
    Steady,
    UnknownFault,
    draw_faults,
    fault_kinds,
    find_fault,
)
from ostrakon.harness.faults.draw import SIZES
from ostrakon.harness.faults.registry import AIMED
from ostrakon.harness.faults.target import behind, followers, leader, quorum
from ostrakon.harness.history import Event
from ostrakon.harness.plan import BadPlan, Fault
from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import run
from tests.trial import toy

NODES = ("n1", "n2", "n3", "n4", "n5")


def told(event: str, node: str, ballot: tuple[int, int], slot: int = 0) -> Event:
    return Event(0, node, 0, 0, event, slot=slot, ballot=ballot)


def test_the_leader_is_who_proposed_last_at_the_highest_ballot() -> None:
    events = [
        told("propose_sent", "n2", (1, 2)),
        told("propose_sent", "n4", (3, 4)),
        told("prepare_sent", "n5", (9, 5)),
        told("propose_sent", "n2", (1, 2)),
    ]

    assert leader(events, NODES) == ["n4"], (
        "a late proposal of an old ballot, and one not yet elected, do not count"
    )
    assert followers(events, NODES) == ["n1", "n2", "n3", "n5"]


def test_before_anybody_proposes_the_leader_is_who_prepares() -> None:
    assert leader([told("prepare_sent", "n3", (1, 3))], NODES) == ["n3"]
    assert leader([], NODES) == followers([], NODES) == []


def test_the_quorum_is_the_first_majority_that_voted_for_the_newest_value() -> None:
    votes = [told("accept_sent", node, (1, 1), slot=7) for node in ("n1", "n2", "n3")]
    votes += [told("accept_sent", node, (2, 5), slot=8) for node in ("n5", "n1", "n4", "n2")]

    assert quorum(votes, NODES) == ["n1", "n4", "n5"]
    assert behind(votes, NODES) == ["n2", "n3"]
    assert quorum(votes[:4], NODES) == ["n5"], "nobody else has it yet"
    assert quorum([], NODES) == behind([], NODES) == []


@pytest.mark.parametrize(
    ("shape", "grudge"),
    [
        ("", {"n1": ("n2", "n3"), "n2": ("n1",), "n3": ("n1",)}),
        ("send-only", {"n1": ("n2", "n3")}),
        ("receive-only", {"n2": ("n1",), "n3": ("n1",)}),
        ("bridge", {"n2": ("n3",), "n3": ("n2",)}),
    ],
)
def test_a_partition_parts_the_target_from_the_others_in_its_shape(shape: str, grudge: object) -> None:
    fault = Fault("partition", 0, 1, target="leader", shape=shape)

    assert FAULTS["partition"].aim(fault, ["n1"], NODES[:3]).grudge == grudge
    assert FAULTS["partition"].aim(fault, [], NODES[:3]).grudge == {}


@given(st.sampled_from(sorted(FAULTS.values(), key=lambda kind: kind.name)), st.lists(st.sampled_from(NODES)))
def test_a_fault_strikes_its_target_and_nobody_else(kind: FaultKind, struck: list[str]) -> None:
    fault = kind.aim(Fault(kind.kind, 0, 1, target="leader"), struck, NODES)

    if fault.kind == "partition":
        others = set(NODES) - set(struck)
        assert set(fault.grudge) == (set(NODES) if struck and others else set())
    elif kind.applies_to != "nodes":
        assert all(set(struck) & set(link) for link in fault.links)
        assert {node for link in fault.links for node in link} == (set(NODES) if struck else set())
    else:
        assert set(fault.nodes) == set(struck)


@given(
    st.integers(0, 2**32),
    st.sampled_from(sorted(FAULTS)),
    st.sampled_from([*SIZES, *TARGETS]),
    st.integers(2, 7),
)
def test_every_kind_can_be_aimed_at_everyone(seed: int, name: str, whom: str, size: int) -> None:
    nodes = [f"n{number}" for number in range(1, size + 1)]

    for fault in draw_faults(random.Random(seed), nodes, [f"{name}:{whom}"], 5):
        assert fault.asked == f"{name}:{whom}"
        assert fault.target == (whom if whom in TARGETS else "")
        if whom == "one" and not fault.target and FAULTS[name].applies_to == "nodes":
            assert len(fault.nodes) == 1
        if whom == "all" and FAULTS[name].applies_to == "nodes":
            assert fault.nodes == tuple(nodes)


@pytest.mark.parametrize(
    ("name", "near"),
    [("kill:leadr", "kill:leader"), ("kil:leader", "kill"), ("partition:quorom", "partition:quorum")],
)
def test_a_target_that_is_off_by_little_is_offered_the_near_one(name: str, near: str) -> None:
    with pytest.raises(UnknownFault, match=f"did you mean .*{near}"):
        find_fault(name)


def test_the_group_of_aimed_faults_is_made_of_faults_that_there_are() -> None:
    assert [kind.name for kind in fault_kinds(["aimed"], random.Random(0))] == list(AIMED)


def test_faults_in_steady_turn_last_as_long_as_the_calm_between_them() -> None:
    faults = draw_faults(random.Random(1), NODES, ["kill", "pause"], 5.0, steady_s=0.5)

    assert [(fault.at_ms, fault.for_ms) for fault in faults] == [(at, 500) for at in (500, 1500, 2500, 3500)]
    assert {fault.kind for fault in faults} == {"kill", "pause"}


def test_packages_compose_each_in_its_own_rhythm() -> None:
    rng = random.Random(1)
    leaders = Package(fault_kinds(["kill:leader"], rng), Steady(0.5))
    network = Package(fault_kinds(["delay", "clock_skew"], rng))

    package = leaders | network
    faults = package.draw(rng, NODES, 5.0)

    assert package.colours == {"kill:leader": "kill", "delay": "delay", "clock_skew": "clock"}
    assert [fault.at_ms for fault in faults if fault.kind == "kill"] == [500, 1500, 2500, 3500]
    assert {fault.kind for fault in faults} == {"kill", "delay", "clock_skew"}
    assert list(faults) == sorted(faults, key=lambda fault: fault.at_ms)


def test_a_plan_with_a_target_strikes_the_same_nodes_again_and_tells_which() -> None:
    from ostrakon.harness.catalogue import find_workload

    found = find_workload("decree")
    plan = plan_for(found, seed=5, nemesis="kill:leader", nodes=3)

    trial, again = run(plan), run(plan)

    begun = [op for op in trial.history.nemesis if op.f == "start-kill"]
    assert begun[0].value["target"] == "leader"
    assert [op.value["nodes"] for op in begun[1::2]] != []
    assert all(len(op.value["nodes"]) == 1 for op in begun[1:2])
    assert trial.digest == again.digest
    assert trial.effects[0]["stopped"] == begun[1].value["nodes"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"nemesis": ("partion",)}, "there is no fault called 'partion'; did you mean partition"),
        ({"faults": (Fault("kil", 0, 1, nodes=("n1",)),)}, "is of kind 'kil'; did you mean kill"),
        (
            {"faults": (Fault("kill", 0, 1, target="leadr"),)},
            "'leadr'; did you mean sender",
        ),
        ({"faults": (Fault("kill", 0, 1, target="leader"),)}, "has no target `leader`; give `targets=`"),
        (
            {"nemesis": ("kill:leader",)},
            "has no target `leader`; give `targets=`.*: kill:busiest, kill:sender",
        ),
        ({"faults": (Fault("drop", 0, 1, message="Promise"),)}, "'Promise'; there are none"),
        ({"faults": (Fault("kill", 0, 1, ("n1",), target="leader"),)}, "has a `target` and also `nodes`"),
    ],
)
def test_a_plan_is_refused_whose_faults_name_what_nobody_knows(fields: Any, why: str) -> None:
    workload = toy.toy()

    with pytest.raises(BadPlan, match=why):
        run(replace(toy.plan(workload, nodes=3), **fields), workload=workload)
