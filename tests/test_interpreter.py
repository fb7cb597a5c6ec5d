"""The interpreter, with clients that do as they are told, in virtual time."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock

from ostrakon.harness import generator as gen
from ostrakon.harness.generator import OpRequest
from ostrakon.harness.history import NEMESIS, Op
from ostrakon.harness.interpreter import Interpretation, interpret
from ostrakon.harness.workload import Refused

Apply = Callable[[Op], Awaitable[Op]]
READS = gen.repeat(OpRequest("read"))


@pytest.fixture
def clock(autojump_clock: MockClock) -> MockClock:
    return autojump_clock


@dataclass
class Fake:
    """A client that does what `do` says, and remembers the processes it was opened and closed for."""

    do: Apply
    opened: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)

    async def apply(self, op: Op) -> Op:
        return await self.do(op)

    @asynccontextmanager
    async def connect(self, process: int) -> AsyncIterator[Fake]:
        self.opened.append(process)
        try:
            yield self
        finally:
            self.closed.append(process)


class Trial:
    """Runs a generator and keeps what was recorded."""

    def __init__(self) -> None:
        self.history: list[Op] = []
        self.begin_s = trio.current_time()

    def now_ns(self) -> int:
        return round((trio.current_time() - self.begin_s) * 1e9)

    async def run(self, source: gen.Source, do: Apply | Fake, **options: object) -> Interpretation:
        fake = do if isinstance(do, Fake) else Fake(do)
        given = {"connect": fake.connect, "concurrency": 2, "timeout_s": 1.0, **options}
        return await interpret(source, record=self.history.append, now_ns=self.now_ns, **given)  # type: ignore[arg-type]

    @property
    def story(self) -> list[tuple[int, str, int | str, str]]:
        return [(op.time // 1_000_000, op.type, op.process, op.f) for op in self.history]

    @property
    def endings(self) -> list[tuple[str, str | None]]:
        return [(op.type, op.error) for op in self.history if op.type != "invoke"]


async def well(op: Op) -> Op:
    await trio.sleep(0.01)
    return op.ok()


async def silent(op: Op) -> Op:
    await trio.sleep_forever()
    raise AssertionError


def raising(error: Exception) -> Apply:
    async def do(op: Op) -> Op:
        await trio.sleep(0.01)
        raise error

    return do


async def test_ops_are_recorded_as_they_begin_and_end(clock: MockClock) -> None:
    trial = Trial()

    outcome = await trial.run([OpRequest("write", 5, node="n2"), OpRequest("read")], well, concurrency=1)

    assert outcome == Interpretation("done", ())
    assert trial.story == [
        (0, "invoke", 0, "write"),
        (10, "ok", 0, "write"),
        (10, "invoke", 0, "read"),
        (20, "ok", 0, "read"),
    ]
    assert [op.index for op in trial.history] == [0, 1, 2, 3]
    assert trial.history[0].node == "n2"


async def test_it_makes_the_history_that_the_player_makes(clock: MockClock) -> None:
    def source() -> gen.Generator:

        rng = random.Random(5)
        mixed = gen.mix(READS, gen.numbered(lambda n: OpRequest("write", n)), rng=rng)
        return gen.phases(
            gen.time_limit(2, gen.stagger(0.003, mixed, rng=rng)), gen.each_thread(OpRequest("last"))
        )

    trial = Trial()
    await trial.run(source(), well, concurrency=3)

    # What ends at one instant may be recorded in any order.
    def moments(history: list[Op]) -> list[tuple[object, ...]]:
        return sorted((op.time, op.process, op.type, op.f, str(op.value)) for op in history)

    assert len(trial.history) > 100
    assert moments(trial.history) == moments(gen.play(source(), concurrency=3))


async def test_an_op_that_is_over_when_another_begins_is_not_concurrent_with_it(clock: MockClock) -> None:
    async def do(op: Op) -> Op:
        await trio.sleep(0.25)
        return op.ok()

    trial = Trial()
    await trial.run(gen.limit(40, gen.delay(0.25, READS)), do, concurrency=3)

    assert [op.type for op in trial.history] == ["invoke", "ok"] * 40


async def test_time_is_the_trials_while_the_generators_begins_at_zero(clock: MockClock) -> None:
    trial = Trial()
    await trio.sleep(7)

    await trial.run(gen.not_before(2, OpRequest("read")), well)

    assert [op.time for op in trial.history] == [9_000_000_000, 9_010_000_000]


async def test_silence_is_info_and_the_thread_goes_on_as_a_new_process_with_a_new_client(
    clock: MockClock,
) -> None:
    trial, fake = Trial(), Fake(silent)

    await trial.run(gen.limit(4, READS), fake, timeout_s=0.5)

    assert sorted(trial.story) == sorted(
        [
            *[(0, "invoke", 0, "read"), (0, "invoke", 1, "read")],
            *[(500, "info", 0, "read"), (500, "invoke", 2, "read")],
            *[(500, "info", 1, "read"), (500, "invoke", 3, "read")],
            *[(1000, "info", 2, "read"), (1000, "info", 3, "read")],
        ]
    )
    assert sorted(fake.opened) == sorted(fake.closed) == [0, 1, 2, 3]
    assert {error for _, error in trial.endings} == {"no answer within 0.5 s"}


async def test_a_refusal_is_fail_and_the_client_is_kept(clock: MockClock) -> None:
    trial, fake = Trial(), Fake(raising(Refused("ballot too low")))

    await trial.run(gen.limit(3, READS), fake, concurrency=1)

    assert trial.endings == [("fail", "ballot too low")] * 3
    assert fake.opened == [0]


@pytest.mark.parametrize(
    "error", [ConnectionResetError("reset"), trio.BrokenResourceError(), trio.EndOfChannel(), EOFError()]
)
async def test_a_lost_connection_is_info(clock: MockClock, error: Exception) -> None:
    trial = Trial()

    outcome = await trial.run(gen.limit(1, READS), raising(error))

    [(type_, why)] = trial.endings
    assert type_ == "info"
    assert why is not None
    assert why.startswith(f"connection lost: {type(error).__name__}")
    assert outcome.crashes == ()


async def test_errors_in_groups_are_told_by_what_is_in_them(clock: MockClock) -> None:
    refusals = ExceptionGroup("", [Refused("no"), ExceptionGroup("", [Refused("never")])])
    mixed = ExceptionGroup("", [Refused("no"), ConnectionResetError("reset")])
    crashed = ExceptionGroup("", [ConnectionResetError("reset"), ZeroDivisionError()])
    endings, crashes = [], []
    for error in (refusals, mixed, crashed):
        trial = Trial()
        outcome = await trial.run(gen.limit(1, READS), raising(error))
        endings.append(trial.history[-1].type)
        crashes.append(len(outcome.crashes))

    assert endings == ["fail", "info", "info"]
    assert crashes == [0, 0, 1]


async def test_who_cannot_connect_has_sent_nothing_and_fails(clock: MockClock) -> None:
    @asynccontextmanager
    async def refuse(process: int) -> AsyncIterator[Fake]:
        await trio.sleep(0.1)
        raise ConnectionRefusedError("nobody listens")
        yield Fake(well)

    @asynccontextmanager
    async def hang(process: int) -> AsyncIterator[Fake]:
        await trio.sleep_forever()
        yield Fake(well)

    refused, hung = Trial(), Trial()
    await refused.run(gen.limit(2, READS), well, connect=refuse, concurrency=1)
    await hung.run(gen.limit(2, READS), well, connect=hang, concurrency=1)

    assert refused.endings == [("fail", "no connection: ConnectionRefusedError: nobody listens")] * 2
    assert hung.endings == [("fail", "no connection: no answer within 1 s")] * 2
    assert {op.process for op in refused.history + hung.history} == {0}


@pytest.mark.parametrize("type_", ["ok", "fail", "info"])
async def test_a_client_says_itself_how_an_op_ended(clock: MockClock, type_: str) -> None:
    async def do(op: Op) -> Op:
        return replace(op, type=type_, value=7, slot=3, ballot=(2, 1), node="n3")

    trial = Trial()
    await trial.run(gen.limit(2, READS), do, concurrency=1)

    last = trial.history[-1]
    assert (last.type, last.value, last.slot, last.ballot, last.node) == (type_, 7, 3, (2, 1), "n3")
    assert last.process == (1 if type_ == "info" else 0)


async def test_a_crash_of_the_client_is_info_and_comes_back_with_its_traceback(
    clock: MockClock,
) -> None:
    trial = Trial()

    outcome = await trial.run(gen.limit(3, READS), raising(ZeroDivisionError("by zero")), concurrency=1)

    assert trial.endings == [("info", "client crashed: ZeroDivisionError: by zero")] * 3
    assert [crash.op.process for crash in outcome.crashes] == [0, 1, 2]
    assert "in do\n" in outcome.crashes[0].traceback


@pytest.mark.parametrize(
    "answer", [None, Op(0, 0, "invoke", 0, "read"), Op(0, 0, "ok", 0, "write"), Op(0, 0, "ok", 9, "read")]
)
async def test_an_answer_that_is_none_is_the_clients_fault(clock: MockClock, answer: Op | None) -> None:
    async def do(op: Op) -> Op:
        return answer  # type: ignore[return-value]

    trial = Trial()
    outcome = await trial.run(gen.limit(1, READS), do)

    assert trial.history[-1].type == "info"
    assert outcome.crashes[0].error.startswith("apply(read None)")
    assert outcome.crashes[0].traceback == "", "where we noticed it is of no use to anybody"


async def test_a_client_whose_background_breaks_while_it_acts_has_lost_its_connection(
    clock: MockClock,
) -> None:
    @asynccontextmanager
    async def connect(process: int) -> AsyncIterator[Fake]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_break_after, 0.2)
            yield Fake(silent)
            nursery.cancel_scope.cancel()

    trial = Trial()
    outcome = await trial.run(gen.limit(2, READS), silent, connect=connect, concurrency=1)

    assert trial.endings == [("info", "connection lost: ConnectionResetError: by peer")] * 2
    assert outcome.crashes == ()
    assert trial.history[-1].time == 400_000_000


async def test_a_client_whose_background_breaks_between_ops_is_opened_anew(clock: MockClock) -> None:
    opened: list[int] = []

    @asynccontextmanager
    async def connect(process: int) -> AsyncIterator[Fake]:
        opened.append(process)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_break_after, 0.2)
            yield Fake(well)
            nursery.cancel_scope.cancel()

    trial = Trial()
    await trial.run(gen.limit(3, gen.delay(0.5, READS)), well, connect=connect, concurrency=1)

    assert [type_ for type_, _ in trial.endings] == ["ok"] * 3
    assert opened == [0, 0, 0]


async def test_a_client_that_swallows_its_own_end_leaves_the_op_unknown(clock: MockClock) -> None:
    @asynccontextmanager
    async def connect(process: int) -> AsyncIterator[Fake]:
        with trio.move_on_after(0.3):
            yield Fake(silent)

    trial = Trial()
    await trial.run(gen.limit(1, READS), silent, connect=connect)

    assert trial.endings == [("info", "connection lost: the client gave up")]


async def test_a_client_that_will_not_close_is_cut_off_and_holds_nobody_up_for_long(
    clock: MockClock,
) -> None:
    @asynccontextmanager
    async def connect(process: int) -> AsyncIterator[Fake]:
        yield Fake(silent)
        await trio.sleep_forever()

    trial = Trial()
    await trial.run(gen.limit(2, READS), silent, connect=connect, concurrency=1)

    assert [type_ for type_, _ in trial.endings] == ["info", "info"]
    assert trio.current_time() - trial.begin_s < 10


async def test_the_deadline_ends_a_trial_that_makes_no_progress(clock: MockClock) -> None:
    trial = Trial()

    outcome = await trial.run(READS, silent, timeout_s=1000, deadline_s=5)

    assert outcome.ended == "deadline"
    assert trial.endings == [("info", "the trial was over after 5 s")] * 2
    assert trial.history[-1].time == 5_000_000_000


async def test_a_client_that_fails_to_die_quietly_at_the_deadline_harms_nothing(
    clock: MockClock,
) -> None:
    @asynccontextmanager
    async def connect(process: int) -> AsyncIterator[Fake]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_raise_when_cancelled)
            yield Fake(silent)

    trial = Trial()
    outcome = await trial.run(READS, silent, connect=connect, timeout_s=1000, deadline_s=5)

    assert outcome.ended == "deadline"
    assert len(trial.endings) == 2


async def test_the_nemesis_acts_beside_the_clients_and_its_ops_are_info(clock: MockClock) -> None:
    class Breaker:
        async def apply(self, op: Op) -> Op:
            await trio.sleep(0.5)
            return replace(op, value={"messages": 3})

    source = gen.any_of(
        gen.clients(gen.time_limit(1, gen.delay(0.1, READS))),
        gen.nemesis([OpRequest("cut"), OpRequest("mend")]),
    )
    trial = Trial()
    await trial.run(source, well, nemesis=Breaker())

    nemesis = [op for op in trial.history if op.process == NEMESIS]
    assert [(op.type, op.f, op.value) for op in nemesis] == [
        *[("info", "cut", None), ("info", "cut", {"messages": 3})],
        *[("info", "mend", None), ("info", "mend", {"messages": 3})],
    ]
    assert sum(op.type == "ok" for op in trial.history) == 10


async def test_a_crash_of_the_nemesis_is_raised_as_it_is_with_what_it_was_doing(
    clock: MockClock,
) -> None:
    class Broken:
        async def apply(self, op: Op) -> Op:
            raise ZeroDivisionError

    trial = Trial()
    with pytest.raises(ZeroDivisionError) as raised:
        await trial.run(
            gen.any_of(gen.clients(READS), gen.nemesis(OpRequest("cut"))), silent, nemesis=Broken()
        )

    assert raised.value.__notes__ == ["while the nemesis did cut None"]
    assert trial.history[-1].error == "nemesis crashed: ZeroDivisionError: "


async def test_a_faulty_generator_is_raised_as_it_is_and_leaves_what_was_recorded(
    clock: MockClock,
) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    trial = Trial()
    with pytest.raises(ZeroDivisionError):
        await trial.run([OpRequest("read"), broken], well)
    with pytest.raises(gen.ImpossibleGenerator, match="threads that do not exist"):
        await trial.run(gen.nemesis(OpRequest("cut")), well)

    assert [op.f for op in trial.history] == ["read"]


async def test_a_record_that_cannot_be_kept_ends_the_trial(clock: MockClock) -> None:
    def full(op: Op) -> None:
        if op.index == 3:
            raise OSError("no space left")

    trial = Trial()
    with pytest.raises(OSError, match="no space"):
        await interpret(
            READS, connect=Fake(well).connect, concurrency=1, record=full, now_ns=trial.now_ns, timeout_s=1
        )


async def test_waiting_takes_no_steps(clock: MockClock) -> None:
    """Nobody polls: an hour without ops is as short as none."""

    class Steps(trio.abc.Instrument):
        count = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.count += 1

    steps, trial = Steps(), Trial()
    trio.lowlevel.add_instrument(steps)
    await trial.run([OpRequest("read"), gen.not_before(3600, OpRequest("read"))], well)
    trio.lowlevel.remove_instrument(steps)

    assert trial.history[-1].time == 3_600_010_000_000
    assert steps.count < 100


async def _break_after(seconds: float) -> None:
    await trio.sleep(seconds)
    raise ConnectionResetError("by peer")


async def _raise_when_cancelled() -> None:
    try:
        await trio.sleep_forever()
    finally:
        raise OSError("could not say goodbye")
