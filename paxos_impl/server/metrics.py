"""Metrics as Prometheus reads them, and those that every node has."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The bounds of latencies, in seconds."""


class Sample(NamedTuple):
    """One number at one moment."""

    name: str
    """What is measured, with the unit at its end; a `counter` never falls and ends in `_total`."""
    kind: Literal["counter", "gauge", "histogram"]
    about: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()
    """Tells samples of the same name apart."""


def rendered(samples: Iterable[Sample]) -> str:
    """The samples in Prometheus's text format; samples of one name must follow one another.

    >>> print(rendered([Sample("paxos_clients", "gauge", "Connected clients.", 3)]), end="")
    # HELP paxos_clients Connected clients.
    # TYPE paxos_clients gauge
    paxos_clients 3
    """
    lines, last = list[str](), ""
    for name, kind, about, value, labels in samples:
        family = name.rpartition("_")[0] if kind == "histogram" else name
        if family != last:
            lines += [f"# HELP {family} {about}", f"# TYPE {family} {kind}"]
            last = family
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        lines.append(f"{name}{{{shown}}} {value:.12g}" if shown else f"{name} {value:.12g}")
    return "\n".join(lines) + "\n"


class Histogram:
    """How many durations were at most so long, for each of several bounds.

    >>> histogram = Histogram(bounds_s=(0.1, 1.0))
    >>> for duration_s in (0.05, 0.5, 5.0): histogram.add(duration_s)
    >>> print(rendered(histogram.samples("paxos_wait_seconds", "Waits.")), end="")
    # HELP paxos_wait_seconds Waits.
    # TYPE paxos_wait_seconds histogram
    paxos_wait_seconds_bucket{le="0.1"} 1
    paxos_wait_seconds_bucket{le="1"} 2
    paxos_wait_seconds_bucket{le="+Inf"} 3
    paxos_wait_seconds_sum 5.55
    paxos_wait_seconds_count 3
    """

    def __init__(self, bounds_s: Sequence[float] = BOUNDS_S) -> None:
        self._bounds_s = tuple(bounds_s)
        self._counts = [0] * (len(self._bounds_s) + 1)
        self._sum_s = 0.0

    def add(self, duration_s: float) -> None:
        """Count a duration."""
        self._counts[bisect_left(self._bounds_s, duration_s)] += 1
        self._sum_s += duration_s

    def samples(self, name: str, about: str, labels: tuple[tuple[str, str], ...] = ()) -> Iterator[Sample]:
        """The samples as Prometheus expects those of a histogram."""
        total = 0
        for bound, count in zip((*(f"{s:g}" for s in self._bounds_s), "+Inf"), self._counts, strict=True):
            total += count
            yield Sample(f"{name}_bucket", "histogram", about, total, (*labels, ("le", bound)))
        yield Sample(f"{name}_sum", "histogram", about, self._sum_s, labels)
        yield Sample(f"{name}_count", "histogram", about, total, labels)


def by_group(groups: Sequence[Sequence[Sample]]) -> Iterator[Sample]:
    """The samples of all groups, sorted by name; with several groups each sample has a label `group`."""
    if len(groups) == 1:
        yield from groups[0]
        return
    names = dict.fromkeys(sample.name for samples in groups for sample in samples)
    for name in names:
        for group, samples in enumerate(groups):
            for sample in samples:
                if sample.name == name:
                    yield sample._replace(labels=(("group", str(group)), *sample.labels))


def sync_samples(syncs: int, syncing_s: float) -> Iterator[Sample]:
    """The samples of a server's disk."""
    yield Sample("paxos_syncs_total", "counter", "Syncs of its disk.", syncs)
    yield Sample("paxos_sync_seconds_total", "counter", "Time spent in syncs.", syncing_s)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
