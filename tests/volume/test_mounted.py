"""Real mounts. They need /dev/fuse, fusermount3 and mfusepy, and are skipped where one is missing."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ostrakon.harness.sim.disk.disk_fault import DiskFault
from ostrakon.harness.substrates.latency import Constant, Exponential
from ostrakon.harness.volume.mounted import Mounted, NoFuse, mount, require_fuse

try:
    require_fuse()
except NoFuse as missing:
    pytest.skip(str(missing), allow_module_level=True)


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Mounted]:
    """A volume that is mounted below the test's folder."""
    volume = mount(tmp_path / "disk", seed=1)
    try:
        yield volume
    finally:
        volume.unmount()


def is_mounted(point: Path) -> bool:
    return str(point) in Path("/proc/mounts").read_text()


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it holds within a while; a busy machine is slow."""
    until_s = time.monotonic() + 20
    while not holds() and time.monotonic() < until_s:
        time.sleep(0.05)
    return holds()


def write(path: Path, data: bytes, *, sync: bool) -> None:
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        if sync:
            os.fsync(file.fileno())


def test_a_power_failure_loses_only_what_was_not_synced(volume: Mounted) -> None:
    log = volume.point / "log"
    write(log, b"synced", sync=True)
    for number in range(20):
        write(log, b"%2d" % number, sync=False)
        (volume.point / f"file{number}").touch()

    lost = volume.lose_power()

    left = log.read_bytes()
    assert left.startswith(b"synced")
    assert lost or len(left) == 46
    assert len(list(volume.point.iterdir())) < 21


def test_faults_reach_ordinary_code_with_their_errno_and_end(volume: Mounted) -> None:
    file = volume.point / "file"
    write(file, b"x", sync=True)
    volume.failing["sync"] = errno.EIO
    with pytest.raises(OSError, match="Input/output error"):
        write(file, b"y", sync=True)
    del volume.failing["sync"]
    volume.capacity = volume.used
    with pytest.raises(OSError, match="No space left"):
        write(file, b"z" * 100, sync=False)
    volume.capacity = None
    write(file, b"z" * 100, sync=True)

    assert volume.refusals >= 2
    assert file.read_bytes().endswith(b"z" * 100)


def test_what_is_committed_survives_a_power_failure_without_a_sync(volume: Mounted) -> None:
    for number in range(20):
        write(volume.point / f"file{number}", b"x" * 100, sync=False)

    volume.commit()

    assert volume.lose_power() == 0
    assert len(list(volume.point.iterdir())) == 20


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to others")
def test_files_belong_to_the_owner_of_the_volume_who_can_use_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    volume = mount(tmp_path / "disk", seed=1, owner=(65534, 65534))
    try:
        subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "touch", "mine"],
            cwd=volume.point,
            check=True,
        )
        assert (volume.point / "mine").stat().st_uid == 65534
    finally:
        volume.unmount()


def test_a_slow_disk_makes_syncs_slow_and_a_lying_one_is_counted(volume: Mounted) -> None:
    volume.sync_latency = Exponential(200.0, 50.0)
    began_s = time.monotonic()
    write(volume.point / "file", b"x", sync=True)
    assert time.monotonic() - began_s >= 0.2
    assert volume.waits == 1
    volume.sync_latency = Constant(0.0)

    fault = volume.disturb(DiskFault("lying sync", 1.0))
    write(volume.point / "file", b"x", sync=True)
    volume.settle(fault)
    assert volume.is_damaged
    write(volume.point / "file", b"x", sync=True)
    assert volume.struck == {"lying sync": 1}


def test_sqlite_runs_on_a_volume_and_keeps_what_it_has_committed(volume: Mounted) -> None:
    """With `synchronous=extra`: by default it does not sync the removal of its journal, and may lose one."""
    program = (
        "import sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1])\n"
        "db.execute('pragma synchronous=extra')\n"
        "with db:\n"
        "    db.execute('create table if not exists t (x)')\n"
        "    db.execute('insert into t values (1)')\n"
        "db.close()\n"
        "db = sqlite3.connect(sys.argv[1])\n"
        "print(db.execute('select count(*) from t').fetchone()[0])\n"
    )
    for turn in range(1, 4):
        path = str(volume.point / "db")
        told = subprocess.run(
            [sys.executable, "-c", program, path], capture_output=True, text=True, check=True
        )
        assert told.stdout == f"{turn}\n"
        volume.lose_power()


def test_nothing_is_left_mounted_after_unmount_or_a_kill_of_the_volumes_process(tmp_path: Path) -> None:
    volume = mount(tmp_path / "disk", seed=1)
    assert is_mounted(volume.point)
    volume.unmount()
    assert not is_mounted(volume.point)

    volume = mount(tmp_path / "disk", seed=1)
    volume._process.kill()
    assert eventually(lambda: not is_mounted(volume.point))
    with pytest.raises(RuntimeError, match="is gone"):
        volume.lose_power()
    volume.unmount()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_mounted_when_the_harness_is_ended_by_a_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    program = (
        "import pathlib, sys, time\n"
        "from ostrakon.harness.volume.mounted import mount\n"
        "mount(pathlib.Path(sys.argv[1]), seed=1)\n"
        "print('mounted', flush=True)\n"
        "time.sleep(600)\n"
    )
    point = tmp_path / "disk"
    with subprocess.Popen([sys.executable, "-c", program, str(point)], stdout=subprocess.PIPE) as harness:
        assert harness.stdout is not None
        assert harness.stdout.readline() == b"mounted\n"
        assert is_mounted(point)
        harness.send_signal(number)

    assert eventually(lambda: not is_mounted(point))


@pytest.mark.parametrize(
    ("missing", "told"),
    [("os.access", "/dev/fuse"), ("shutil.which", "fusermount3"), ("importlib.util.find_spec", "mfusepy")],
)
def test_what_is_missing_is_told_in_a_sentence(
    missing: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing, lambda *_: None)

    with pytest.raises(NoFuse, match=f"need {told}"):
        require_fuse()
