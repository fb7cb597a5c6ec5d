"""Faults of clocks and disks, clogs and crash points on two programs: each does what it says, and ends."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator

import pytest
import trio

from ostrakon.harness.faults import (
    Cluster,
    MachineControl,
    apply_fault,
    clogged,
    corrupted,
    crashed_at_await,
    crashed_at_sync,
    damaging_disk,
    decayed,
    failing_disk,
    full_disk,
    jumped,
    skewed,
    slow_disk,
    suspended,
)
from ostrakon.harness.plan import Fault
from ostrakon.harness.sim import Constant, World
from ostrakon.harness.sim.disk.disk_fault import Decay, DiskFaultKind
from ostrakon.harness.sim.kernel.clock import EPOCH_S
from ostrakon.harness.substrates.errors import is_injected

PORT = 4000
BEAT_S = 0.1


class Toy:
    """Every 100 ms the scribe notes a number, durably, and sends it to the reader with the time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.noted: list[tuple[float, int]] = []
        """When the scribe was done with which number."""
        self.read: list[tuple[float, str]] = []
        """What the reader got, and when."""
        self.found: list[bytes] = []
        """What was in the scribe's file each time it started."""
        self.refused: list[int | None] = []
        """The errno of everything that failed."""
        self.machines = MachineControl(world.machines)
        self.reader, self.scribe = world.machine("reader"), world.machine("scribe")
        self.reader.start(self._read)
        self.scribe.start(self._write)
        world.run(until_s=5.05)

    async def _read(self) -> None:
        socket = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
        await socket.bind(("0.0.0.0", PORT))
        while True:
            line, _ = await socket.recvfrom(100)
            self.read.append((self.world.now_s, line.decode("latin1")))

    async def _write(self) -> None:
        disk, number = self.scribe.disk, 0
        self.found.append(await disk.read("log") if await disk.exists("log") else b"")
        socket = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
        await socket.connect(("reader", PORT))
        while True:
            try:
                await disk.append("log", b"%d\n" % number)
                await disk.sync("log")
            except OSError as error:
                self.refused.append(error.errno)
            else:
                self.noted.append((self.world.now_s, number))
                await socket.send(b"%d %f" % (number, time.time()))
            number += 1
            await trio.sleep(BEAT_S)

    def notes(self, seconds: float) -> int:
        """How many numbers are noted in the next while."""
        before = len(self.noted)
        self.world.run(until_s=self.world.now_s + seconds)
        return len(self.noted) - before

    def wall_error_s(self) -> float:
        """How wrong the clock was that the last line was stamped with."""
        at_s, line = self.read[-1]
        return float(line.split()[1]) - EPOCH_S - at_s

    def is_well(self) -> bool:
        """Whether, after a while to recover, numbers are noted and read at the usual pace and time."""
        self.notes(3)
        read = len(self.read)
        return 9 <= self.notes(1.0) <= 10 and 9 <= len(self.read) - read <= 11


@pytest.fixture
def toy() -> Iterator[Toy]:
    with World(7, latency=Constant(2)) as world:
        toy = Toy(world)
        assert toy.is_well()
        yield toy


def test_a_fast_clock_hastens_what_waits_and_then_goes_at_its_usual_rate(toy: Toy) -> None:
    with skewed(toy.machines, ["scribe"], 4.0) as fault:
        assert 35 <= toy.notes(1.0) <= 40

    assert fault.effect().clocks == ("scribe",)
    assert toy.scribe.clock.rate == 1.0
    assert toy.is_well()
    assert 2.9 < toy.wall_error_s() < 3.1, "what a clock has gained it keeps"


def test_skews_that_overlap_multiply_and_leave_nothing_behind(toy: Toy) -> None:
    one, other = skewed(toy.machines, ["scribe"], 0.3), skewed(toy.machines, ["scribe"], 7.0)
    one.__enter__()
    other.__enter__()
    assert toy.scribe.clock.rate == pytest.approx(2.1)
    one.__exit__(None, None, None)
    assert toy.scribe.clock.rate == 7.0
    other.__exit__(None, None, None)

    assert toy.scribe.clock.rate == 1.0


@pytest.mark.parametrize("ms", [90_000.0, -90_000.0])
def test_a_wall_clock_jumps_and_jumps_back_and_nothing_waits_the_longer(toy: Toy, ms: float) -> None:
    with jumped(toy.machines, ["scribe", "reader"], ms) as fault:
        assert 9 <= toy.notes(1.0) <= 10
        assert toy.wall_error_s() == pytest.approx(ms / 1e3, abs=0.01)

    assert fault.effect().clocks == ("scribe",), "the reader never asked what time it was"
    assert toy.is_well()
    assert toy.wall_error_s() == pytest.approx(0, abs=0.01)


