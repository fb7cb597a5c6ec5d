"""Liveness once faults are over: clients are answered in time (M11, M12), and replicas catch up (M11)."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ostrakon.checkers.replication.life import told, untested, verdict_of
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Event, History, Op, Trace


def recovery(history: History, *, within_s: float, since_ns: int | None = None) -> Verdict:
    """M11: each op that is invoked after the nemesis's last deed is answered within so many seconds.

    A refusal is an answer, silence is none; an op whose time is not up when the history ends does not count.
    With `since_ns`, it is about the ops from that time on, whatever the nemesis does: under a fault that
    stays and leaves some node in touch with a quorum, this is M12.
    """
    if since_ns is None:
        healed = max((op.index for op in history.nemesis), default=-1)
        asked = [pair for pair in history.pairs if pair[0].index > healed]
    else:
        asked = [pair for pair in history.pairs if pair[0].time >= since_ns]
    asked = [(op, done) for op, done in asked if op.is_client]
    if not asked:
        return Verdict.unknown("no client asked for anything after the faults had ended")
    end_ns = max(op.time for op in history)
    name = "M11" if since_ns is None else "M12"
    return verdict_of(_late(asked, end_ns, int(within_s * 1e9), name), asked=len(asked))


def _late(asked: list[tuple[Op, Op | None]], end_ns: int, within_ns: int, property: str) -> Iterator[Anomaly]:
    for op, done in asked:
        due_ns = op.time + within_ns
        answered = done is not None and done.type in ("ok", "fail")
        if end_ns < due_ns or (answered and done is not None and done.time <= due_ns):
            continue
        when = f"after {(done.time - op.time) / 1e9:.3g} s" if answered and done is not None else "never"
        yield Anomaly(
            "late answer",
            f"process {op.process}'s {op.f}, invoked when the system could work, was answered {when}: "
            f"{within_ns / 1e9:g} s are enough",
            (op,) if done is None else (op, done),
            property=property,
        )


def converged(trace: Trace, *, among: Collection[str] | None = None) -> Verdict:
    """M11, of replicas: in the end each member has executed, in its last life, as much as any other.

    The trace must go on for long enough after the last fault and the last operation. Where some faults never
    end, `among` names the nodes that are well, and the others are left out.
    """
    events = told(trace, "applied", "snapshot_installed", "restart", "config_active")
    if not any(event.event in _REACHES for event in events):
        return untested("M11", "applied")
    reached: dict[str, Event | None] = {}
    for event in events:
        if event.event == "restart":
            reached[event.node] = None
        elif event.event in _REACHES:
            reached[event.node] = event
        else:
            reached.setdefault(event.node, None)
    if members := _members_in_the_end(events):
        reached = {node: event for node, event in reached.items() if node in members}
    if among is not None:
        reached = {node: event for node, event in reached.items() if node in among}
    return verdict_of(
        _left_behind(reached, "all faults" if among is None else "their faults"), nodes=len(reached)
    )


_REACHES = ("applied", "snapshot_installed")


def _members_in_the_end(events: list[Event]) -> tuple[str, ...]:
    """Who counts from the highest slot on of which anybody said so; who was removed need not catch up."""
    active = [event for event in events if event.event == "config_active"]
    return max(active, key=_slot).members if active else ()


def _left_behind(reached: dict[str, Event | None], ended: str) -> Iterator[Anomaly]:
    first = max((event for event in reached.values() if event is not None), key=_slot, default=None)
    for node, event in sorted(reached.items()):
        if first is not None and (event is None or _slot(event) < _slot(first)):
            got = "nothing" if event is None else f"no further than slot {_slot(event)}"
            yield Anomaly(
                "left behind",
                f"{first.node} executed slot {_slot(first)}, and {node} {got}, though {ended} had ended",
                (first,) if event is None else (event, first),
                property="M11",
            )


def _slot(event: Event) -> int:
    return event.slot or 0
