"""A campaign on a Dask cluster: scheduler and workers are processes of their own, as they are in earnest."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

from ostrakon.harness.cli import run as run_command
from ostrakon.harness.search import dask_pool as dask_module
from ostrakon.harness.search.campaign import Campaign
from ostrakon.harness.search.soak import Limits, Progress, Workers, soak
from ostrakon.harness.search.worker_pool import PoolFailed
from tests.search.test_soak import SWARM, Watcher, seeds_in

HERE = Path(__file__).parent


class Machines:
    """Starts schedulers and workers, and ends them with the test."""

    def __init__(self, stack: ExitStack, logs: Path) -> None:
        self._stack, self._logs = stack, logs
        self.address = ""
        self.scheduler: subprocess.Popen[bytes] | None = None

    def start_scheduler(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", str(port))
        while not is_open(port):
            assert self.scheduler.poll() is None
            time.sleep(0.05)

    def start_worker(self, *paths: Path) -> subprocess.Popen[bytes]:
        # Without a nanny it is not started again when it is killed.
        return self._start("worker", self.address, "--nthreads", "1", "--no-nanny", paths=paths)

    def _start(self, *arguments: str, paths: tuple[Path, ...] = ()) -> subprocess.Popen[bytes]:
        log = self._stack.enter_context((self._logs / f"{arguments[0]}.log").open("ab"))
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:], "--no-dashboard"],
            stdout=log,
            stderr=log,
            cwd=self._logs,  # Not the checkout, where a build may have left metadata of its own.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*paths, HERE)))},
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    with ExitStack() as stack:
        machines = Machines(stack, tmp_path)
        machines.start_scheduler()
        yield machines


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    with Campaign.create(tmp_path / "c.sqlite", SWARM, 0) as campaign:
        yield campaign


def soaked(
    campaign: Campaign,
    machines: Machines,
    trials: float,
    run: str = "run",
    view: Watcher | None = None,
    **options: Any,
) -> Progress:
    return soak(
        campaign,
        campaign.path.parent / "store",
        Limits(trials=trials),
        Workers(1, machines.address, runner=f"fake_trial:{run}", **options),
        view=view or Watcher(),
    )


def test_a_worker_killed_half_way_loses_nothing_and_repeats_nothing(
    campaign: Campaign, machines: Machines
) -> None:
    victim, _ = machines.start_worker(), machines.start_worker()

    progress = soaked(campaign, machines, 300, "run_slowly", view=Watcher(100, victim.kill))

    assert victim.wait() == -signal.SIGKILL
    assert seeds_in(campaign) == list(range(300))
    assert progress.tally.verdicts == {"valid": 300}
    assert not progress.own_failures


def test_failures_found_far_away_are_kept_here(campaign: Campaign, machines: Machines) -> None:
    machines.start_worker()

    progress = soaked(campaign, machines, 120)

    assert progress.tally.verdicts == {"valid": 117, "invalid": 3}
    assert all((Path(finding.folder) / "plan.json").exists() for finding in progress.tally.failures)


@pytest.mark.parametrize("run", ["run_and_die_at_5", "run_without_end_at_5"])
def test_a_seed_that_ends_its_process_is_unknown_and_costs_no_worker(
    campaign: Campaign, machines: Machines, run: str
) -> None:
    worker = machines.start_worker()

    progress = soaked(campaign, machines, 30, run, trial_limit_s=1.0)

    assert progress.tally.verdicts == {"valid": 29, "unknown": 1}
    assert worker.poll() is None


def with_version(folder: Path, version: str) -> Path:
    """What makes a worker find another version of the package installed."""
    info = folder / f"ostrakon-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: ostrakon\nVersion: {version}\n")
    return folder


def without_package(folder: Path) -> Path:
    """What keeps a worker from finding the package installed."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "from importlib import metadata\n"
        "real = metadata.Distribution.from_name\n"
        "def from_name(name):\n"
        "    if name == 'ostrakon':\n"
        "        raise metadata.PackageNotFoundError(name)\n"
        "    return real(name)\n"
        "metadata.Distribution.from_name = from_name\n"
    )
    return folder


def with_other_code(folder: Path) -> Path:
    """What makes a worker's trials go otherwise than ours."""
    folder.mkdir()
    source = (HERE / "fake_trial.py").read_text()
    (folder / "fake_trial.py").write_text(source.replace('digest="the same"', 'digest="another"'))
    return folder


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda folder: with_version(folder, "9.9.9"), "it has ostrakon 9.9.9; install ostrakon"),
        (without_package, "it does not have ostrakon; install ostrakon"),
        (with_other_code, "it runs the same plan otherwise than this machine"),
    ],
)
def test_a_worker_that_cannot_take_part_is_told_of_in_a_sentence(
    campaign: Campaign, machines: Machines, tmp_path: Path, make: Callable[[Path], Path], complaint: str
) -> None:
    machines.start_worker(make(tmp_path / "strange"))

    with pytest.raises(PoolFailed, match=complaint):
        soaked(campaign, machines, 10, "run_all_valid")


def test_a_scheduler_that_goes_away_ends_the_soak_and_leaves_what_was_recorded(
    campaign: Campaign, machines: Machines
) -> None:
    machines.start_worker()
    assert machines.scheduler is not None

    with pytest.raises(PoolFailed, match="then resume"):
        soaked(campaign, machines, 10_000, "run_slowly", view=Watcher(20, machines.scheduler.kill))

    tried = seeds_in(campaign)
    assert len(tried) >= 20
    assert soak_here(campaign, 5).tally.trials == len(tried) + 5


def soak_here(campaign: Campaign, trials: int) -> Progress:
    return soak(
        campaign,
        campaign.path.parent / "store",
        Limits(trials=trials),
        Workers(1, runner="fake_trial:run_all_valid"),
        view=Watcher(),
    )


def test_where_nobody_schedules_one_is_told_how_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dask_module, "_CONNECT_S", 0.2)
    arguments = ["--trials", "1", "--cluster", "tcp://127.0.0.1:9", "--store", str(tmp_path)]

    assert run_command(["soak", *arguments]) == 254

    err = capsys.readouterr().err
    assert "no Dask scheduler can be reached at 'tcp://127.0.0.1:9'" in err
    assert "dask scheduler" in err
    assert not list(tmp_path.glob("campaigns/*"))
