"""Two runs of a plan make the same choices, else the first that differs is shown; what was drawn is told."""

from __future__ import annotations

import trio

from ostrakon.harness.commands.banner import banner
from ostrakon.harness.plan import Deviation, Fault, Latency, Plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.resolution import resolve
from ostrakon.harness.sim import check_determinism
from ostrakon.harness.simulation import simulate
from ostrakon.harness.workload import Site
from ostrakon.workloads.decree import DECREE
from tests.trial.toy import answer, plan, toy


def test_a_deterministic_system_makes_the_same_choices_twice() -> None:
    drawn = resolve(plan_for(DECREE, seed=4, nemesis="all"), DECREE)

    assert check_determinism(lambda choice_log: simulate(drawn, choice_log=choice_log)) is None


def test_what_a_program_remembers_from_an_earlier_run_is_found_out() -> None:
    starts = []

    async def remember(site: Site) -> None:
        starts.append(site.name)
        await trio.sleep(0.1 * len(starts))
        await answer(site)

    workload = toy(remember)
    resolved = resolve(plan(workload), workload)

    diverged = check_determinism(lambda choice_log: simulate(resolved, choice_log=choice_log))

    assert diverged is not None
    assert diverged.first != diverged.second
    assert "choices are equal, then" in str(diverged)
    assert diverged.position > 0, "vacuous: they had nothing in common"


def test_a_banner_tells_all_that_was_drawn() -> None:
    whole = Plan(
        workload="decree",
        seed=7,
        latency=Latency("lognormal", 1.0, 5.0),
        options={"depth": 3},
        faults=(
            Fault("partition", 5, 20, grudge={"n1": ("n2", "n3")}),
            Fault("clock_skew", 10, 500, nodes=("n1", "n2"), rate=2.5),
            Fault("crash_at_sync", 20, 30, nodes=("n3",), after=2),
            Fault("delay", 30, 40, links=(("n1", "n2"),), probability=0.5, ms=12.0),
        ),
        deviations=(Deviation(17, "delay", 3.5),),
        liveness_s=30.0,
    )

    lines = banner(whole)

    assert lines[0] == "  decree on sim, seed 7, 5 nodes"
    assert "  latency lognormal 1, 5 ms" in lines
    assert "  option depth=3" in lines
    assert "       5 to     25 ms  partition, n1 does not hear n2 n3" in lines
    assert "      10 to    510 ms  clock_skew, on n1 n2, rate 2.5" in lines
    assert "      20 to     50 ms  crash_at_sync, on n3, after 2" in lines
    assert "      30 to     70 ms  delay, n1>n2, probability 0.5, 12 ms" in lines
    assert lines[-1] == "  message 17: delay 3.5 ms"
    assert "  faults: clock_skew 0.2/s, crash_at_sync 0.2/s, delay 0.2/s, partition 0.2/s" in lines
    (off,) = [line for line in lines if line.startswith("  off: ")]
    assert "kill, pause, power_loss" in off
    assert "delay" not in off
    assert any("are well for good" in line for line in lines)
