"""Faults hold machines together, and none undoes another's work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.faults.machine_control import How, MachineControl
from tests.faults.toy import ToyMachine, toy_machines

HOWS: tuple[How, ...] = ("pause", "kill", "power_loss")


@given(st.data())
def test_a_machine_is_as_those_who_hold_it_say_and_well_when_all_let_go(data: st.DataObject) -> None:
    machine = ToyMachine()
    machines = MachineControl({"n1": machine})
    held: list[How] = []
    for _ in range(data.draw(st.integers(0, 12))):
        is_one_released = bool(held) and data.draw(st.booleans())
        if is_one_released:
            machines.release("n1", held.pop(data.draw(st.integers(0, len(held) - 1))))
        else:
            held.append(data.draw(st.sampled_from(HOWS)))
            machines.hold("n1", held[-1])

        is_down = "kill" in held or "power_loss" in held
        assert machine.is_running != is_down
        assert machine.is_paused == ("pause" in held and not is_down)
        assert machine.has_power or "power_loss" in held or is_down
    for how in held:
        machines.release("n1", how)

    assert machine.is_well


@given(st.lists(st.sampled_from(HOWS)))
def test_a_hold_that_finds_a_process_stopped_already_says_so(hows: list[How]) -> None:
    machines = MachineControl(toy_machines("n1"))
    effects = [machines.hold("n1", how) for how in hows]

    # A stopped process can still be killed, once; and a dead one can be neither stopped nor killed again.
    stops = [how for how, stopped in zip(hows, effects, strict=True) if stopped]
    assert stops[:1] == hows[:1]
    assert stops.count("pause") <= 1
    assert sum(how != "pause" for how in stops) == (1 if set(hows) - {"pause"} else 0)


def test_a_node_that_is_restarted_under_a_pause_stands_still_at_once() -> None:
    machine = ToyMachine()
    machines = MachineControl({"n1": machine})
    machines.hold("n1", "kill")
    machines.hold("n1", "pause")

    machines.release("n1", "kill")
    assert machine.is_paused

    machines.release("n1", "pause")
    assert machine.is_well


def test_a_node_killed_twice_is_killed_and_started_once() -> None:
    machine = ToyMachine()
    machines = MachineControl({"n1": machine})
    for change in (machines.hold, machines.hold, machines.release, machines.release):
        change("n1", "kill")

    assert machine.told == {"kill": 1, "restart": 1}


def test_power_fails_for_a_node_that_was_killed_before() -> None:
    """A dead process's writes are in the page cache still, and are lost now."""
    machine = ToyMachine()
    machines = MachineControl({"n1": machine})
    machines.hold("n1", "kill")
    machines.hold("n1", "power_loss")
    assert not machine.has_power

    machines.release("n1", "power_loss")
    assert not machine.is_running, "it is still held by the kill"


def test_a_fault_cannot_let_go_of_what_it_does_not_hold() -> None:
    machines = MachineControl(toy_machines("n1"))

    with pytest.raises(AssertionError, match=r"a fault \(pause\) releases n1 and did not hold it"):
        machines.release("n1", "pause")


def test_a_machine_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ValueError, match="called 'n9'; there are: n1, n2"):
        MachineControl(toy_machines("n1", "n2")).hold("n9", "kill")
