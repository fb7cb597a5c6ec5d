"""The player: completions, its refusals, and what must hold of every history it makes."""

import random
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness import generator as gen
from ostrakon.harness.generator import PENDING, Context, Generator, OpRequest, play
from ostrakon.harness.generator.op_request import NextOp
from ostrakon.harness.history import History, Op

READS = gen.repeat(OpRequest("read"))


class Saying(msgspec.Struct, frozen=True):
    """Says whatever it is given."""

    answer: object

    def next_op(self, ctx: Context) -> NextOp:
        return self.answer, self  # type: ignore[return-value]

    def update(self, event: Op) -> Generator:
        return self


def generators() -> st.SearchStrategy[Generator]:
    leaves = st.sampled_from(
        [None, OpRequest("read"), OpRequest("write", 1), OpRequest("cas", time_ns=15_000_000)]
    ).map(gen.lift)
    leaves |= st.just(gen.sleep(0.005)) | st.just(gen.log("hello"))
    seeds = st.integers(0, 99).map(random.Random)
    return st.recursive(leaves, lambda inner: _combined(inner, seeds), max_leaves=8)


def _combined(
    inner: st.SearchStrategy[Generator], seeds: st.SearchStrategy[random.Random]
) -> st.SearchStrategy[Generator]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        several.map(lambda sources: gen.sequence(*sources)),
        several.map(lambda sources: gen.phases(*sources)),
        several.map(lambda sources: gen.any_of(*sources)),
        several.map(lambda sources: gen.shortest_of(*sources)),
        several.map(lambda sources: gen.flip_flop(*sources)),
        st.builds(lambda sources, rng: gen.mix(*sources, rng=rng), several, seeds),
        st.builds(gen.repeat, inner, st.integers(0, 5)),
        st.builds(gen.cycle, inner, st.integers(0, 3)),
        st.builds(gen.limit, st.integers(0, 5), inner),
        st.builds(gen.time_limit, st.sampled_from([0, 0.01, 0.05]), inner),
        st.builds(gen.concurrency_limit, st.integers(1, 3), inner),
        st.builds(gen.process_limit, st.integers(1, 8), inner),
        st.builds(lambda source, rng: gen.stagger(0.01, source, rng=rng), inner, seeds),
        st.builds(gen.delay, st.sampled_from([0, 0.004]), inner),
        inner.map(gen.each_thread),
        inner.map(gen.each_process),
        inner.map(gen.until_ok),
    )


@given(generators(), st.integers(2, 4), st.sampled_from([gen.quick, gen.perfect, gen.imperfect]))
def test_every_history_is_one_that_could_have_been(
    source: Generator, concurrency: int, complete: gen.scheduler.Complete
) -> None:
    # `repeat` of what never begins would be asked for ever, so everything is bounded in ops.
    history = play(gen.limit(60, source), complete=complete, concurrency=concurrency, nemesis=True)

    assert [op.index for op in history] == list(range(len(history)))
    assert all(a.time <= b.time for a, b in pairwise(history))
    busy: set[object] = set()
    silent: set[object] = set()
    for op in (op for op in history if op.is_client):
        assert op.process not in silent
        assert (op.type == "invoke") == (op.process not in busy)
        (busy.add if op.type == "invoke" else busy.discard)(op.process)
        if op.type == "info":
            silent.add(op.process)
    assert not busy, "everything was answered"
    assert len(list(History(history).pairs)) * 2 == sum(op.is_client for op in history)


@given(generators())
def test_the_same_generator_plays_the_same_twice(source: Generator) -> None:
    """Generators are values: playing one leaves it as it was."""
    bounded = gen.limit(40, source)

    assert play(bounded, complete=gen.imperfect, nemesis=True) == play(
        bounded, complete=gen.imperfect, nemesis=True
    )


@given(generators(), st.integers(0, 50))
def test_what_has_ended_stays_ended(source: Generator, later_ms: int) -> None:
    ctx = Context.start(3, nemesis=True)
    while (asked := source.next_op(ctx)) is not None and ctx.time_ns < 10**9:
        request, source = asked
        ctx = ctx.at(ctx.time_ns + 10**7 if request is PENDING else max(ctx.time_ns + 1, request.time_ns))
        if request is PENDING:
            return  # Something must complete first.

    assert source.next_op(ctx.at(ctx.time_ns + later_ms * 10**6)) is None


def test_a_generator_without_end_is_refused_with_what_would_bound_it() -> None:
    with pytest.raises(gen.ImpossibleGenerator, match="limit"):
        play(READS, ops_max=100)


def test_a_generator_that_waits_for_nothing_is_refused_instead_of_hanging() -> None:
    with pytest.raises(gen.ImpossibleGenerator, match="no op is in flight"):
        play(Saying(PENDING))


def test_all_problems_of_a_malformed_op_are_told_at_once() -> None:
    with pytest.raises(gen.MalformedOp) as refused:
        play(Saying(OpRequest("", process=17, time_ns=-1, action="dance")))  # type: ignore[arg-type]

    assert len(refused.value.problems) == 4
    assert "f is '', expected a name" in str(refused.value)
    assert "does not act yet" in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (OpRequest("read", process=0, action="sleep", value="long"), "seconds"),
        (OpRequest("read", process="nemesis"), "no process 'nemesis'"),
        (OpRequest("read", process=None), "neither a number nor"),
        (OpRequest("read", process=0, time_ns=0.5), "whole number"),  # type: ignore[arg-type]
        ("read", "expected an OpRequest"),
    ],
)
def test_a_malformed_answer_is_told_apart(answer: object, why: str) -> None:
    with pytest.raises(gen.MalformedOp, match=why):
        play(Saying(answer))


def test_what_is_not_an_answer_at_all_is_told_too() -> None:
    class Odd:
        def next_op(self, ctx: Context) -> NextOp:
            return OpRequest("read")  # type: ignore[return-value]

        def update(self, event: Op) -> Generator:
            return self

    with pytest.raises(gen.MalformedOp, match="something to do and a generator"):
        play(Odd())


def test_errors_of_a_generator_carry_what_it_was_doing() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as raised:
        play(gen.then(OpRequest("read"), broken))

    assert any("was asked at Context" in note for note in raised.value.__notes__)


def test_a_busy_process_is_waited_for() -> None:
    history = play([OpRequest("read", process=0), OpRequest("write", process=0)], concurrency=3)

    assert [(op.time, op.f) for op in history if op.type == "invoke"] == [(0, "read"), (10_000_000, "write")]
