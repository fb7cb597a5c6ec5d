"""Prints how often a second each of some things can be done, beside what is to be reached."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple


class Timed(NamedTuple):
    """What a measurement returns that looks at the clock itself."""

    count: float  # type: ignore[assignment]  # A tuple's own `count` is not wanted here.
    took_s: float


Measurement = tuple[Callable[[], float | Timed], str, float]
"""Does something so many times and returns how many; what it is called; how many a second to reach, or 0."""


def print_rates(measurements: Mapping[str, Measurement], about: str | None) -> None:
    """Measure what the command line asks for; medians, per second of this process's CPU time."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", choices=measurements, action="append")
    options = parser.parse_args()
    for name in options.only or measurements:
        measure, noun, goal = measurements[name]
        rates = []
        for _ in range(options.repeat):
            begin = time.process_time()
            done = measure()
            timed = done if isinstance(done, Timed) else Timed(done, time.process_time() - begin)
            rates.append(timed.count / timed.took_s)
        note = "" if not goal else f"   (to reach: {goal:,.0f})"
        print(f"{median(rates):12,.0f} /s  {noun}{note}")
