"""The nemesis does a plan's faults at their times, overlapping or not, and tells what each did."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from ostrakon.harness import generator as gen
from ostrakon.harness.faults import Cluster, Nemesis, schedule
from ostrakon.harness.generator import OpRequest, play
from ostrakon.harness.history import NEMESIS, Op
from ostrakon.harness.interpreter import interpret
from ostrakon.harness.plan import Fault
from tests.faults.test_fault import FAULTS, NODES
from tests.faults.toy import ToyLinks, toy_machines

faults = st.builds(
    lambda fault, at_ms, for_ms: Fault(fault.kind, at_ms, for_ms, fault.nodes, fault.grudge, fault.links),
    st.sampled_from(FAULTS),
    st.integers(0, 50),
    st.integers(0, 50),
)


def op(f: str, value: object = None) -> Op:
    return Op(0, 0, "info", NEMESIS, f, value)


def nemesis_for_toys() -> tuple[Nemesis, ToyLinks]:
    links = ToyLinks()
    return Nemesis(Cluster.of(links, toy_machines(*NODES))), links


def test_a_schedule_begins_and_ends_each_fault_at_its_time_and_then_heals() -> None:
    plan = (Fault("pause", 10, 30, nodes=("n1",)), Fault("partition", 20, 5, grudge={"n2": ("n1",)}))
    history = play(schedule(plan), complete=gen.quick, nemesis=True)[::2]

    assert [(op.time // 1_000_000, op.f, op.value and op.value["id"]) for op in history] == [
        (10, "start-pause", 0),
        (20, "start-partition", 1),
        (25, "stop-partition", 1),
        (40, "stop-pause", 0),
        (40, "heal", None),
    ]
    assert history[1].value["grudge"] == {"n2": ["n1"]}


def test_what_ends_makes_room_for_what_begins_at_the_same_instant() -> None:
    plan = (Fault("pause", 0, 10, nodes=("n1",)), Fault("pause", 10, 0, nodes=("n1",)))
    history = play(schedule(plan), complete=gen.quick, nemesis=True)[::2]

    assert [(op.f, op.value and op.value["id"]) for op in history] == [
        *[("start-pause", 0), ("stop-pause", 0)],
        *[("start-pause", 1), ("stop-pause", 1), ("heal", None)],
    ]


def test_a_plan_without_faults_needs_no_nemesis() -> None:
    assert play(schedule(()), nemesis=False) == []


@given(st.lists(faults, max_size=6))
def test_every_schedule_leaves_a_cluster_in_which_all_is_well(plan: list[Fault]) -> None:
    links, machines = ToyLinks(), toy_machines(*NODES)
    history: list[Op] = []

    async def run() -> None:
        with Nemesis(Cluster.of(links, machines)) as nemesis:
            await interpret(
                schedule(plan),
                connect=lambda process: pytest.fail("no client is needed"),
                concurrency=1,
                record=history.append,
                now_ns=lambda: round(trio.current_time() * 1e9),
                timeout_s=1,
                nemesis=nemesis,
            )
            assert links.is_quiet, "it heals by itself, not only at the end of the nemesis"
            assert all(machine.is_well for machine in machines.values())
            assert [applied.fault.kind for applied in nemesis.applied] == [
                fault.kind for fault in sorted(plan, key=lambda fault: fault.at_ms)
            ]

    trio.run(run, clock=MockClock(autojump_threshold=0))

    ended = history[1::2]
    assert [op.error for op in ended] == [None] * len(ended)
    assert len(ended) == (2 * len(plan) + 1 if plan else 0)


async def test_the_end_of_a_fault_says_what_it_did() -> None:
    nemesis, links = nemesis_for_toys()
    await nemesis.apply(op("start-partition", {"id": 4, "grudge": {"n2": ["n1"]}}))
    links.send("n1", "n2")
    cut = await nemesis.apply(op("stop-partition", {"id": 4}))
    await nemesis.apply(op("start-pause", {"id": 5, "nodes": ["n1", "n3"]}))
    pause = await nemesis.apply(op("stop-pause", {"id": 5}))

    assert cut.value == {"id": 4, "messages": 1}
    assert pause.value == {"id": 5, "stopped": ["n1", "n3"]} or pause.value == {
        "id": 5,
        "stopped": ("n1", "n3"),
    }
    assert [applied.effect.is_inert for applied in nemesis.applied] == [False, False]


async def test_an_inert_fault_is_told_as_such() -> None:
    nemesis, _ = nemesis_for_toys()
    await nemesis.apply(op("start-drop", {"id": 0, "probability": 0.5}))
    end = await nemesis.apply(op("stop-drop", {"id": 0}))

    assert end.value == {"id": 0, "inert": True}


async def test_heal_ends_what_is_open_and_a_stop_after_it_is_harmless() -> None:
    nemesis, links = nemesis_for_toys()
    await nemesis.apply(op("start-kill", {"id": 0, "nodes": ["n1"]}))
    await nemesis.apply(op("start-drop", {"id": 1, "probability": 0.5}))

    healed = await nemesis.apply(op("heal"))
    late = await nemesis.apply(op("stop-kill", {"id": 0}))

    assert [(fault["id"], fault["kind"]) for fault in healed.value] == [(1, "drop"), (0, "kill")]
    assert links.is_quiet
    assert late.value["stopped"] == ["n1"]
    assert (await nemesis.apply(op("heal"))).value == []


async def test_all_faults_end_with_the_nemesis_even_when_one_cannot_be_undone() -> None:
    links, machines = ToyLinks(), toy_machines(*NODES)
    machines["n2"].breaks_at = "restart"
    nemesis = Nemesis(Cluster.of(links, machines))
    await nemesis.apply(op("start-drop", {"id": 0, "probability": 0.5}))
    await nemesis.apply(op("start-kill", {"id": 1, "nodes": ["n1", "n2"]}))
    await nemesis.apply(op("start-pause", {"id": 2, "nodes": ["n3"]}))

    with pytest.raises(OSError, match="cannot restart"), nemesis:
        pass

    assert links.is_quiet
    assert machines["n1"].is_well
    assert machines["n3"].is_well


@pytest.mark.parametrize(
    ("f", "value"),
    [
        ("dance", None),
        ("start-kill", {"nodes": ["n1"]}),
        ("start-quake", {"id": 0}),
        ("start-kill", {"id": 0, "nodes": 5}),
        ("stop-kill", {"id": 3}),
        ("heal-all", None),
    ],
)
async def test_what_a_nemesis_cannot_do_is_refused_with_what_it_can(f: str, value: object) -> None:
    nemesis, _ = nemesis_for_toys()

    with pytest.raises(
        ValueError, match=r"expected start-<kind>|known are partition|not a fault: Expected `array`"
    ):
        await nemesis.apply(op(f, value))


async def test_a_fault_is_not_begun_twice() -> None:
    nemesis, _ = nemesis_for_toys()
    await nemesis.apply(op("start-kill", {"id": 0, "nodes": ["n1"]}))

    with pytest.raises(ValueError, match="a new id"):
        await nemesis.apply(op("start-kill", {"id": 0, "nodes": ["n2"]}))


async def test_anyones_generator_can_drive_it(autojump_clock: MockClock) -> None:
    nemesis, links = nemesis_for_toys()
    flaps = gen.flip_flop(
        gen.numbered(lambda n: OpRequest("start-partition", {"id": n, "grudge": {"n2": ["n1"]}})),
        gen.numbered(lambda n: OpRequest("stop-partition", {"id": n})),
    )
    await interpret(
        gen.nemesis(gen.limit(6, gen.delay(0.1, flaps))),
        connect=lambda process: pytest.fail("no client is needed"),
        concurrency=1,
        record=lambda op: None,
        now_ns=lambda: round(trio.current_time() * 1e9),
        timeout_s=1,
        nemesis=nemesis,
    )

    assert len(nemesis.applied) == 3
    assert links.is_quiet
