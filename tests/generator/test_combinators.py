"""Each combinator, played: (time in ms, process, f) of what it makes clients do."""

import random
from collections import Counter

import pytest

from ostrakon.harness import generator as gen
from ostrakon.harness.generator import OpRequest, play
from ostrakon.harness.history import NEMESIS, Op

READ, WRITE, CAS = OpRequest("read"), OpRequest("write"), OpRequest("cas")
READS, WRITES = gen.repeat(READ), gen.repeat(WRITE)
WRITES_3 = gen.limit(3, WRITES)


def invocations(history: list[Op]) -> list[Op]:
    # The nemesis speaks of beginning and end alike as info; its odd entries are the ends.
    nemesis = [op for op in history if not op.is_client][::2]
    return sorted([op for op in history if op.type == "invoke"] + nemesis, key=lambda op: op.index)


def story(history: list[Op]) -> list[tuple[int, int | str, str]]:
    return [(op.time // 1_000_000, op.process, op.f) for op in invocations(history)]


def fs(history: list[Op]) -> list[str]:
    return [op.f for op in invocations(history)]


def test_a_todo_is_done_once_by_the_first_free_process() -> None:
    history = play(OpRequest("write", 5, node="n2"), concurrency=3)

    assert [(op.type, op.process, op.f, op.value, op.node) for op in history] == [
        ("invoke", 0, "write", 5, "n2"),
        ("ok", 0, "write", 5, "n2"),
    ]
    assert [op.index for op in history] == [0, 1]


def test_nothing_makes_nothing() -> None:
    assert play(None) == []
    assert play([]) == []
    assert play(gen.any_of()) == []
    assert play(gen.mix(rng=random.Random(0))) == []
    assert play(gen.flip_flop()) == []


def test_free_processes_take_turns() -> None:
    history = play(gen.limit(6, READS), concurrency=3)

    assert [(time, process) for time, process, _ in story(history)] == [
        *[(0, 0), (0, 1), (0, 2)],
        *[(10, 0), (10, 1), (10, 2)],
    ]


def test_a_list_runs_in_order_without_waiting_for_what_is_in_flight() -> None:
    history = play([READ, [WRITE, CAS]], concurrency=2)

    assert story(history) == [
        (0, 0, "read"),
        (0, 1, "write"),
        (10, 0, "cas"),
    ]


def test_a_function_is_called_anew_until_it_returns_none() -> None:
    history = play(gen.limit(4, lambda: [READ, WRITE]))

    assert fs(history) == ["read", "write", "read", "write"]
    assert play(lambda: None) == []


def test_numbered_counts() -> None:
    history = play(gen.numbered(lambda n: OpRequest("write", n) if n < 4 else None), concurrency=3)

    assert [op.value for op in invocations(history)] == [0, 1, 2, 3]


def test_drawn_draws_the_same_from_the_same_seed_and_other_ops_from_another() -> None:
    def values(seed: int) -> list[int]:
        writes = gen.drawn(lambda rng: OpRequest("write", rng.randrange(1000)), rng=random.Random(seed))
        return [op.value for op in invocations(play(gen.limit(20, writes)))]

    assert values(1) == values(1)
    assert values(1) != values(2)
    assert len(set(values(1))) > 10


@pytest.mark.parametrize("wrong", [iter([READ]), "read", 5, {"f": "read"}])
def test_what_is_not_a_source_is_refused_with_what_would_be(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"expected a generator, an OpRequest, a function"):
        gen.lift(wrong)  # type: ignore[arg-type]


def test_limit_counts_ops_and_not_waiting() -> None:
    assert len(invocations(play(gen.limit(5, READS), concurrency=1))) == 5
    assert play(gen.limit(0, READS)) == []
    assert fs(play(gen.once([READ, WRITE]))) == ["read"]


def test_time_limit_counts_from_the_first_op_and_its_end_is_not_in_it() -> None:
    late = gen.not_before(1, gen.time_limit(0.03, gen.delay(0.01, READS)))

    assert story(play(gen.time_limit(0.03, gen.delay(0.01, READS)), concurrency=1)) == [
        (0, 0, "read"),
        (10, 0, "read"),
        (20, 0, "read"),
    ]
    assert [time for time, _, _ in story(play(late, concurrency=1))] == [1000, 1010, 1020]


def test_stagger_keeps_its_mean_over_all_threads_and_never_outruns_its_source() -> None:
    gaps = gen.limit(2000, gen.stagger(0.1, READS, rng=random.Random(7)))
    history = invocations(play(gaps, complete=gen.quick, concurrency=5))

    mean_s = history[-1].time / 1e9 / (len(history) - 1)
    assert 0.095 < mean_s < 0.105
    slow = gen.limit(4, gen.stagger(0.001, READS, rng=random.Random(7)))
    assert [time for time, _, _ in story(play(slow, concurrency=1))] == [0, 10, 20, 30]


def test_delay_is_even_and_catches_up_when_behind() -> None:
    def slow_at_first(op: Op) -> Op:
        return gen.perfect(op) if op.index == 0 else gen.quick(op)

    late = play(gen.limit(5, gen.delay(0.004, READS)), complete=slow_at_first, concurrency=1)
    even = play(gen.limit(4, gen.delay(0.004, READS)), concurrency=4)

    assert [time for time, _, _ in story(late)] == [0, 10, 10, 12, 16]
    assert [time for time, _, _ in story(even)] == [0, 4, 8, 12]


def test_sleep_keeps_one_process_busy_and_stays_out_of_the_history() -> None:
    history = play([gen.sleep(0.5), gen.log("slept?"), READ, WRITE], concurrency=2)

    assert story(history) == [(0, 1, "read"), (10, 1, "write")]


def test_repeat_gives_the_first_op_and_cycle_the_whole() -> None:
    assert fs(play(gen.repeat([READ, WRITE], 3))) == ["read"] * 3
    for concurrency in (1, 2, 9):
        assert fs(play(gen.cycle([READ, WRITE], 2), concurrency=concurrency)) == ["read", "write"] * 2
    assert fs(play(gen.limit(5, gen.cycle([READ, WRITE])))) == ["read", "write", "read", "write", "read"]
    assert play(gen.cycle([READ], 0)) == []
    assert play(gen.cycle(None)) == []


def test_mix_draws_from_all_until_all_are_done() -> None:
    def mixed(seed: int) -> list[str]:
        return fs(play(gen.mix(gen.limit(50, READS), gen.limit(100, WRITES), rng=random.Random(seed))))

    assert Counter(mixed(1)) == {"read": 50, "write": 100}
    assert mixed(1) == mixed(1)
    assert mixed(1) != mixed(2)
    assert len(set(mixed(1)[:20])) == 2


def test_mix_passes_over_a_source_that_has_nothing_for_now() -> None:
    held_back = gen.concurrency_limit(1, READS)
    history = play(gen.limit(10, gen.mix(held_back, WRITES, rng=random.Random(3))), concurrency=5)

    assert [time for time, _, _ in story(history)] == [0] * 5 + [10] * 5


def test_flip_flop_alternates_until_either_ends() -> None:
    assert fs(play(gen.flip_flop(READS, gen.limit(2, WRITES)))) == ["read", "write", "read", "write", "read"]


def test_any_of_takes_whoever_is_soonest_and_is_fair_when_all_could() -> None:
    timed = gen.any_of(gen.not_before(0.03, READ), gen.not_before(0.02, WRITE), CAS)
    greedy = gen.limit(9, gen.any_of(READS, WRITES, gen.repeat(CAS)))

    assert [(time, f) for time, _, f in story(play(timed))] == [(0, "cas"), (20, "write"), (30, "read")]
    assert Counter(fs(play(greedy))) == {"read": 3, "write": 3, "cas": 3}


def test_shortest_of_ends_with_the_first_of_its_sources() -> None:
    history = play(gen.shortest_of(gen.delay(0.01, READS), gen.limit(2, gen.delay(0.02, WRITES))))

    assert Counter(fs(history))["write"] == 2
    assert history[-1].time < 50_000_000


def test_phases_wait_for_everyone_and_then_is_two_of_them() -> None:
    history = play(gen.phases(gen.limit(3, READS), gen.limit(2, WRITES)), concurrency=2)

    assert story(history) == [
        (0, 0, "read"),
        (0, 1, "read"),
        (10, 0, "read"),
        (20, 1, "write"),
        (20, 0, "write"),
    ]
    assert story(play(gen.then(gen.limit(3, READS), gen.limit(2, WRITES)))) == story(history)


def test_clients_and_nemesis_keep_to_themselves() -> None:
    both = gen.any_of(gen.clients(gen.limit(4, READS)), gen.nemesis([OpRequest("cut"), OpRequest("mend")]))
    history = play(both, concurrency=2, nemesis=True)

    assert [op.f for op in invocations(history) if op.process == NEMESIS] == ["cut", "mend"]
    assert {op.f for op in history if op.process != NEMESIS} == {"read"}


def test_who_is_kept_to_some_threads_hears_of_these_alone() -> None:
    heard: list[str] = []

    def remember(source: gen.Generator, event: Op) -> gen.Generator:
        heard.append(event.f)
        return source

    reads = gen.clients(gen.on_update(remember, gen.limit(2, READS)))
    play(gen.any_of(reads, gen.nemesis([OpRequest("cut"), OpRequest("mend")])), nemesis=True)

    assert heard == ["read"] * 4


def test_an_op_for_threads_that_do_not_exist_is_refused() -> None:
    with pytest.raises(gen.ImpossibleGenerator, match="raise the concurrency"):
        play(gen.on(lambda thread: thread == 7, READ), concurrency=3)


def test_a_time_limit_waits_for_who_may_yet_act_within_it() -> None:
    """What comes next is too late, but when the read ends there may be another in time."""
    late = gen.any_of(gen.concurrency_limit(1, gen.limit(2, READS)), gen.not_before(9, WRITE))

    assert story(play(gen.time_limit(1, late))) == [(0, 0, "read"), (10, 1, "read")]


def test_each_process_begins_anew_when_a_process_met_silence() -> None:
    def silence(op: Op) -> Op:
        return Op(0, op.time + 10_000_000, "info" if op.f == "write" else "ok", op.process, op.f)

    per_process = gen.each_process([READ, WRITE, CAS])
    history = play(gen.limit(6, per_process), complete=silence, concurrency=1)

    assert [(op.process, op.f) for op in invocations(history)] == [
        *[(0, "read"), (0, "write")],
        *[(1, "read"), (1, "write")],
        *[(2, "read"), (2, "write")],
    ]
    assert fs(play(gen.each_process([READ, CAS]), concurrency=1)) == ["read", "cas"]


def test_each_thread_runs_its_own_copy() -> None:
    history = play(gen.each_thread([READ, WRITE]), concurrency=3)

    for process in range(3):
        assert [op.f for op in invocations(history) if op.process == process] == ["read", "write"]


def test_each_thread_hears_of_its_own_ops_only() -> None:
    """Thread 0's read is ok at once; the others must go on until theirs are."""

    def complete(op: Op) -> Op:
        lucky = op.process == 0 or op.time >= 50_000_000
        return Op(0, op.time + 10_000_000, "ok" if lucky else "fail", op.process, op.f)

    history = play(gen.each_thread(gen.until_ok(READS)), complete=complete, concurrency=3)

    assert Counter(op.process for op in invocations(history)) == {0: 1, 1: 6, 2: 6}


def test_reserve_keeps_threads_for_each_share() -> None:
    shares = gen.reserve(
        (2, gen.limit(4, READS)), (1, gen.limit(2, WRITES)), rest=gen.limit(4, gen.repeat(CAS))
    )
    history = play(shares, concurrency=5, nemesis=True)

    by_f = {f: {op.process for op in invocations(history) if op.f == f} for f in ("read", "write", "cas")}
    assert by_f == {"read": {0, 1}, "write": {2}, "cas": {3, 4}}


def test_until_ok_ends_with_an_ok_of_its_own_and_of_nobody_elses() -> None:
    history = play(gen.until_ok(READS), complete=gen.imperfect, concurrency=1)
    assert [op.type for op in history if op.type != "invoke"] == ["fail", "info", "ok"]

    def writes_only(op: Op) -> Op:
        return Op(0, op.time + 10_000_000, "ok" if op.f == "write" else "fail", op.process, op.f)

    others = play(gen.any_of(WRITES_3, gen.until_ok(gen.limit(6, READS))), complete=writes_only)
    slept = gen.any_of(gen.until_ok([gen.sleep(0.001), gen.limit(6, READS)]), WRITES_3)
    after_sleep = play(slept, complete=writes_only, concurrency=1)

    assert Counter(fs(others)) == Counter(fs(after_sleep)) == {"write": 3, "read": 6}


def test_process_limit_ends_when_too_many_processes_have_crashed() -> None:
    def silence(op: Op) -> Op:
        return Op(0, op.time + 10_000_000, "info", op.process, op.f)

    history = play(gen.process_limit(4, READS), complete=silence, concurrency=2)

    assert [op.process for op in invocations(history)] == [0, 1, 2, 3]


def test_concurrency_limit_bounds_ops_in_flight() -> None:
    history = play(gen.concurrency_limit(2, gen.limit(6, READS)), concurrency=5)

    assert [time for time, _, _ in story(history)] == [0, 0, 10, 10, 20, 20]


def test_ops_can_be_changed_renamed_and_left_out() -> None:
    doubled = gen.map_ops(lambda request: OpRequest(request.f, 2, request.process, request.time_ns), [READ])

    assert invocations(play(doubled))[0].value == 2
    assert fs(play(gen.f_map({"read": "look"}, [READ, WRITE]))) == ["look", "write"]
    assert fs(play(gen.filter_ops(lambda request: request.f != "write", [WRITE, READ, WRITE, CAS]))) == [
        "read",
        "cas",
    ]


def test_on_update_lets_a_generator_react() -> None:
    """Read back whatever was written."""

    def read_back(source: gen.Generator, event: Op) -> gen.Generator:
        wrote = event.type == "ok" and event.f == "write"
        return gen.sequence(OpRequest("read", event.value), source) if wrote else source

    history = play(gen.on_update(read_back, [OpRequest("write", 8), gen.sleep(1), CAS]), concurrency=1)

    assert fs(history) == ["write", "read", "cas"]
    assert fs(play(gen.on_update(read_back, OpRequest("write", 8)))) == ["write"], (
        "what has ended stays ended"
    )


def test_silence_retires_the_process_and_its_thread_goes_on_as_another() -> None:
    def silence(op: Op) -> Op:
        return Op(0, op.time + 10_000_000, "info", op.process, op.f)

    history = play(gen.limit(6, READS), complete=silence, concurrency=2)

    assert [op.process for op in invocations(history)] == [0, 1, 2, 3, 4, 5]


def test_an_op_that_is_never_answered_keeps_its_process_busy() -> None:
    history = play(gen.limit(3, READS), complete=lambda op: None if op.index == 0 else gen.perfect(op))

    assert [op.process for op in invocations(history)] == [0, 1, 1]
