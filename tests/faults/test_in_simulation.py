"""Each fault on two real Trio programs in simulation: it does what it says, counts it, and is undone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from itertools import pairwise

import pytest
import trio

from ostrakon.harness import generator as gen
from ostrakon.harness.faults import (
    ActiveFault,
    Cluster,
    MachineControl,
    Nemesis,
    delayed,
    disturbed,
    dropped,
    duplicated,
    grudge,
    killed,
    partition,
    paused,
    powerless,
    reordered,
    reset,
    schedule,
    stopped,
)
from ostrakon.harness.history import History, Op
from ostrakon.harness.interpreter import Interpretation, interpret
from ostrakon.harness.plan import Fault
from ostrakon.harness.sim import Constant, Lines, World
from ostrakon.harness.workload import Client

PORT = 4000
TICK_S = 0.05


class Toy:
    """One node says 0, 1, 2, ... to the other every 50 ms; each has a process, and each counts its starts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.heard: list[tuple[float, int]] = []
        """When the listener got which number."""
        self.starts: list[str] = []
        self.synced = self.kept = 0
        self.machines = MachineControl(world.machines)
        self.listener, self.speaker = world.machine("listener"), world.machine("speaker")
        self.listener.start(self._listen)
        self.speaker.start(self._speak)

    async def _listen(self) -> None:
        self.starts.append("listener")

        async def hear(stream: trio.SocketStream) -> None:
            text = b""
            async for chunk in stream:
                *lines, text = (text + chunk).split(b"\n")
                self.heard += [(self.world.now_s, int(line)) for line in lines if line.isdigit()]

        async def patiently(stream: trio.SocketStream) -> None:
            with suppress(trio.BrokenResourceError):
                await hear(stream)

        await trio.serve_tcp(patiently, PORT)

    async def _speak(self) -> None:
        self.starts.append("speaker")
        number = 0
        while True:
            try:
                stream = await trio.open_tcp_stream("listener", PORT)
                await stream.send_all(b"hello\n")
                while True:
                    await stream.send_all(b"%d\n" % number)
                    number += 1
                    await trio.sleep(TICK_S)
            except (OSError, trio.BrokenResourceError):
                await trio.sleep(TICK_S)

    def hears(self, seconds: float) -> list[int]:
        """What is heard in the next while."""
        begin_s = self.world.now_s
        self.world.run(until_s=begin_s + seconds)
        return [number for time_s, number in self.heard if time_s > begin_s]

    def is_well(self) -> bool:
        """Whether, after a while to recover, every number is heard, once and in order."""
        self.world.run(until_s=self.world.now_s + 20)
        heard = self.hears(1.0)
        return len(heard) >= 19 and heard == list(range(heard[0], heard[0] + len(heard)))


@pytest.fixture
def toy() -> Iterator[Toy]:
    with World(7, latency=Constant(2), framing=Lines()) as world:
        toy = Toy(world)
        assert toy.is_well()
        yield toy


def test_a_partition_is_silence_until_it_is_mended(toy: Toy) -> None:
    with partition(toy.world.network, grudge.complete([["listener"], ["speaker"]])) as fault:
        toy.hears(0.01)
        assert toy.hears(2.0) == []

    assert fault.effect().messages > 0
    assert toy.is_well()
    assert sorted(toy.starts) == ["listener", "speaker"]


def test_just_so_many_messages_are_struck_after_those_that_are_spared(toy: Toy) -> None:
    with disturbed(toy.world.network, "drop", 1.0, 0.0, after=3, most=2) as fault:
        heard = toy.hears(1.0)

    missing = sorted(set(range(heard[0], heard[-1])) - set(heard))
    assert fault.effect().messages == 2
    assert missing == [heard[2] + 1, heard[2] + 2]
    assert toy.is_well()


def test_only_messages_that_are_meant_are_struck(toy: Toy) -> None:
    def ends_in_seven(message: bytes) -> bool:
        return message.endswith(b"7\n")

    with disturbed(toy.world.network, "drop", 1.0, 0.0, only=ends_in_seven) as fault:
        heard = toy.hears(2.0)

    assert fault.effect().messages == 4
    assert {number % 10 for number in heard} == set(range(10)) - {7}


