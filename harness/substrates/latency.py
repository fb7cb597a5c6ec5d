"""How long a message is under way, as a distribution of milliseconds.

Anything with such a `sampler` will do; these are the usual ones.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Protocol

from ostrakon.harness import plan

_NS_PER_MS = 1_000_000


class Latency(Protocol):
    """A distribution of delays."""

    def sampler(self, rng: random.Random) -> Callable[[], int]:
        """A function that draws a delay in nanoseconds from `rng`."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same."""

    ms: float

    def sampler(self, rng: random.Random) -> Callable[[], int]:
        """Draws nothing."""
        delay_ns = int(self.ms * _NS_PER_MS)
        return lambda: delay_ns


@dataclass(frozen=True, slots=True)
class Uniform:
    """Anything from `low_ms` to `high_ms`."""

    low_ms: float
    high_ms: float

    def sampler(self, rng: random.Random) -> Callable[[], int]:
        """One draw each."""
        low_ns, span_ns = self.low_ms * _NS_PER_MS, (self.high_ms - self.low_ms) * _NS_PER_MS
        draw = rng.random
        return lambda: int(low_ns + span_ns * draw())


@dataclass(frozen=True, slots=True)
class Exponential:
    """At least `floor_ms`, and `mean_ms` on average: most are quick and a few are late."""

    mean_ms: float
    floor_ms: float = 0.1

    def sampler(self, rng: random.Random) -> Callable[[], int]:
        """One draw each."""
        floor_ns = self.floor_ms * _NS_PER_MS
        mean_ns = max(0.0, self.mean_ms - self.floor_ms) * _NS_PER_MS
        draw = rng.random
        return lambda: int(floor_ns - mean_ns * log(1.0 - draw()))


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Half are below `median_ms`; `sigma` says how heavy the tail is (0.5 is calm, 1.5 is bad)."""

    median_ms: float
    sigma: float = 0.5

    def sampler(self, rng: random.Random) -> Callable[[], int]:
        """Two draws or more each."""
        median_ns, sigma, draw = self.median_ms * _NS_PER_MS, self.sigma, rng.lognormvariate
        return lambda: int(median_ns * draw(0.0, sigma))


@dataclass(frozen=True, slots=True)
class MeasuredDelays:
    """One of the delays that were measured somewhere, all equally likely."""

    table_ms: tuple[float, ...]

    def sampler(self, rng: random.Random) -> Callable[[], int]:
        """One draw each."""
        table_ns = [int(ms * _NS_PER_MS) for ms in self.table_ms]
        draw = rng.random
        return lambda: table_ns[int(draw() * len(table_ns))]


def planned_latency(planned: plan.Latency) -> Latency:
    """The distribution that a plan describes."""
    match planned.kind:
        case "constant":
            return Constant(planned.low_ms)
        case "uniform":
            return Uniform(planned.low_ms, planned.high_ms)
        case "exponential":
            return Exponential(mean_ms=planned.high_ms, floor_ms=planned.low_ms)
        case "lognormal":
            return LogNormal(planned.high_ms, sigma=1.0)
