"""Targets are found by notes that any program makes, and without any event by traffic and restarts."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace as with_fields
from pathlib import Path

import pytest
import trio

from ostrakon import note
from ostrakon.harness.faults import latest
from ostrakon.harness.history import Event
from ostrakon.harness.note import FIRST_NUMBER, report_to
from ostrakon.harness.plan import Fault, Plan
from ostrakon.harness.trial import Trial, run
from ostrakon.harness.workload import Site
from tests.trial import toy

PEERS = 5000
ROOT = Path(__file__).parents[2]


async def beat(site: Site) -> None:
    """n2 sends the other nodes a datagram every 20 ms, and n3 answers every second one."""
    note("started")
    sock = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
    await sock.bind(("0.0.0.0", PEERS))

    async def send() -> None:
        note("leading", term=3, ballot=(1, 2), how=object)
        while True:
            for peer in ("n1", "n3"):
                await sock.sendto(b"beat", (peer, PEERS))
            await trio.sleep(0.02)

    async def answer() -> None:
        heard = 0
        while True:
            await sock.recvfrom(100)
            heard += 1
            if heard % 2 == 0:
                await sock.sendto(b"yes", ("n2", PEERS))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(toy.answer, site)
        if site.name == "n2":
            nursery.start_soon(send)
        elif site.name == "n3":
            nursery.start_soon(answer)


def trial_of(*faults: Fault) -> Trial:
    workload = with_fields(toy.toy(beat), targets={"leader": latest("leading")})
    plan: Plan = toy.plan(workload, nodes=3, faults=faults)
    return run(plan, workload=workload)


def struck(trial: Trial) -> list[list[str]]:
    begun = [op.value.get("nodes", []) for op in trial.history.nemesis if op.f.startswith("start-")]
    return begun[1::2]  # Each op is recorded when it begins and when it is done.


def test_the_node_that_noted_it_last_is_the_leader() -> None:
    trial = trial_of(Fault("pause", 500, 100, target="leader"))
    first = next(event for event in trial.trace if event.event == "leading")

    assert struck(trial) == [["n2"]]
    assert trial.valid == "valid", trial.why
    assert (first.node, first.incarnation, first.ballot, first.detail) == ("n2", 0, (1, 2), {"term": 3})
    assert "class" in str(first.how), "what is no plain data is its text"


def test_traffic_finds_who_sends_and_who_is_busiest_since_the_fault_before() -> None:
    faults = [
        Fault("pause", 500, 100, target="sender"),
        Fault("kill", 800, 100, target="busiest"),
        Fault("pause", 1200, 100, target="latest-restarted"),
    ]
    trial = trial_of(*faults)

    assert struck(trial) == [["n2"], ["n2"], ["n2"]]
    assert trial.valid == "valid", trial.why
    assert trial.digest == trial_of(*faults).digest


def test_a_target_that_is_no_node_yet_makes_the_fault_inert_and_says_so() -> None:
    trial = trial_of(Fault("pause", 500, 100, target="latest-restarted"))

    assert struck(trial) == [[]]
    assert trial.valid == "unknown"
    assert "no node was `latest-restarted` when it began" in trial.why


def test_the_latest_counts_until_it_ends() -> None:
    def told(time: int, node: str, event: str) -> Event:
        return Event(time, node, 0, time, event)

    holder = latest("acquired", until="released")
    events = [told(1, "n1", "acquired"), told(2, "n2", "released"), told(3, "n1", "released")]

    assert holder(events[:0], ("n1", "n2")) == []
    assert holder(events[:2], ("n1", "n2")) == ["n1"], "another node's release does not count"
    assert holder(events, ("n1", "n2")) == []
    assert holder([*events, told(4, "n2", "acquired")], ("n1", "n2")) == ["n2"]


def test_a_note_outside_of_a_trial_goes_nowhere_and_in_a_live_node_to_its_reporter() -> None:
    told: list[tuple[str, object]] = []

    note("leading", term=1)
    report_to(lambda event, fields: told.append((event, fields)))
    try:
        note("leading", term=2)
    finally:
        report_to(None)
    note("leading", term=3)

    assert told == [("leading", {"term": 2})]


def test_notes_are_numbered_apart_from_what_a_program_numbers_itself() -> None:
    trial = trial_of(Fault("kill", 500, 100, nodes=("n1",)))
    numbers = [(event.node, event.incarnation, event.seq) for event in trial.trace]

    assert len(set(numbers)) == len(numbers)
    assert ("n1", 1, FIRST_NUMBER) in numbers
    assert min(seq for *_, seq in numbers) == FIRST_NUMBER


@pytest.mark.parametrize("target", ["busiest", "sender", "latest-restarted"])
def test_targets_by_traffic_can_be_asked_for_of_any_workload(target: str) -> None:
    plan = toy.plan(toy.toy(beat), nodes=3, nemesis=f"pause:{target}")

    assert {fault.target for fault in plan.faults} == {target}


def test_a_soak_takes_targets_of_the_workload_and_refuses_others(tmp_path: Path) -> None:
    def soak(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ostrakon", "soak", *arguments, "--trials", "3"]
        return subprocess.run(
            [*command, "--store", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=200
        )

    taken = soak(f"{__file__}::LED", "--nemesis", "kill:captain")
    refused = soak("registry", "--nemesis", "kill:leader")

    assert taken.returncode in (0, 2), taken.stdout + taken.stderr
    assert "3 trials" in taken.stdout
    assert refused.returncode == 254
    assert "the workload has no target `leader`" in refused.stderr
    assert "Traceback" not in refused.stderr


LED = with_fields(toy.toy(beat), targets={"captain": latest("leading")})