def test_a_message_that_is_singled_out_is_late_by_just_so_much(toy: Toy) -> None:
    with disturbed(toy.world.network, "reorder", 1.0, 333.0, most=1):
        heard = toy.hears(1.0)

    late = next(after for before, after in pairwise(heard) if after < before)
    arrived_s = {number: at_s for at_s, number in toy.heard}
    assert arrived_s[late] - arrived_s[late - 1] == pytest.approx(TICK_S + 0.333, abs=1e-6)
    assert toy.is_well()


def test_a_narrow_link_makes_messages_wait_in_line(toy: Toy) -> None:
    with disturbed(toy.world.network, "throttle", 1.0, 50_000.0) as fault:
        heard = toy.hears(2.0)

    assert 4 <= len(heard) <= 12, "a line of some four bytes takes about 200 ms"
    assert heard == list(range(heard[0], heard[0] + len(heard)))
    assert fault.effect().messages >= 38
    assert toy.is_well()


def test_connections_that_are_reset_are_made_anew(toy: Toy) -> None:
    with reset(toy.world.network, [("listener", "speaker"), ("speaker", "listener")]) as fault:
        heard = toy.hears(1.0)

    assert fault.effect().connections == 1
    assert 0 in heard or len(heard) > 15
    assert toy.is_well()
    assert sorted(toy.starts) == ["listener", "speaker"]


def test_a_program_that_is_told_to_stop_ends_in_order_and_is_started_again(toy: Toy) -> None:
    with stopped(toy.machines, ["speaker"]) as fault:
        toy.hears(1.0)
        assert toy.speaker.state == "ended"

    assert fault.effect().stopped == ("speaker",)
    assert toy.is_well()
    assert toy.starts.count("speaker") == 2


def test_a_program_that_will_not_stop_is_not_counted_and_is_killed_when_others_want_it_dead(toy: Toy) -> None:
    assert toy.speaker.process is not None
    toy.speaker.process.signal_handlers[15] = lambda number, frame: None
    with stopped(toy.machines, ["speaker"]) as fault:
        assert len(toy.hears(1.0)) >= 19
        assert fault.effect().is_inert
        with killed(toy.machines, ["speaker"]) as kill:
            assert toy.hears(1.0) == []

    assert kill.effect().stopped == ("speaker",)
    assert toy.is_well()


def test_a_pause_is_silence_and_then_all_goes_on(toy: Toy) -> None:
    with paused(toy.machines, ["speaker"]) as fault:
        toy.hears(0.01)
        assert toy.hears(2.0) == []

    assert fault.effect().stopped == ("speaker",)
    assert toy.is_well()
    assert sorted(toy.starts) == ["listener", "speaker"], "nobody was started again"


@pytest.mark.parametrize("fault_of", [killed, powerless])
@pytest.mark.parametrize("victim", ["listener", "speaker"])
def test_a_node_that_is_down_is_started_again_at_the_end(
    toy: Toy, fault_of: Callable[..., AbstractContextManager[ActiveFault]], victim: str
) -> None:
    with fault_of(toy.machines, [victim]) as fault:
        toy.hears(0.01)
        assert toy.hears(2.0) == []

    assert fault.effect().stopped == (victim,)
    assert toy.is_well()
    assert toy.starts.count(victim) == 2


def test_dropped_messages_are_missing(toy: Toy) -> None:
    with dropped(toy.world.network, 0.5) as fault:
        heard = toy.hears(2.0)

    missing = set(range(heard[0], heard[-1])) - set(heard)
    assert len(heard) < 35
    assert fault.effect().messages >= len(missing) > 5
    assert toy.is_well()


def test_duplicated_messages_come_twice(toy: Toy) -> None:
    with duplicated(toy.world.network, 0.5, 5.0) as fault:
        heard = toy.hears(2.0)

    assert len(heard) - len(set(heard)) > 5
    assert fault.effect().messages >= len(heard) - len(set(heard))
    assert toy.is_well()


def test_reordered_messages_are_overtaken_and_none_is_missing(toy: Toy) -> None:
    with reordered(toy.world.network, 0.5, 200.0) as fault:
        heard = toy.hears(3.0)
    later = toy.hears(5.0)

    assert heard != sorted(heard)
    assert fault.effect().messages > 5
    everything = sorted(heard + later)
    assert everything == list(range(everything[0], everything[0] + len(everything)))
    assert toy.is_well()


