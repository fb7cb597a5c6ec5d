"""A soak: what it tries, what it keeps, and how it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ostrakon.harness.plan import Plan, read_plan
from ostrakon.harness.search.campaign import Campaign
from ostrakon.harness.search.job import Keep, Shrink, Try
from ostrakon.harness.search.portfolio import Portfolio
from ostrakon.harness.search.soak import Agenda, Limits, Progress, Workers, soak
from ostrakon.harness.search.summary import judge, summarize
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.search.tally import FailureGroup
from tests.search.fake_trial import fails

SWARM = Swarm(workload="decree")


@dataclass
class Watcher:
    """Remembers what it was shown; `at` is called once, when so many trials were recorded."""

    at_trials: float = float("inf")
    at: Any = None
    found_: list[FailureGroup] = field(default_factory=list)

    def show(self, progress: Progress) -> None:
        if progress.tried >= self.at_trials:
            self.at_trials = float("inf")
            self.at()

    def found(self, finding: FailureGroup) -> None:
        self.found_.append(finding)


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    with Campaign.create(tmp_path / "c.sqlite", SWARM, 0) as campaign:
        yield campaign


def soaked(campaign: Campaign, trials: float = float("inf"), run: str = "run", **options: Any) -> Progress:
    return soak(
        campaign,
        campaign.path.parent / "store",
        options.pop("limits", Limits(trials=trials)),
        Workers(2, runner=f"fake_trial:{run}", trial_limit_s=options.pop("trial_limit_s", 120.0)),
        view=options.pop("view", Watcher()),
        **options,
    )


def seeds_in(campaign: Campaign) -> list[int]:
    return [seed for (seed,) in campaign._database.execute("SELECT seed FROM trials ORDER BY seed")]


def test_it_tries_as_many_seeds_as_asked_for(campaign: Campaign) -> None:
    progress = soaked(campaign, 150)

    assert seeds_in(campaign) == list(range(150))
    assert progress.tally.verdicts == {"valid": 147, "invalid": 3}
    assert progress.tally.virtual_s == 300.0
    assert not progress.stopped


def test_it_ends_when_the_time_is_up(campaign: Campaign) -> None:
    progress = soaked(campaign, limits=Limits(seconds=0.3), run="run_slowly")

    assert progress.tried > 0
    assert seeds_in(campaign) == list(range(progress.tried))


def test_a_second_soak_goes_on_where_the_first_ended(campaign: Campaign) -> None:
    soaked(campaign, 30)
    progress = soaked(campaign, 30)

    assert seeds_in(campaign) == list(range(60))
    assert (progress.tried, progress.tally.trials) == (30, 60)


def test_each_failure_is_kept_in_a_folder_by_its_smallest_plan(campaign: Campaign) -> None:
    watcher = Watcher()
    progress = soaked(campaign, 400, view=watcher)

    assert [finding.reason for finding in progress.tally.failures] == ["P7 promise broken", "split decision"]
    for finding in progress.tally.failures:
        assert finding.shrunk
        assert (finding.plan.nodes, finding.plan.faults) == (1, ())
        assert fails(finding.plan.seed)
        assert read_plan(Path(finding.folder)) == finding.plan
    assert {finding.reason for finding in watcher.found_} == {"P7 promise broken", "split decision"}
    assert campaign.tally() == progress.tally


def test_an_interrupt_ends_it_in_order_and_loses_nothing(campaign: Campaign) -> None:
    interrupt = Watcher(20, lambda: os.kill(os.getpid(), signal.SIGINT))
    progress = soaked(campaign, run="run_slowly", view=interrupt)

    assert progress.stopped
    tried = len(seeds_in(campaign))
    assert progress.tried == tried >= 20
    soaked(campaign, 10, run="run_slowly")
    assert seeds_in(campaign) == list(range(tried + 10))


def test_known_failures_are_run_again_first_and_those_mended_are_forgiven(campaign: Campaign) -> None:
    soaked(campaign, 60)
    watcher = Watcher()

    progress = soaked(campaign, 1, run="run_all_valid", view=watcher)

    assert sorted((f.reason, f.mended) for f in watcher.found_) == [
        ("P7 promise broken", True),
        ("split decision", True),
    ]
    assert judge(progress.tally, None) == (
        "valid",
        "59 of 61 trials were valid; 2 had failed in ways that do not fail any more",
    )
    assert campaign.tally() == progress.tally


def test_a_failure_that_comes_back_is_not_mended(campaign: Campaign) -> None:
    soaked(campaign, 10)
    soaked(campaign, 1, run="run_all_valid")

    progress = soaked(campaign, 100)

    assert not any(finding.mended for finding in progress.tally.failures)
    assert judge(progress.tally, None)[0] == "invalid"


def test_signals_have_their_usual_effect_afterwards(campaign: Campaign) -> None:
    before = signal.getsignal(signal.SIGINT)
    soaked(campaign, 1)

    assert signal.getsignal(signal.SIGINT) is before


def test_it_works_in_a_thread_other_than_the_main_one(campaign: Campaign) -> None:
    failures: list[BaseException] = []

    def in_thread() -> None:
        try:
            with Campaign.create(campaign.path.with_name("other.sqlite"), SWARM, 0) as other:
                assert soaked(other, 5).tried == 5
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()

    assert not failures


@pytest.mark.parametrize(
    ("run", "cause"), [("run_and_die_at_5", "SIGKILL"), ("run_without_end_at_5", "more than 1 s")]
)
def test_a_seed_that_ends_its_workers_is_unknown_and_the_rest_is_judged(
    campaign: Campaign, run: str, cause: str
) -> None:
    progress = soaked(campaign, 30, run=run, trial_limit_s=1.0)

    assert progress.tally.verdicts == {"valid": 29, "unknown": 1}
    (lost,) = progress.tally.unknowns
    assert lost.seed == 5
    assert cause in lost.why
    assert judge(progress.tally, None)[0] == "unknown"


def test_a_fault_of_the_harness_is_not_a_trial_and_is_tried_again(campaign: Campaign) -> None:
    progress = soaked(campaign, 30, run="run_and_raise_at_5")

    assert 5 not in seeds_in(campaign)
    (failure,) = progress.own_failures
    assert "seed 5" in failure
    assert "ZeroDivisionError: a fault of the harness" in failure
    assert next(campaign.untried()) == 5


def test_a_simulator_that_is_not_deterministic_is_our_own_failure(campaign: Campaign) -> None:
    progress = soaked(campaign, 41, run="run_by_chance")

    assert progress.tally.reruns == 3
    assert sorted(progress.tally.divergent) == [0, 20, 40]
    assert "not deterministic" in progress.own_failures[0]


def test_own_failures_without_end_are_not_awaited(campaign: Campaign) -> None:
    progress = soaked(campaign, 10_000, run="no_such_function")

    assert progress.stopped
    assert "no_such_function" in progress.own_failures[0]


def test_recording_a_failure_comes_before_new_seeds() -> None:
    agenda = agenda_of(trials=100)
    finding = FailureGroup("invalid", "P7", 1, 3, "why", Plan(workload="decree", seed=3))
    assert agenda.next(2) == Try(0, SWARM.recipe_of(0).name, twice=True)

    agenda.wants(finding)

    assert agenda.next(2) == Keep(("invalid", "P7"), finding.plan, Path("store"))
    assert agenda.next(2) == Shrink(("invalid", "P7"), finding.plan)
    assert agenda.next(2) == Try(1, SWARM.recipe_of(1).name)


def test_half_of_the_workers_at_most_shrink_as_long_as_there_are_seeds_to_try() -> None:
    agenda = agenda_of(trials=1)
    for reason in ("P7", "P8", "P9"):
        agenda.wants(
            FailureGroup("invalid", reason, 1, 3, "why", Plan(workload="decree", seed=3), folder="kept")
        )

    jobs = [agenda.next(4) for _ in range(5)]

    assert [type(job).__name__ for job in jobs] == ["Shrink", "Shrink", "Try", "Shrink", "NoneType"]


def agenda_of(trials: float) -> Agenda:
    return Agenda(iter(range(100)), trials, Path("store"), Portfolio(SWARM))


def test_a_summary_says_how_to_see_each_failure_again(campaign: Campaign) -> None:
    summary = summarize(campaign, soaked(campaign, 100), resume="ostrakon soak --resume")

    assert summary["valid"] is False
    assert summary["trials"] == {"total": 100, "valid": 98, "unknown": 0, "invalid": 2, "this_soak": 100}
    assert [failure["count"] for failure in summary["failures"]] == [1, 1]
    assert all(failure["replay"].startswith("ostrakon replay ") for failure in summary["failures"])


def test_a_fault_asked_for_that_never_took_effect_makes_the_campaign_unknown(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "c.sqlite", Swarm(workload="decree", kinds=("kill",)), 0) as campaign:
        progress = soaked(campaign, 3, run="run_all_valid")

    assert judge(progress.tally, ("kill",)) == ("unknown", "of the faults asked for, kill never took effect")
    assert judge(progress.tally, None)[0] == "valid"


def test_trials_that_showed_nothing_take_nothing_from_the_others(campaign: Campaign) -> None:
    progress = soaked(campaign, 20, run="run_half_for_nothing")

    (nothing,) = progress.tally.unknowns
    assert (nothing.reason, nothing.count) == ("evidence", 10)
    assert judge(progress.tally, None) == (
        "valid",
        "10 of 20 trials were valid; 10 showed nothing",
    )


def test_a_campaign_that_mostly_showed_nothing_is_unknown(campaign: Campaign) -> None:
    progress = soaked(campaign, 21, run="run_half_for_nothing")

    assert judge(progress.tally, None)[0] == "unknown"


def test_nothing_tried_is_unknown(campaign: Campaign) -> None:
    assert judge(campaign.tally(), None) == ("unknown", "nothing was tried")
