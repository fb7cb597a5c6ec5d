"""A node that gives up because its disk was made to fail starts again; one that fails by itself does not."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from ostrakon.harness.plan import Fault
from ostrakon.harness.simulation import RESTART_S
from ostrakon.harness.trial import Trial, run
from ostrakon.harness.workload import Site
from tests.trial.toy import PORT, plan, toy


class Broken(Exception):
    """What a program makes of an error of its disk."""


async def keep_a_log(site: Site) -> None:
    """Note each question durably before it is answered; give up when that fails."""

    async def handle(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            async for line in stream:
                try:
                    await site.disk.append("log", bytes(line))
                    await site.disk.sync("log")
                except OSError as error:
                    raise Broken("no log, no answers") from error
                await stream.send_all(b"ok\n")

    await trio.serve_tcp(handle, PORT)


def trial(*faults: Fault) -> Trial:
    workload = toy(keep_a_log)
    return run(plan(workload, faults=faults), workload=workload)


@pytest.mark.parametrize("kind", ["failing_disk", "failing_sync", "full_disk"])
def test_a_node_that_gives_up_because_of_its_disk_is_started_again(kind: str) -> None:
    ran = trial(Fault(kind, 300, 500, nodes=("n1",)))

    crashes = ran.recording.crashes
    assert ran.valid == "valid", ran.why
    assert len(crashes) >= 2, "as often as it takes"
    assert all(crash["inflicted"] for crash in crashes)
    assert "told to fail" in crashes[0]["traceback"]
    again = [op for op in ran.history if op.type == "ok" and op.time > crashes[-1]["time"] + RESTART_S * 1e9]
    assert again, "it came back, and answered"
    assert ran.effects[0]["operations"] == len(crashes)


def test_a_fault_that_holds_it_down_keeps_it_from_being_started_again() -> None:
    ran = trial(Fault("failing_disk", 100, 300, nodes=("n1",)), Fault("kill", 350, 200, nodes=("n1",)))

    assert ran.valid == "valid", ran.why
    answered = [op.time for op in ran.history if op.type == "ok"]
    assert not [time for time in answered if 0.35e9 < time < 0.55e9]
    assert [time for time in answered if time > 0.55e9]


def test_an_error_of_its_own_is_still_held_against_a_node() -> None:
    async def fail_by_itself(site: Site) -> None:
        with trio.move_on_after(0.5):
            await keep_a_log(site)
        raise OSError("a bug, not a disk")

    workload = toy(fail_by_itself)

    ran = run(
        plan(workload, faults=(Fault("slow_disk", 100, 300, nodes=("n1",), ms=20.0),)), workload=workload
    )

    assert ran.valid == "invalid"
    assert ran.reason.startswith("node crashed: OSError at ")
    assert not ran.recording.crashes[0]["inflicted"]
    assert len(ran.recording.crashes) == 1, "and nobody starts it again"