def test_delayed_messages_are_late_and_in_order(toy: Toy) -> None:
    before_s = _mean_gap_variation(toy, 2.0)
    with delayed(toy.world.network, 0.5, 100.0, [("speaker", "listener")]) as fault:
        during_s = _mean_gap_variation(toy, 2.0)

    assert before_s < 0.001 < during_s
    assert [number for _, number in toy.heard] == sorted(number for _, number in toy.heard)
    assert fault.effect().messages > 5
    assert toy.is_well()


def test_faults_on_links_that_carry_nothing_are_inert(toy: Toy) -> None:
    toy.world.machine("hermit")
    with partition(toy.world.network, {"hermit": ("speaker",)}) as cut:
        toy.hears(1.0)
    with dropped(toy.world.network, 1.0, [("hermit", "listener")]) as drop:
        toy.hears(1.0)
    with paused(toy.machines, ["hermit"]) as pause:
        toy.hears(1.0)

    assert cut.effect().is_inert
    assert drop.effect().is_inert
    assert pause.effect().is_inert


def test_overlapping_faults_of_one_node_do_not_undo_each_other(toy: Toy) -> None:
    kill, pause = killed(toy.machines, ["speaker"]), paused(toy.machines, ["speaker"])
    kill.__enter__()
    pause.__enter__()
    kill.__exit__(None, None, None)
    toy.hears(0.01)
    assert toy.hears(2.0) == [], "it was started again, and stands still"
    pause.__exit__(None, None, None)

    assert toy.is_well()
    assert toy.starts.count("speaker") == 2


def test_a_whole_plan_of_faults_runs_beside_clients_and_leaves_all_well(toy: Toy) -> None:
    plan = (
        Fault("partition", 100, 900, grudge={"listener": ("speaker",)}),
        Fault("pause", 300, 1200, nodes=("speaker",)),
        Fault("kill", 1300, 500, nodes=("speaker", "listener")),
        Fault("drop", 1900, 1000, probability=1.0),
    )
    history: list[Op] = []
    outcome: list[Interpretation] = []
    nemesis = Nemesis(Cluster.of(toy.world.network, toy.world.machines))

    async def control() -> None:
        with nemesis:
            asks = gen.clients(gen.time_limit(3, gen.delay(0.1, gen.repeat(gen.OpRequest("connect")))))
            outcome.append(
                await interpret(
                    gen.any_of(asks, schedule(plan)),
                    connect=_visit,
                    concurrency=2,
                    record=history.append,
                    now_ns=lambda: toy.world.now_ns,
                    timeout_s=0.5,
                    nemesis=nemesis,
                )
            )

    process = toy.world.machine("control", is_node=False).start(control)
    toy.world.run(stop=lambda: process.done)

    assert process.error is None
    assert outcome == [Interpretation("done", ())]
    assert [applied.effect.is_inert for applied in nemesis.applied] == [False] * 4
    assert nemesis.applied[1].effect.stopped == ("speaker",)
    begin_ns = history[0].time
    told = [((op.time - begin_ns) // 1_000_000, op.f) for op in list(History(history).nemesis)[::2]]
    assert told[:4] == [
        (100, "start-partition"),
        (300, "start-pause"),
        (1000, "stop-partition"),
        (1300, "start-kill"),
    ]
    assert told[-1] == (2900, "heal")
    ended = {op.type for op in history if op.is_client}
    assert ended == {"invoke", "ok", "info"}, "clients got through at times, and at times nobody listened"
    assert toy.is_well()


class _Visitor:
    """A client that is content to be let in."""

    async def apply(self, op: Op) -> Op:
        async with await trio.open_tcp_stream("listener", PORT):
            return op.ok()


@asynccontextmanager
async def _visit(process: int) -> AsyncIterator[Client]:
    yield _Visitor()


def _mean_gap_variation(toy: Toy, seconds: float) -> float:
    begin_s = toy.world.now_s
    toy.hears(seconds)
    times = [time_s for time_s, _ in toy.heard if time_s > begin_s]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    return sum(abs(gap - TICK_S) for gap in gaps) / len(gaps)