def test_a_slow_disk_takes_its_time_and_is_as_fast_as_before_at_the_end(toy: Toy) -> None:
    with slow_disk(toy.machines, ["scribe"], 400.0) as fault, slow_disk(toy.machines, ["scribe"], 20.0):
        assert toy.notes(5.0) < 25

    assert 0 < fault.effect().operations < 26
    assert toy.refused == []
    assert toy.is_well()


def test_a_full_disk_takes_no_more_until_there_is_room(toy: Toy) -> None:
    with full_disk(toy.machines, ["scribe"]) as fault:
        assert toy.notes(1.0) <= 1

    assert set(toy.refused) == {errno.ENOSPC}
    assert fault.effect().operations == len(toy.refused) >= 9
    assert toy.is_well()


def test_writes_fail_while_the_disk_does(toy: Toy) -> None:
    with failing_disk(toy.machines, ["scribe"], "write") as fault:
        assert toy.notes(1.0) <= 1

    assert set(toy.refused) == {errno.EIO}
    assert fault.effect().operations == len(toy.refused) >= 9
    assert toy.is_well()


def test_what_a_failed_sync_was_to_keep_may_be_there_after_a_power_loss_or_not(toy: Toy) -> None:
    with failing_disk(toy.machines, ["scribe"], "sync") as fault:
        assert toy.notes(1.0) == 0
    assert toy.is_well()
    noted = [number for _, number in toy.noted]
    toy.scribe.power_off()
    toy.scribe.restart()
    toy.notes(0.01)

    assert set(toy.refused) == {errno.EIO}
    assert fault.effect().operations == len(toy.refused) >= 9
    kept = [int(number) for number in toy.found[-1].replace(b"\0", b" ").split()]
    assert set(noted) <= set(kept), "what was synced is there"
    assert set(kept) - set(noted), "some of what a sync failed to keep is there, too"


def test_power_fails_between_a_write_and_its_sync(toy: Toy) -> None:
    with crashed_at_sync(toy.machines, ["scribe"], 2) as fault:
        assert toy.notes(1.0) == 2
        written = toy.noted[-1][1] + 1

    assert fault.effect().stopped == ("scribe",)
    assert toy.is_well()
    assert len(toy.found) == 2, "it was started again, once"
    kept = [int(line) for line in toy.found[-1].split()]
    assert kept[: written + 1] == list(range(len(kept)))
    assert len(kept) >= written


@pytest.mark.parametrize("turns", [1, 2, 3, 5, 8])
def test_a_process_is_killed_in_the_midst_of_what_it_does(toy: Toy, turns: int) -> None:
    with crashed_at_await(toy.machines, ["scribe"], turns) as fault:
        toy.notes(1.0)
        assert toy.notes(1.0) == 0

    assert fault.effect().stopped == ("scribe",)
    assert toy.is_well()
    assert len(toy.found) == 2


def test_moments_that_do_not_come_strike_nobody_afterwards(toy: Toy) -> None:
    with (
        crashed_at_await(toy.machines, ["scribe"], 10_000) as turn,
        crashed_at_sync(toy.machines, ["scribe"], 1000) as sync,
    ):
        toy.notes(1.0)

    assert turn.effect().is_inert
    assert sync.effect().is_inert
    toy.notes(200.0)
    assert len(toy.found) == 1


def test_a_clog_keeps_everything_back_and_then_lets_it_all_through_in_order(toy: Toy) -> None:
    with clogged(toy.world.network, [("scribe", "reader")]) as fault:
        toy.notes(0.01)
        read = len(toy.read)
        assert 9 <= toy.notes(1.0) <= 10
        assert len(toy.read) == read

    toy.world.run(until_s=toy.world.now_s + 0.001)
    assert fault.effect().messages >= 9
    assert len(toy.read) == read + fault.effect().messages
    numbers = [int(line.split()[0]) for _, line in toy.read]
    assert numbers == sorted(numbers)
    assert toy.is_well()


def test_corrupted_messages_arrive_otherwise_than_they_were_sent(toy: Toy) -> None:
    with corrupted(toy.world.network, 1.0) as fault:
        toy.notes(1.0)
        garbled = [line for _, line in toy.read[-8:]]

    assert fault.effect().messages >= 9
    assert all(_is_garbled(line, toy) for line in garbled)
    assert toy.is_well()


@pytest.mark.parametrize("kind", ["lying sync", "lost write", "corrupt write", "misdirected write"])
def test_damaging_disks_say_that_all_is_well_and_lose_what_they_were_given(
    toy: Toy, kind: DiskFaultKind
) -> None:
    with damaging_disk(toy.machines, ["scribe"], kind, 1.0) as fault:
        assert 9 <= toy.notes(1.0) <= 10
        # For as long as this lasts, so that no later sync makes up for it.
        toy.scribe.power_off()
        toy.scribe.restart()
        toy.notes(0.01)

    assert fault.effect().operations >= 9
    assert toy.refused == []
    assert [int(n) for n in toy.found[-1].split() if n.isdigit()] != [number for _, number in toy.noted]
    assert toy.is_well()


