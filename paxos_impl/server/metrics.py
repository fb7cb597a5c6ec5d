"""Metrics as Prometheus reads them, and those that every node has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple


class Sample(NamedTuple):
    """One number at one moment."""

    name: str
    """What is measured, with the unit at its end; a `counter` never falls and ends in `_total`."""
    kind: Literal["counter", "gauge"]
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
        if name != last:
            lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
            last = name
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        lines.append(f"{name}{{{shown}}} {value:.12g}" if shown else f"{name} {value:.12g}")
    return "\n".join(lines) + "\n"


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
