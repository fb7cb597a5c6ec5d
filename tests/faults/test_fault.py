"""Faults compose, overlap without healing each other, end whatever happens, and say what they did."""

from contextlib import ExitStack
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.faults import (
    Cluster,
    MachineControl,
    all_faults,
    apply_fault,
    delayed,
    dropped,
    duplicated,
    grudge,
    killed,
    kind_names,
    partition,
    paused,
    powerless,
    reordered,
)
from ostrakon.harness.plan import Fault
from tests.faults.toy import ToyLinks, toy_machines

DAMAGES = ("lying_disk", "lost_writes", "corrupt_writes", "misdirected_writes", "stale_reads")
NODES = ("n1", "n2", "n3")
BY_HAND = (
    Fault("partition", 0, 1, grudge=grudge.isolate(NODES, ["n1"])),
    Fault("pause", 0, 1, nodes=("n1", "n2")),
    Fault("kill", 0, 1, nodes=("n2", "n3")),
    Fault("power_loss", 0, 1, nodes=("n1",)),
    Fault("delay", 0, 1, probability=1.0, ms=5.0),
    Fault("reorder", 0, 1, probability=1.0, ms=5.0),
    Fault("drop", 0, 1, probability=1.0),
    Fault("duplicate", 0, 1, probability=1.0, links=(("n1", "n2"),)),
    Fault("corrupt", 0, 1, probability=1.0),
    Fault("clog", 0, 1),
    Fault("crash_at_sync", 0, 1, nodes=("n1", "n2")),
    Fault("crash_at_await", 0, 1, nodes=("n1", "n2")),
    Fault("clock_skew", 0, 1, nodes=("n1", "n2"), rate=3.0),
    Fault("clock_skew", 0, 1, nodes=("n2",), rate=0.1),
    Fault("clock_jump", 0, 1, nodes=("n2", "n3"), ms=-5000.0),
    Fault("suspend", 0, 1, nodes=("n1", "n2")),
    Fault("suspend", 0, 1, nodes=("n2", "n3")),
    Fault("slow_disk", 0, 1, nodes=("n1", "n2"), ms=100.0),
    Fault("slow_disk", 0, 1, nodes=("n2",), ms=200.0),
    Fault("full_disk", 0, 1, nodes=("n1", "n2")),
    Fault("failing_disk", 0, 1, nodes=("n1", "n2")),
    Fault("failing_sync", 0, 1, nodes=("n2", "n3")),
    Fault("failing_read", 0, 1, nodes=("n2", "n3")),
    Fault("short_reads", 0, 1, nodes=("n2", "n3"), probability=1.0),
    Fault("stop", 0, 1, nodes=("n1", "n3")),
    Fault("throttle", 0, 1, probability=1.0, ms=5.0, links=(("n1", "n2"),)),
    Fault("reset", 0, 1),
    *(Fault(kind, 0, 1, nodes=("n1",), probability=1.0) for kind in DAMAGES),
    *(Fault(kind, 0, 1, nodes=("n1",)) for kind in ("bit_rot", "cut_files")),
    Fault("oom", 0, 1, nodes=("n1",)),
)
DRAWN = tuple(
    Fault(kind.name, 0, 1, **kind.draw(NODES, Random(seed)))
    for kind in all_faults().values()
    for seed in range(3)
    if not kind.variant_of
)
"""Every kind of the registry, so that a new kind is tested here without a line of its own."""
FAULTS = (*BY_HAND, *DRAWN)


def test_a_partition_cuts_what_its_grudge_says_counts_it_and_mends() -> None:
    links = ToyLinks()

    with partition(links, {"n2": ("n1",)}) as cut:
        assert links.send("n1", "n2") == links.send("n1", "n2") == ["cut"]
        assert links.send("n2", "n1") == []

    assert cut.effect().messages == 2
    assert links.send("n1", "n2") == []


def test_two_partitions_of_one_link_do_not_heal_each_other() -> None:
    links = ToyLinks()

    with partition(links, {"n2": ("n1",)}):
        with partition(links, {"n2": ("n1", "n3")}):
            pass
        assert links.send("n1", "n2") == ["cut"]
        assert links.send("n3", "n2") == []


def test_a_node_paused_twice_goes_on_when_both_faults_have_ended() -> None:
    machines = toy_machines(*NODES)
    control = MachineControl(machines)

    with paused(control, ["n1"]) as first:
        with paused(control, ["n1", "n2"]) as second:
            assert machines["n1"].is_paused
            assert machines["n2"].is_paused
        assert machines["n1"].is_paused
        assert machines["n2"].is_well

    assert machines["n1"].is_well
    assert machines["n1"].told == {"pause": 1, "resume": 1}
    assert first.effect().stopped == ("n1",)
    assert second.effect().stopped == ("n2",), "n1 was stopped already"


