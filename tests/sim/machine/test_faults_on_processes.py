"""What can be done to a process, on two processes that talk, and that it ends."""

from __future__ import annotations

import errno

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrakon.harness.sim import Machine, SimulationError, World
from ostrakon.harness.sim.kernel.clock import EPOCH_S
from tests.sim.toy import PORT, Client, echo_server, echo_world


def run_with(client: Client, seed: int = 1, **faults: float) -> tuple[World, Machine]:
    """Run the toy; `kill=1.0` kills the server at one second, and so on for every method of Machine."""
    world, server, machine = echo_world(seed, client)
    with world:
        for fault, at_s in faults.items():
            world.call_later(at_s, getattr(server, fault))
        world.run(until_s=3600, stop=lambda: not machine.is_running)
    return world, server


def test_a_paused_server_answers_nothing_and_then_everything() -> None:
    client = Client(lines=20, timeout_s=30.0)
    world, _ = run_with(client, pause=1.0, resume=9.0)

    assert client.echoed == 20
    assert client.log == []
    assert world.now_s > 9.0


def test_a_pause_longer_than_the_patience_of_the_client_shows_as_a_timeout() -> None:
    client = Client(lines=20, timeout_s=5.0)
    run_with(client, pause=1.0, resume=9.0)

    assert client.echoed == 20
    assert client.log[0][1] == "TooSlowError"


def test_data_that_arrived_during_a_pause_is_seen_before_the_timeout_that_expired_in_it() -> None:
    outcomes: list[str] = []

    async def waits(world: World) -> None:
        stream = await trio.open_tcp_stream("server", PORT)
        await stream.send_all(b"x")
        with trio.move_on_after(2.0) as scope:
            outcomes.append((await stream.receive_some()).decode())
        outcomes.append("timed out" if scope.cancelled_caught else "in time")

    async def pauses_then_echoes(world: World) -> None:
        listeners = await trio.open_tcp_listeners(PORT)
        stream = await listeners[0].accept()
        data = await stream.receive_some()
        world.machines["client"].pause()
        await stream.send_all(data)
        await trio.sleep(10)
        world.machines["client"].resume()
        await trio.sleep(1)

    with World(1) as world:
        world.machine("server").start(lambda: pauses_then_echoes(world))
        world.machine("client").start(lambda: waits(world))
        world.run()

    assert outcomes == ["x", "in time"]


def test_timers_do_not_fire_during_a_pause() -> None:
    ticks: list[float] = []

    async def ticker() -> None:
        while True:
            await trio.sleep(1)
            ticks.append(trio.current_time())

    with World(1) as world:
        machine = world.machine("a")
        machine.start(ticker)
        world.call_later(2.5, machine.pause)
        world.call_later(7.25, machine.resume)
        world.run(until_s=9)

    assert ticks == [1.0, 2.0, 7.25, 8.25]


def test_a_killed_server_runs_no_finally_and_its_client_sees_the_connection_end() -> None:
    ran: list[str] = []

    async def careful_server() -> None:
        try:
            await echo_server()
        finally:
            ran.append("finally")

    client = Client(lines=20)
    world, server, machine = echo_world(1, client)
    with world:
        world.run(until_s=0.5)
        server.kill()
        server.start(careful_server)
        world.call_later(0.5, server.kill)
        world.run(until_s=2)
        assert ran == []
        assert server.state == "killed"
        assert client.log[0][1] == "BrokenResourceError"
        assert client.log[-1][1] == "OSError"  # Connection refused: the machine is up, nobody listens.

        server.restart()
        world.run(stop=lambda: not machine.is_running)

    assert client.echoed == 20
    assert server.incarnation == 2


def test_a_machine_without_power_says_nothing_at_all() -> None:
    client = Client(lines=20, timeout_s=5.0)
    world, server, machine = echo_world(1, client)
    with world:
        world.call_later(1.0, server.power_off)
        world.run(until_s=12)
        assert {name for _, name in client.log} == {"TooSlowError"}
        assert server.state == "off"

        server.restart()
        world.run(stop=lambda: not machine.is_running)

    assert client.echoed == 20


def test_a_connection_to_a_machine_that_lost_its_power_is_reset_when_it_is_back() -> None:
    seen: list[object] = []

    async def client() -> None:
        stream = await trio.open_tcp_stream("server", PORT)
        await trio.sleep(5)
        await stream.send_all(b"still there?")
        with pytest.raises(trio.BrokenResourceError) as failure:
            await stream.receive_some()
        cause = failure.value.__cause__
        seen.append(cause.errno if isinstance(cause, OSError) else cause)

    with World(1) as world:
        server = world.machine("server")
        server.start(echo_server)
        process = world.machine("client").start(client)
        world.call_later(1, server.power_off)
        world.call_later(2, server.restart)
        world.run(stop=lambda: process.done)

    assert seen == [errno.ECONNRESET]


def test_stop_lets_a_program_clean_up() -> None:
    steps: list[str] = []

    async def program() -> None:
        try:
            await trio.sleep_forever()
        finally:
            steps.append("cleaned up")

    with World(1) as world:
        machine = world.machine("a")
        machine.start(program)
        world.call_later(1, machine.stop)
        world.run()

        assert steps == ["cleaned up"]
        assert machine.state == "ended"
        assert world.crashes == []


def test_stop_is_a_signal_to_a_program_that_listens_for_it() -> None:
    import signal

    steps: list[str] = []

    async def program() -> None:
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async for number in signals:
                steps.append(signal.Signals(number).name)
                return

    real = signal.getsignal(signal.SIGTERM)
    with World(1) as world:
        machine = world.machine("a")
        machine.start(program)
        world.call_later(1, machine.stop)
        world.run()

        assert machine.state == "ended"
    assert steps == ["SIGTERM"]
    assert signal.getsignal(signal.SIGTERM) is real


