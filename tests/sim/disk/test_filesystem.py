"""Ordinary file code runs on the simulated disk, and loses what a real machine would lose."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from ostrakon.harness.sim import Machine, NotSimulated, World
from tests.sim.toy import run_one


def run(program: Callable[[], Awaitable[None]]) -> World:
    return run_one(lambda world: program())


def test_a_file_is_written_and_read_back_with_trio() -> None:
    async def program() -> None:
        os.mkdir("/data")
        async with await trio.open_file("/data/notes.txt", "w") as file:
            await file.write("first\nsecond\n")
        async with await trio.open_file("/data/notes.txt") as file:
            assert [line async for line in file] == ["first\n", "second\n"]
        assert await trio.Path("/data/notes.txt").read_text() == "first\nsecond\n"

    world = run(program)

    assert world.machines["alone"].disk.files == {"data/notes.txt": b"first\nsecond\n"}
    assert not os.path.exists("/data/notes.txt"), "it escaped to the real disk"


def test_paths_are_listed_renamed_and_removed() -> None:
    async def program() -> None:
        root = trio.Path("/srv/tree")
        await root.mkdir()
        with pytest.raises(FileExistsError):
            await root.mkdir()
        await (root / "a").write_bytes(b"1")
        await (root / "sub").mkdir()
        await (root / "sub" / "b").write_bytes(b"22")
        assert sorted([path.name for path in await root.iterdir()]) == ["a", "sub"]
        assert [path.name for path in await root.glob("**/b")] == ["b"]
        assert await (root / "a").is_file()
        assert await (root / "sub").is_dir()
        assert (await (root / "sub" / "b").stat()).st_size == 2
        await (root / "a").rename(root / "c")
        assert not await (root / "a").exists()
        await (root / "c").unlink()
        with pytest.raises(FileNotFoundError):
            await (root / "c").read_bytes()
        with pytest.raises(OSError, match="not empty"):
            await (root / "sub").rmdir()

    run(program)


def test_blocking_file_code_works_too() -> None:
    async def program() -> None:
        pathlib.Path("/etc/app").mkdir(parents=True)
        with open("/etc/app/config.json", "w", encoding="utf-8") as file:
            json.dump({"n": 1}, file)
        assert json.loads(pathlib.Path("/etc/app/config.json").read_text()) == {"n": 1}
        with open("/etc/app/config.json", "r+b") as raw:
            raw.seek(-1, os.SEEK_END)
            raw.write(b"]")
            raw.truncate()
        assert os.path.getsize("/etc/app/config.json") == 8
        assert os.listdir("/etc") == ["app"]
        with open("/etc/app/config.json", "rb") as source, open("/copy", "wb", buffering=0) as copy:
            shutil.copyfileobj(source, copy)
        assert pathlib.Path("/copy").read_text() == '{"n": 1]'

    run(program)


def test_descriptors_work_as_in_c() -> None:
    async def program() -> None:
        descriptor = os.open("/log", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        assert os.write(descriptor, b"abc") == 3
        assert os.pread(descriptor, 2, 1) == b"bc"
        os.ftruncate(descriptor, 2)
        assert os.fstat(descriptor).st_size == 2
        os.lseek(descriptor, 0, os.SEEK_SET)
        assert os.read(descriptor, 10) == b"ab"
        os.fsync(descriptor)
        os.close(descriptor)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(descriptor, b"x")
        with pytest.raises(FileExistsError):
            os.open("/log", os.O_WRONLY | os.O_CREAT | os.O_EXCL)

    run(program)


def test_each_machine_has_files_of_its_own() -> None:
    async def program() -> None:
        assert not os.path.exists("/mine")
        pathlib.Path("/mine").touch()

    with World(1) as world:
        for name in ("a", "b"):
            world.machine(name).start(program)
        world.run()

        assert world.crashes == []


def test_what_is_installed_can_be_read_and_not_written() -> None:
    async def program() -> None:
        assert "def loads" in pathlib.Path(json.__file__).read_text()
        with pytest.raises(OSError, match="Read-only file system"):
            pathlib.Path(json.__file__).with_name("new.py").write_text("escape")
        with pytest.raises(OSError, match="Read-only file system"):
            pathlib.Path(json.__file__).with_name("new").mkdir()

    run(program)

    assert not pathlib.Path(json.__file__).with_name("new.py").exists()


async def append_records(acknowledged: list[int], *, flush: bool, sync: bool) -> None:
    async with await trio.open_file("/wal", "ab") as file:
        for number in range(1000):
            await file.write(b"%06d\n" % number)
            if flush:
                await file.flush()
            if sync:
                await trio.to_thread.run_sync(os.fsync, file.fileno())
            acknowledged.append(number)
            await trio.sleep(0.001)


def lost(crash: Callable[[Machine], None], seed: int, *, flush: bool, sync: bool) -> int:
    """How many acknowledged records a crash loses."""
    acknowledged: list[int] = []
    with World(seed) as world:
        machine = world.machine("a")
        machine.start(partial(append_records, acknowledged, flush=flush, sync=sync))
        world.run(until_s=0.1)
        crash(machine)
        return len(acknowledged) - machine.disk.files.get("wal", b"").count(b"\n")


def test_a_kill_loses_what_was_not_flushed() -> None:
    assert lost(Machine.kill, 1, flush=False, sync=False) > 50
    assert lost(Machine.kill, 1, flush=True, sync=False) <= 0


def test_a_power_failure_loses_what_was_not_synced() -> None:
    without = [lost(Machine.power_off, seed, flush=True, sync=False) for seed in range(10)]
    assert sum(count > 0 for count in without) >= 5

    assert all(lost(Machine.power_off, seed, flush=True, sync=True) <= 0 for seed in range(10))


def outcomes_of_renaming(*, sync_directory: bool) -> set[bytes]:
    """What a power failure leaves of a file that was replaced the way editors do it."""

    async def replaces() -> None:
        for content in (b"old", b"new"):
            with open("/config.tmp", "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace("/config.tmp", "/config")
            if sync_directory or content == b"old":
                directory = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
                os.fsync(directory)
                os.close(directory)
        await trio.sleep_forever()

    left: set[bytes] = set()
    for seed in range(12):
        with World(seed) as world:
            machine = world.machine("a")
            machine.start(replaces)
            world.run()
            machine.power_off()
            left.add(machine.disk.files["config"])
    return left


def test_a_rename_is_durable_once_its_directory_is_synced() -> None:
    assert outcomes_of_renaming(sync_directory=True) == {b"new"}
    assert outcomes_of_renaming(sync_directory=False) == {b"old", b"new"}


def test_temporary_files_stay_inside() -> None:
    async def program() -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "x")
            path.write_text("temporary")
            assert path.read_text() == "temporary"

    world = run(program)

    assert world.machines["alone"].disk.files == {}


def test_temporary_files_of_every_kind_work_and_are_gone_at_their_end() -> None:
    async def program() -> None:
        with tempfile.NamedTemporaryFile("w") as named, tempfile.TemporaryFile() as nameless:
            named.write("x")
            named.flush()
            assert pathlib.Path(named.name).read_text() == "x"
            nameless.write(b"y")
            nameless.seek(0)
            assert nameless.read() == b"y"
        descriptor, path = tempfile.mkstemp()
        with os.fdopen(descriptor, "w", encoding="ascii") as made:
            made.write("z")
        os.unlink(path)

    assert run(program).machines["alone"].disk.files == {}


def test_trees_are_walked_copied_and_moved() -> None:
    async def program() -> None:
        os.makedirs("/a/b")
        pathlib.Path("/a/b/leaf").write_text("1")
        assert list(os.walk("/a")) == [("/a", ["b"], []), ("/a/b", [], ["leaf"])]
        shutil.copytree("/a", "/copy")
        shutil.move("/copy", "/moved")
        assert pathlib.Path("/moved/b/leaf").read_text() == "1"
        with os.scandir("/moved/b") as entries:
            assert [entry.name for entry in entries] == ["leaf"]
        shutil.rmtree("/moved")
        assert "a" in os.listdir("/")

    run(program)


def test_a_directory_is_renamed_with_all_that_is_in_it() -> None:
    async def program() -> None:
        os.makedirs("/next/deep")
        pathlib.Path("/next/deep/state").write_text("new")
        pathlib.Path("/other").write_text("a file")
        os.rename("/next", "/current")
        assert pathlib.Path("/current/deep/state").read_text() == "new"
        assert not os.path.exists("/next")
        with pytest.raises(NotADirectoryError):
            os.rename("/current", "/other")
        with pytest.raises(IsADirectoryError):
            os.rename("/other", "/current")
        with pytest.raises(OSError, match="Invalid argument"):
            os.rename("/current", "/current/deep/current")
        os.makedirs("/full/x")
        with pytest.raises(OSError, match="not empty"):
            os.rename("/current", "/full")

    run(program)


def test_a_power_failure_leaves_a_renamed_directory_in_one_place() -> None:
    async def program() -> None:
        os.mkdir("/old")
        for name in ("a", "b", "c"):
            path = pathlib.Path("/old", name)
            path.write_text(name)
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        os.rename("/old", "/new")
        await trio.sleep_forever()

    left: set[tuple[str, ...]] = set()
    for seed in range(12):
        with World(seed) as world:
            machine = world.machine("a")
            machine.start(program)
            world.run()
            machine.power_off()
            left.add(tuple(machine.disk.files))
    assert left == {("old/a", "old/b", "old/c"), ("new/a", "new/b", "new/c")}


def test_a_file_with_two_names_is_one_file() -> None:
    async def program() -> None:
        pathlib.Path("/a").write_text("1")
        os.link("/a", "/b")
        with open("/b", "a") as file:
            file.write("2")
        assert pathlib.Path("/a").read_text() == "12"
        with pytest.raises(FileExistsError):
            os.link("/a", "/b")
        with pytest.raises(FileNotFoundError):
            os.link("/none", "/c")
        os.unlink("/a")
        assert pathlib.Path("/b").read_text() == "12"
        os.sync()

    world = run(program)
    machine = world.machines["alone"]
    machine.power_off()
    assert machine.disk.files == {"b": b"12"}


def test_a_file_shows_when_it_was_written_by_its_machines_clock() -> None:
    async def program() -> None:
        await trio.sleep(1.5)
        pathlib.Path("/a").touch()
        assert os.stat("/a").st_mtime == 1_600_000_001.5
        await trio.sleep(1)
        with open("/a", "w") as file:
            file.write("later")
        assert os.stat("/a").st_mtime_ns == 1_600_000_002_500_000_000
        os.utime("/a", (5, 7))
        assert os.path.getmtime("/a") == 7

    run(program)


def test_the_space_left_is_what_the_disk_will_take() -> None:
    async def program() -> None:
        pathlib.Path("/a").write_bytes(b"x" * 4096)
        assert shutil.disk_usage("/").free == 1 << 30

    def with_limit(world: World) -> Awaitable[None]:
        world.machines["alone"].disk.capacity = (1 << 30) + 4096
        return program()

    run_one(with_limit)


def test_the_lock_of_a_file_is_held_until_it_is_closed_or_its_process_is_killed() -> None:
    log: list[str] = []

    async def program() -> None:
        with open("/lock", "w") as first, open("/lock") as second:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with pytest.raises(BlockingIOError):
                fcntl.flock(second, fcntl.LOCK_SH | fcntl.LOCK_NB)
            with pytest.raises(NotSimulated, match="LOCK_NB"):
                fcntl.flock(second, fcntl.LOCK_EX)
            fcntl.flock(first, fcntl.LOCK_UN)
            fcntl.flock(second, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(first, fcntl.LOCK_SH | fcntl.LOCK_NB)
        kept = open("/lock")  # noqa: SIM115
        fcntl.flock(kept, fcntl.LOCK_EX | fcntl.LOCK_NB)
        log.append("locked")
        await trio.sleep_forever()

    with World(1) as world:
        machine = world.machine("a")
        machine.start(program)
        world.run()
        machine.restart()
        world.run()

        assert log == ["locked", "locked"]
        assert world.crashes == []


def test_a_path_within_an_open_directory_is_refused() -> None:
    async def program() -> None:
        with pytest.raises(NotSimulated, match="whole path"):
            os.open("x", os.O_CREAT, dir_fd=os.open("/", os.O_RDONLY))

    run(program)
