"""Progress under partial partitions: as long as one replica reaches a quorum, clients are served (M12)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import NEMESIS, History, Op

Grudge = Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class _Window:
    """A time in which the links between nodes stay as they are."""

    since_ns: int
    until_ns: int
    hub: str
    """A node that hears a quorum, itself included, and is heard by it."""
    cause: Op
    """What cut the last of its links."""


def progress(history: History, nodes: Sequence[str], *, within_s: float) -> Verdict:
    """M12: when links are cut, and nothing else is amiss, clients are served again within this time.

    That is asked of times in which some node still reaches a quorum both ways. In the first half of what they
    have there may be an election; in the second, something must be done, if anything is asked for. The
    verdict is unknown if no such time lasts long enough.
    """
    within_ns = int(within_s * 1e9)
    judged = [
        (window, asked)
        for window in _windows(history, nodes)
        if window.until_ns - window.since_ns >= within_ns
        and (asked := _invoked(history, window.since_ns, window.since_ns + within_ns))
    ]
    if not judged:
        return Verdict.unknown(f"no partition that leaves somebody with a quorum lasted for {within_s:g} s")
    return Verdict.of(
        (
            _anomaly(window, asked, within_s)
            for window, asked in judged
            if not any(
                window.since_ns + within_ns // 2 < ended <= window.since_ns + within_ns
                for ended in _done(history, asked)
            )
        ),
        windows=len(judged),
    )


def _windows(history: History, nodes: Sequence[str]) -> Iterator[_Window]:
    """The times between one change of the faults at work and the next, if only links are cut."""
    grudges: dict[int, Grudge] = {}
    others: set[int] = set()
    since: Op | None = None
    hub: str | None = None
    for op in history:
        if op.process != NEMESIS or op.f == "stopped":
            continue
        if since is not None and hub is not None and op.time > since.time:
            yield _Window(since.time, op.time, hub, since)
        _note(op, grudges, others)
        since, hub = op, _hub(nodes, grudges.values()) if grudges and not others else None


def _note(op: Op, grudges: dict[int, Grudge], others: set[int]) -> None:
    doing, _, kind = op.f.partition("-")
    if doing == "heal" or not isinstance(op.value, Mapping):
        grudges.clear()
        others.clear()
    elif doing == "start" and kind == "partition":
        grudges[op.value["id"]] = op.value.get("grudge", {})
    elif doing == "start":
        others.add(op.value["id"])
    else:
        grudges.pop(op.value["id"], None)
        others.discard(op.value["id"])


def _hub(nodes: Sequence[str], grudges: Collection[Grudge]) -> str | None:
    def hears(receiver: str, sender: str) -> bool:
        return not any(sender in grudge.get(receiver, ()) for grudge in grudges)

    for node in nodes:
        reached = [peer for peer in nodes if hears(node, peer) and hears(peer, node)]
        if 2 * len(reached) > len(nodes):
            return node
    return None


def _invoked(history: History, since_ns: int, until_ns: int) -> list[Op]:
    return [op for op in history.where(type="invoke") if since_ns <= op.time <= until_ns]


def _done(history: History, asked: Iterable[Op]) -> Iterator[int]:
    """When any of these was done."""
    ended = (history.completion(op) for op in asked)
    return (op.time for op in ended if op is not None and op.type == "ok")


def _anomaly(window: _Window, asked: Sequence[Op], within_s: float) -> Anomaly:
    return Anomaly(
        "no progress",
        f"{window.hub} reached a quorum from {window.since_ns / 1e6:.0f} ms on, and of what clients asked "
        f"for nothing was done from {within_s / 2:g} s to {within_s:g} s after that",
        (window.cause, *asked[:4]),
        property="M12",
    )