def test_a_program_may_kill_its_own_machine_and_nothing_of_it_runs_on() -> None:
    steps: list[str] = []

    async def sibling() -> None:
        while True:
            await trio.lowlevel.checkpoint()
            steps.append("sibling")

    async def suicidal(machine: Machine) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sibling)
            await trio.sleep(0)
            machine.kill()
            steps.clear()
            await trio.sleep(0)
            steps.append("after")

    with World(1) as world:
        machine = world.machine("a")
        machine.start(lambda: suicidal(machine))
        world.run(until_s=10)
        assert steps == []
        assert machine.state == "killed"


def test_a_program_may_pause_itself_and_be_resumed() -> None:
    times: list[float] = []

    async def program(machine: Machine) -> None:
        machine.pause()
        await trio.sleep(1)
        times.append(trio.current_time())

    with World(1) as world:
        machine = world.machine("a")
        machine.start(lambda: program(machine))
        world.call_later(5, machine.resume)
        world.run()

    assert times == [6.0] or times == [5.0]


def test_restart_is_a_new_incarnation_of_the_same_program() -> None:
    started: list[int] = []

    async def program(machine: Machine) -> None:
        started.append(machine.incarnation)
        await trio.sleep_forever()

    with World(1) as world:
        machine = world.machine("a")
        machine.start(lambda: program(machine))
        world.call_later(1, machine.restart)
        world.call_later(2, machine.restart)
        world.run()

    assert started == [0, 1, 2]


def test_one_process_at_a_time() -> None:
    with World(1) as world:
        machine = world.machine("a")
        with pytest.raises(SimulationError, match="never been started"):
            machine.restart()
        machine.start(echo_server)

        with pytest.raises(SimulationError, match="running a process already"):
            machine.start(echo_server)


def test_clocks_run_apart_and_true_time_does_not_mind() -> None:
    shown: dict[str, float] = {}

    async def sleeper(name: str) -> None:
        await trio.sleep(60)
        shown[name] = trio.current_time()

    with World(1) as world:
        for name, rate in (("slow", 0.5), ("true", 1.0), ("fast", 2.0)):
            machine = world.machine(name)
            machine.clock.set_rate(rate)
            machine.start(lambda name=name: sleeper(name))  # type: ignore[misc]
        woken: dict[str, float] = {}
        world.run(stop=lambda: bool(woken.update({n: world.now_s for n in shown if n not in woken})))

    assert woken == {"fast": 30.0, "true": 60.0, "slow": 120.0}
    assert set(shown.values()) == {60.0}


def test_a_clock_that_leaps_forward_wakes_sleepers_early() -> None:
    with World(1) as world:
        machine = world.machine("a")
        process = machine.start(lambda: trio.sleep(60))
        world.call_later(10, machine.clock.skip, 40)
        world.run(stop=lambda: process.done)

        assert world.now_s == pytest.approx(20)


def test_a_strobing_wall_clock_jumps_to_and_fro_and_ends_where_it_would_have_been() -> None:
    import time

    offsets: list[float] = []

    async def program() -> None:
        for second in range(8):
            await trio.sleep(1)
            offsets.append(round(time.time() - 1_600_000_000 - second - 1))

    with World(1) as world:
        machine = world.machine("a")
        machine.start(program)
        world.call_later(0.5, lambda: machine.clock.strobe(30, period_s=2, times=3))
        world.run()

    assert offsets == [30, 0, 30, 0, 30, 0, 0, 0]


def test_a_wall_clock_goes_back_and_no_timeout_minds() -> None:
    import time

    seen: list[float] = []

    async def program() -> None:
        seen.append(time.time())
        await trio.sleep(10)
        seen.append(time.time())

    with World(1) as world:
        machine = world.machine("a")
        machine.start(program)
        world.call_later(5, machine.clock.step, -3600)
        world.run()

        assert world.now_s == 10
    assert seen[1] - seen[0] == pytest.approx(10 - 3600)


def test_a_suspended_machine_sleeps_through_its_timeouts_and_its_wall_clock_is_right_afterwards() -> None:
    import time

    shown: list[tuple[float, float]] = []

    async def program() -> None:
        for _ in range(3):
            await trio.sleep(10)
            shown.append((trio.current_time(), time.time() - EPOCH_S))

    with World(1) as world:
        machine = world.machine("a")
        machine.start(program)
        world.call_later(15, machine.pause)
        world.call_later(15, machine.clock.freeze)
        world.call_later(115, machine.clock.thaw)
        world.call_later(115, machine.resume)
        world.run()

        assert world.now_s == pytest.approx(130)

    assert shown == [pytest.approx((10, 10)), pytest.approx((20, 120)), pytest.approx((30, 130))]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["freeze", "thaw", "fast", "slow", "skip"]), st.integers(0, 9))))
def test_a_monotonic_clock_never_goes_back_and_its_wall_clock_misses_no_freeze(
    deeds: list[tuple[str, int]],
) -> None:
    with World(1) as world:
        clock = world.machine("a").clock
        shown_s, gained_s = clock.current_time(), 0.0
        for what, seconds in deeds:
            match what:
                case "freeze":
                    clock.freeze()
                case "thaw":
                    clock.thaw()
                case "skip":
                    clock.skip(seconds)
                    gained_s += seconds
                case _:
                    clock.set_rate(2.0 if what == "fast" else 0.5)
            before_s = clock.current_time()
            world.run(until_s=world.now_s + seconds)
            gained_s += (clock.rate - 1) * seconds
            assert clock.current_time() >= before_s >= shown_s
            shown_s = clock.current_time()
        clock.thaw()

        assert clock.wall_time() - EPOCH_S == pytest.approx(world.now_s + gained_s)
