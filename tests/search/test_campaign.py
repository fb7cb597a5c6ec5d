"""The record of a campaign: nothing lost, nothing twice, and a sentence for every damage."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.plan import Plan
from ostrakon.harness.search.campaign import BadCampaign, Campaign, fresh_path, newest_path, sole_use
from ostrakon.harness.search.outcome import BranchCount, Outcome, Uses, Valid
from ostrakon.harness.search.shape import Windows
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.search.tally import Tally

SWARM = Swarm(workload="decree", bug="forgetful", nodes=3, kinds=("kill",))


def outcome(seed: int, valid: Valid = "valid", reason: str = "", nodes: int = 3) -> Outcome:
    plan = None if valid == "valid" else Plan(workload="decree", seed=seed, nodes=nodes)
    return Outcome(
        seed=seed,
        recipe="quiet" if seed % 3 else "uniform",
        valid=valid,
        reason=reason,
        why=f"seed {seed}",
        faults={"kill": Uses(2, seed % 2)},
        transitions={"restart prepare_sent": 1 + seed % 4, "prepare_sent <nack_sent": seed % 2 + 1},
        points={"early": BranchCount(seed % 3, 0)},
        windows={"kill": Windows(2, seed % 2, seed)},
        virtual_s=0.5,
        wall_s=0.25,
        rerun=seed % 5 == 0,
        plan=plan,
    )


VERDICTS: st.SearchStrategy[tuple[Valid, str]] = st.sampled_from(
    [("valid", ""), ("invalid", "P7"), ("invalid", "P2"), ("unknown", "lost")]
)


@st.composite
def outcomes(draw: st.DrawFn) -> list[Outcome]:
    seeds = draw(st.lists(st.integers(0, 60), unique=True))
    return [outcome(seed, *draw(VERDICTS), nodes=draw(st.integers(1, 7))) for seed in seeds]


def recorded(campaign: Campaign, batch: list[Outcome], tally: Tally) -> None:
    changed = [finding for each in batch if (finding := tally.add(each, "decree")) is not None]
    campaign.record(batch, changed)


@given(st.lists(outcomes(), max_size=1), st.integers(1, 4))
def test_a_resumed_campaign_knows_what_was_counted(batches: list[list[Outcome]], parts: int) -> None:
    tally = Tally()
    with Campaign.create(Path(":memory:"), SWARM, 0) as campaign:
        for batch in batches:
            for part in range(parts):
                recorded(campaign, batch[part::parts], tally)
        again = campaign.tally()

    tally.convictions += type(tally.convictions)()  # Zero counts say nothing.
    again.convictions += type(again.convictions)()
    assert again == tally


@given(st.integers(0, 5), st.sets(st.integers(0, 40)))
def test_no_seed_is_tried_twice_and_none_is_left_out(first: int, tried: set[int]) -> None:
    tried = {first + seed for seed in tried}
    with Campaign.create(Path(":memory:"), SWARM, first) as campaign:
        campaign.record([outcome(seed) for seed in sorted(tried)])
        upcoming = list(islice(campaign.untried(), 60))

    assert upcoming == sorted(set(range(first, first + 60 + len(tried))) - tried)[:60]


@given(outcomes(), st.randoms(use_true_random=False))
def test_the_example_of_a_failure_does_not_depend_on_who_finished_first(
    batch: list[Outcome], rng: random.Random
) -> None:
    one, other = Tally(), Tally()
    for each in batch:
        one.add(each, "decree")
    rng.shuffle(batch)
    for each in batch:
        other.add(each, "decree")

    assert one.findings == other.findings


def test_parameters_come_back(tmp_path: Path) -> None:
    path = fresh_path(tmp_path, "decree")
    Campaign.create(path, SWARM, 17).close()

    with Campaign.resume(path) as campaign:
        assert (campaign.swarm, campaign.first) == (SWARM, 17)


def test_a_campaign_is_never_overwritten(tmp_path: Path) -> None:
    path = fresh_path(tmp_path, "decree")
    Campaign.create(path, SWARM, 0).close()

    assert fresh_path(tmp_path, "decree") != path
    with pytest.raises(BadCampaign, match="exists: resume it"):
        Campaign.create(path, SWARM, 0)


def test_the_newest_campaign_is_the_one_written_last(tmp_path: Path) -> None:
    older, newer = [Campaign.create(fresh_path(tmp_path, name), SWARM, 0) for name in ("b", "a")]
    for file in (newer.path, newer.path.with_name(f"{newer.path.name}-wal")):
        os.utime(file, ns=(1, 1))
    older.record([outcome(0)])

    assert newest_path(tmp_path) == older.path
    older.close()
    newer.close()


def test_what_was_recorded_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    program = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_campaign import SWARM, Campaign, outcome
campaign = Campaign.create(Path({str(path)!r}), SWARM, 0)
for seed in range(200):
    campaign.record([outcome(seed)])
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False)

    assert ended.returncode == -signal.SIGKILL
    with Campaign.resume(path) as campaign:
        assert campaign.tally().trials == 200
        assert next(campaign.untried()) == 200


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not a campaign"),
        (b"{}" * 1000, "not a campaign, nor an SQLite file"),
    ],
)
def test_a_file_that_is_not_a_campaign_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes(content)

    with pytest.raises(BadCampaign, match=complaint):
        Campaign.resume(path)


def test_a_foreign_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with sqlite3.connect(path) as foreign:
        foreign.execute("CREATE TABLE campaign (name TEXT)")
    foreign.close()
    before = path.read_bytes()

    with pytest.raises(BadCampaign, match="an SQLite file, but not a campaign"):
        Campaign.resume(path)
    assert path.read_bytes() == before


def test_a_campaign_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    Campaign.create(path, SWARM, 0).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()

    with pytest.raises(BadCampaign, match="format 99, this version reads format 4"):
        Campaign.resume(path)


def test_a_campaign_with_a_plan_of_another_format_says_so(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "c.sqlite", SWARM, 0) as campaign:
        recorded(campaign, [outcome(3, "invalid", "P7")], Tally())
        campaign._database.execute(
            "UPDATE findings SET plan = replace(plan, '\"format\": ', '\"format\": 9')"
        )

        with pytest.raises(BadCampaign, match=r"the plan of seed 3 in .* is of format 9"):
            campaign.tally()


def test_a_truncated_campaign_is_refused_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with Campaign.create(path, SWARM, 0) as campaign:
        campaign.record([outcome(seed) for seed in range(5000)])
    os.truncate(path, path.stat().st_size // 2)

    with (
        pytest.raises(BadCampaign, match=r"damaged, perhaps cut short.*\.recover"),
        Campaign.resume(path) as cut,
    ):
        cut.tally()


def test_a_full_disk_is_told_and_costs_nothing_recorded(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with Campaign.create(path, SWARM, 0) as campaign:
        campaign.record([outcome(seed) for seed in range(100)])
        campaign._database.execute("PRAGMA max_page_count = 12")
        with pytest.raises(BadCampaign, match="the disk is full; what was recorded is intact"):
            campaign.record([outcome(seed) for seed in range(100, 5000)])

    with Campaign.resume(path) as campaign:
        assert campaign.tally().trials == 100


def test_a_store_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file, not a folder")

    with pytest.raises(BadCampaign, match="store: File exists"), sole_use(tmp_path / "store"):
        pass


def test_two_soaks_on_one_store_are_refused(tmp_path: Path) -> None:
    with (
        sole_use(tmp_path),
        pytest.raises(BadCampaign, match=f"process {os.getpid()}.*name another store"),
        sole_use(tmp_path),
    ):
        pass

    with sole_use(tmp_path):
        pass
