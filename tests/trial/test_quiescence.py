"""The rest at the end of a trial lasts as long as somebody is behind, and not for ever."""

from __future__ import annotations

from collections.abc import Sequence

import trio
from msgspec.structs import replace
from trio.testing import MockClock

from ostrakon.harness.history import Event
from ostrakon.harness.plan import Fault, Latency, Plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.quiescence import wait_quiescent
from ostrakon.harness.trial import run
from ostrakon.harness.workload import Quiescence
from ostrakon.workloads.append import APPEND
from ostrakon.workloads.counter import COUNTER
from ostrakon.workloads.replicated_store import CONVERGED_WITHIN_S

PLAN = plan_for(APPEND, seed=1)


def told_three(plan: Plan, told: Sequence[Event]) -> bool:
    return len(told) >= 3


async def test_it_ends_when_nobody_is_behind(autojump_clock: MockClock) -> None:
    told: list[Event] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_quiescent, Quiescence(10.0, told_three), PLAN, told)
        for _ in range(3):
            await trio.sleep(0.4)
            told.append(Event(0, "n1", 0, 0, "applied"))

    assert 1.2 <= trio.current_time() < 1.3


async def test_it_ends_when_time_is_up_which_begins_when_what_was_held_up_is_there(
    autojump_clock: MockClock,
) -> None:
    nothing: list[list[Event] | None] = [[], None]
    for told in nothing:
        began = trio.current_time()
        await wait_quiescent(Quiescence(1.5, told_three), PLAN, told, held_up_s=2.0)

        assert abs(trio.current_time() - began - 3.5) < 1e-6


def test_no_replica_is_blamed_for_what_a_fault_still_holds_up() -> None:
    late_s = 5.0
    held_up = [
        Fault(kind="delay", at_ms=0, for_ms=500, probability=1.0, ms=1000 * late_s, most=1, links=(link,))
        for link in (("n1", "n2"), ("n3", "n2"))
    ]
    plan = plan_for(APPEND, seed=1, nodes=3, concurrency=3, rate=20.0, time_limit_s=0.8)
    trial = run(replace(plan, faults=tuple(held_up)))

    assert trial.valid == "valid", trial.why
    assert CONVERGED_WITHIN_S + 0.8 < trial.virtual_s < CONVERGED_WITHIN_S + 0.8 + late_s


def test_no_replica_is_blamed_for_what_a_slow_disk_has_begun_and_still_does() -> None:
    slow = Fault(kind="slow_disk", at_ms=300, for_ms=1, nodes=("n1",), ms=500.0)
    cut = Fault(kind="crash_at_sync", at_ms=0, for_ms=300, nodes=("n1",))
    plan = plan_for(COUNTER, seed=95799, nodes=3, concurrency=1, rate=0.1, time_limit_s=0.01)
    trial = run(replace(plan, faults=(cut, slow), latency=Latency("constant", 1.0, 1.0)))

    assert trial.valid == "valid", trial.why
    assert trial.virtual_s > 2 * CONVERGED_WITHIN_S, "its sync alone takes longer than the rest"


def test_a_trial_in_which_nobody_is_behind_does_not_wait() -> None:
    plan = plan_for(APPEND, seed=1, nodes=3, concurrency=3, rate=20.0, time_limit_s=0.8)
    trial = run(plan)

    assert trial.valid == "valid", trial.why
    assert trial.virtual_s < 0.8 + CONVERGED_WITHIN_S
