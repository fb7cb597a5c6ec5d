"""Scales, from quantities to places in a drawing: linear, logarithmic, and stretched where much happens."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Linear:
    """Equal lengths for equal differences."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, quantity: float) -> float:
        """The place of a quantity."""
        span = self.high - self.low
        part = (quantity - self.low) / span if span else 0.0
        return self.start + part * (self.end - self.start)

    def ticks(self, about: int = 8) -> list[float]:
        """Round quantities, 1, 2 or 5 times a power of ten apart."""
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        step = round_step(span / about)
        first = math.ceil(self.low / step)
        return [step * n for n in range(first, math.floor(self.high / step) + 1)]


@dataclass(frozen=True, slots=True)
class Logarithmic:
    """Equal lengths for equal ratios. Quantities are positive."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, quantity: float) -> float:
        """The place of a quantity; what is below the lowest lies at the start."""
        low, high = math.log10(self.low), math.log10(self.high)
        part = (math.log10(max(quantity, self.low)) - low) / (high - low) if high > low else 0.0
        return self.start + part * (self.end - self.start)

    def ticks(self) -> list[float]:
        """The powers of ten from lowest to highest."""
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        return [10.0**power for power in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Stretched:
    """Time that passes quickly where nothing happens and slowly where much does.

    Known at some instants, and linear between these.
    """

    times: Sequence[int]
    places: Sequence[float]

    def __call__(self, time: float) -> float:
        """The place of an instant."""
        at = bisect_right(self.times, time)
        if at == 0:
            return self.places[0]
        if at == len(self.times):
            return self.places[-1]
        before, after = self.times[at - 1], self.times[at]
        part = (time - before) / (after - before)
        return self.places[at - 1] + part * (self.places[at] - self.places[at - 1])

    def squeezed(self) -> Iterator[tuple[float, float]]:
        """The stretches, from place to place, on which time passes much quicker than elsewhere."""
        steps = [
            (after - before, here, there)
            for (before, after), (here, there) in zip(
                pairwise(self.times), pairwise(self.places), strict=True
            )
        ]
        paces = sorted(length / (there - here) for length, here, there in steps if there > here)
        usual = paces[len(paces) // 2] if paces else 0.0
        for length, here, there in steps:
            if there > here and length / (there - here) > 6 * usual:
                yield here, there

    def ticks(self, distance: float = 90.0) -> Iterator[int]:
        """Some of the known instants, none closer to the next than `distance`."""
        last = -math.inf
        for time, place in zip(self.times, self.places, strict=True):
            if place - last >= distance:
                yield time
                last = place


def stretched(
    times: Sequence[int], room: Mapping[int, tuple[int, float]], start: float, end: float
) -> Stretched:
    """Give every instant its place: at least a few pixels after the one before, at most a few dozen.

    `times` is sorted and without repetition. `room` says of an instant that it must lie at least so far
    behind an earlier one. The result reaches from `start` to `end`, or beyond where that is too little.
    """
    if not times:
        return Stretched((0, 1), (start, end))
    gaps = sorted(after - before for before, after in pairwise(times))
    usual = gaps[len(gaps) // 2] if gaps else 1
    places: dict[int, float] = {times[0]: start}
    for before, after in pairwise(times):
        place = places[before] + min(48.0, max(7.0, 14.0 * (after - before) / usual))
        if after in room and room[after][0] in places:
            place = max(place, places[room[after][0]] + room[after][1])
        places[after] = place
    last = places[times[-1]]
    grow = max(1.0, (end - start) / (last - start)) if last > start else 1.0
    return Stretched(times, [start + (place - start) * grow for place in places.values()])


def round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, 50 ... (or their fractions) that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))
