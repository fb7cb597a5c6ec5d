"""What several groups report, in one trace: each event tells its group, and no message has another's id."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import asdict

from ostrakon.paxos_impl.core import TraceEvent
from ostrakon.paxos_impl.driver import Tracer


class GroupEvent(TraceEvent, frozen=True, omit_defaults=True, gc=False):
    """An event of one of several groups; a slot is one of that group's log."""

    group: int = 0


def traced_in(group: int, tracer: Tracer, incarnation: int, numbers: Iterator[int]) -> Tracer:
    """Takes the events of a group of a server, and hands them on as those of the server."""

    def named(id: str | None) -> str | None:
        return None if id is None else f"g{group}.{id}"

    def trace(event: TraceEvent) -> None:
        told = asdict(event)
        told |= {"incarnation": incarnation, "seq": next(numbers), "group": group}
        told |= {"message": named(event.message), "cause": named(event.cause)}
        tracer(GroupEvent(**told))

    return trace