def test_faults_that_overlap_without_nesting_do_not_undo_each_other() -> None:
    machines = toy_machines(*NODES)
    control = MachineControl(machines)
    kill, pause = killed(control, ["n1"]), paused(control, ["n1"])

    kill.__enter__()
    under = pause.__enter__()
    kill.__exit__(None, None, None)
    assert machines["n1"].is_paused
    pause.__exit__(None, None, None)

    assert machines["n1"].is_well
    assert under.effect().is_inert, "there was no process to be stopped when it began"


def test_power_fails_and_comes_back() -> None:
    machines = toy_machines(*NODES)

    with powerless(MachineControl(machines), ["n3"]) as fault:
        assert not machines["n3"].has_power

    assert machines["n3"].is_well
    assert fault.effect().stopped == ("n3",)


@pytest.mark.parametrize(
    ("kind", "begin"),
    [
        ("delay", lambda links: delayed(links, 1.0, 5.0, [("n1", "n2")])),
        ("reorder", lambda links: reordered(links, 1.0, 5.0, [("n1", "n2")])),
        ("drop", lambda links: dropped(links, 1.0, [("n1", "n2")])),
        ("duplicate", lambda links: duplicated(links, 1.0, 5.0, [("n1", "n2")])),
    ],
)
def test_messages_are_struck_on_the_links_that_are_named_while_it_lasts(kind: str, begin: object) -> None:
    links = ToyLinks()

    assert callable(begin)
    with begin(links) as fault:
        assert links.send("n1", "n2") == [kind]
        assert links.send("n2", "n1") == []

    assert links.send("n1", "n2") == []
    assert fault.effect().messages == 1


def test_a_fault_that_struck_nothing_is_inert() -> None:
    links, machines = ToyLinks(), toy_machines(*NODES)
    machines["n1"].kill()

    with partition(links, {"n2": ("n1",)}) as silent, paused(MachineControl(machines), ["n1"]) as dead:
        pass
    with dropped(links, 0.5) as quiet:
        pass

    assert silent.effect().is_inert
    assert dead.effect().is_inert
    assert quiet.effect().is_inert


@given(st.lists(st.sampled_from(FAULTS), max_size=5), st.integers(0, 5))
def test_everything_is_undone_even_when_the_test_crashes(faults: list[Fault], crash_after: int) -> None:
    links, machines = ToyLinks(), toy_machines(*NODES)
    cluster = Cluster.of(links, machines)

    def run() -> None:
        with ExitStack() as stack:
            for number, fault in enumerate(faults):
                if number == crash_after:
                    raise ZeroDivisionError
                stack.enter_context(apply_fault(fault, cluster))

    if crash_after < len(faults):
        with pytest.raises(ZeroDivisionError):
            run()
    else:
        run()

    assert links.is_quiet
    assert all(machine.is_well for machine in machines.values())


def test_a_fault_that_strikes_only_some_of_its_nodes_lets_go_of_those() -> None:
    machines = toy_machines(*NODES)
    machines["n2"].breaks_at = "kill"

    with pytest.raises(OSError, match="cannot kill"), killed(MachineControl(machines), NODES):
        raise AssertionError("it never begins")

    assert machines["n1"].is_well
    assert machines["n3"].told == {}


def test_a_node_that_cannot_be_restarted_does_not_keep_the_others_down() -> None:
    machines = toy_machines(*NODES)
    machines["n2"].breaks_at = "restart"

    with pytest.raises(OSError, match="cannot restart"), killed(MachineControl(machines), NODES):
        pass

    assert machines["n1"].is_well
    assert machines["n3"].is_well


def test_every_kind_of_a_plan_can_be_applied_and_no_other() -> None:
    assert {fault.kind for fault in FAULTS} == set(kind_names())
    with pytest.raises(ValueError, match="of kind 'quake'; known are partition, pause"):
        apply_fault(Fault("quake", 0, 1), Cluster.of(ToyLinks(), {}))


@given(st.permutations(range(4)), st.booleans())
def test_an_attribute_that_faults_replace_is_as_before_when_the_last_has_ended(
    order: list[int], is_own: bool
) -> None:
    class Resolver:
        host = "of the class"

    resolver, cluster = Resolver(), Cluster.of(ToyLinks(), {})
    if is_own:
        resolver.host = "its own"
    before = dict(vars(resolver))
    faults = [cluster.replaced(resolver, "host", value) for value in ("a", "b", "b", "c")]
    for fault in faults:
        fault.__enter__()

    assert resolver.host == "c"
    for left, number in enumerate(order):
        assert vars(resolver).get("host") != "of the class", left
        faults[number].__exit__(None, None, None)
    assert vars(resolver) == before