@pytest.mark.parametrize("kind", ["bit rot", "cut short"])
def test_files_decay_where_they_lie(toy: Toy, kind: Decay) -> None:
    before = toy.scribe.disk.files["log"]
    with decayed(toy.machines, ["scribe", "reader"], kind) as fault:
        after = toy.scribe.disk.files["log"]

    assert fault.effect().files == 1, "the reader has no file"
    if kind == "cut short":
        assert before.startswith(after)
        assert len(before) - 64 <= len(after) < len(before)
    else:
        assert sum((one ^ other).bit_count() for one, other in zip(before, after, strict=True)) == 1
    toy.scribe.power_off()
    toy.scribe.restart()
    assert toy.is_well()
    assert toy.found[-1] == after


def test_a_disk_that_cannot_be_read_refuses_the_restart_and_then_reads_again(toy: Toy) -> None:
    with failing_disk(toy.machines, ["scribe"], "read") as fault:
        toy.scribe.restart()
        assert toy.notes(1.0) == 0
        assert toy.scribe.state == "crashed"

    assert fault.effect().operations == 1
    toy.scribe.restart()
    assert toy.is_well()


def test_reads_fall_short_and_are_whole_again_afterwards() -> None:
    content, found = bytes(1000), list[int]()

    async def ask_once_a_second() -> None:
        with open("/data", "wb") as made:
            made.write(content)
        with open("/data", "rb", buffering=0) as file:
            while True:
                file.seek(0)
                found.append(len(file.read(1000)))
                await trio.sleep(1)

    with World(1) as world:
        world.machine("n1").start(ask_once_a_second)
        world.run(until_s=2.5)
        fault = Fault("short_reads", 0, 1, nodes=("n1",), probability=1.0)
        with apply_fault(fault, Cluster.of(world.network, world.machines)) as active:
            world.run(until_s=5.5)
        world.run(until_s=7.5)

    assert [count == 1000 for count in found] == [True] * 3 + [False] * 3 + [True] * 2
    assert min(found) > 0
    assert active.effect().operations == 3


def test_faults_of_who_does_nothing_are_inert(toy: Toy) -> None:
    toy.world.machine("hermit")
    hermit = ["hermit"]
    with (
        skewed(toy.machines, hermit, 2.0) as skew,
        jumped(toy.machines, hermit, 5.0) as jump,
        slow_disk(toy.machines, hermit, 5.0) as slow,
        full_disk(toy.machines, hermit) as full,
        failing_disk(toy.machines, hermit, "sync") as failing,
        damaging_disk(toy.machines, hermit, "stale read", 1.0) as spoilt,
        crashed_at_sync(toy.machines, hermit, 0) as crash,
        clogged(toy.world.network, [("hermit", "reader")]) as clog,
    ):
        toy.notes(1.0)

    active = (skew, jump, slow, full, failing, spoilt, crash, clog)
    assert all(fault.effect().is_inert for fault in active)


def test_an_effect_is_what_it_was_at_the_end(toy: Toy) -> None:
    with slow_disk(toy.machines, ["scribe"], 5.0) as slow, skewed(toy.machines, ["scribe"], 2.0) as skew:
        pass
    toy.notes(1.0)

    assert slow.effect().is_inert
    assert skew.effect().is_inert


def test_an_error_knows_that_it_was_inflicted_through_whatever_wraps_it(toy: Toy) -> None:
    def fail() -> None:
        toy.scribe.disk.check("write")

    toy.scribe.disk.fail("write")
    with pytest.raises(OSError, match="Input/output error") as plain:
        fail()
    try:
        try:
            fail()
        except OSError as error:
            raise ValueError("gave up") from error
    except ValueError as error:
        wrapped = ExceptionGroup("all of it", [KeyError(), error])

    assert is_injected(plain.value)
    assert is_injected(wrapped)
    assert not is_injected(OSError(errno.EIO, "of its own"))


def _is_garbled(line: str, toy: Toy) -> bool:
    """Whether no line like this was ever sent."""
    number, _, stamp = line.partition(" ")
    try:
        at_s = next(at_s for at_s, noted in toy.noted if noted == int(number))
        return abs(float(stamp) - EPOCH_S - at_s) > 1e-6
    except (StopIteration, ValueError):
        return True


def test_a_suspended_machine_knows_nothing_of_its_sleep_and_then_what_time_it_is(toy: Toy) -> None:
    before_s = toy.scribe.clock.current_time()
    with suspended(toy.machines, ["scribe"]) as fault:
        assert toy.notes(5.0) == 0
        with suspended(toy.machines, ["scribe"]):
            assert toy.notes(5.0) == 0
        assert toy.notes(5.0) == 0

    assert fault.effect().stopped == ("scribe",)
    assert toy.scribe.clock.current_time() == pytest.approx(before_s)
    assert toy.is_well()
    assert toy.wall_error_s() == pytest.approx(0, abs=0.01)
