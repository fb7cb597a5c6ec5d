from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ostrakon.reports.scale import Linear, Logarithmic, round_step, stretched

instants = st.lists(st.integers(0, 10**12), min_size=1, max_size=40, unique=True).map(sorted)


def test_ticks_are_round_and_within_the_scale() -> None:
    assert Linear(0, 97, 0, 100).ticks(5) == [0, 20, 40, 60, 80]


def test_a_scale_of_one_quantity_puts_it_at_the_start() -> None:
    assert Linear(5, 5, 10, 20)(5) == 10
    assert Linear(5, 5, 10, 20).ticks() == [5]


def test_a_logarithmic_scale_has_a_tick_at_each_power_of_ten() -> None:
    scale = Logarithmic(1_000, 1_000_000, 0, 300)

    assert scale.ticks() == [1e3, 1e4, 1e5, 1e6]
    assert [round(scale(tick)) for tick in scale.ticks()] == [0, 100, 200, 300]
    assert scale(1) == 0, "what is below the lowest lies at the start"


@given(st.floats(1e-6, 1e12))
def test_a_round_step_is_as_small_as_it_may_be(least: float) -> None:
    assert least * (1 - 1e-6) <= round_step(least) <= least * 2.5 * (1 + 1e-6)


@given(instants)
def test_stretched_time_never_runs_backwards_and_keeps_its_instants_apart(times: list[int]) -> None:
    scale = stretched(times, {}, 0, 500)
    places = [scale(time) for time in times]

    assert all(after - before >= 6.99 for before, after in pairwise(places))
    assert places[0] == 0
    assert len(times) == 1 or places[-1] >= 499.9


@given(instants, st.data())
def test_stretched_time_gives_the_room_it_was_asked_for(times: list[int], data: st.DataObject) -> None:
    later = data.draw(st.sampled_from(times[1:] or times))
    earlier = data.draw(st.sampled_from(times[: times.index(later)] or times[:1]))
    if earlier == later:
        return

    scale = stretched(times, {later: (earlier, 90.0)}, 0, 10)

    assert scale(later) - scale(earlier) >= 89.9


@given(instants, st.integers(0, 10**12))
def test_an_instant_in_between_lies_in_between(times: list[int], time: int) -> None:
    scale = stretched(times, {}, 0, 100)

    assert scale(times[0]) <= scale(time) <= scale(times[-1])
