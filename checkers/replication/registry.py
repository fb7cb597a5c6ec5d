"""The registry: an id is given to one address for ever, and each version of the list adds one (M10)."""

from __future__ import annotations

from collections.abc import Iterator

from ostrakon.checkers.replication.life import detail_of, told, untested, verdict_of
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Event, Trace


def registry(trace: Trace) -> Verdict:
    """M10: no id is given to two addresses, none is taken back from its address, and versions only grow.

    Judges `registry_assign`, whose value is the address and whose detail has its `id` and the `version` of
    the list that has it. An address may be told its id again, at the version at which it got it or later.
    """
    assigned = told(trace, "registry_assign")
    return (
        verdict_of(_clashes(assigned), assigned=len(assigned))
        if assigned
        else untested("M10", "registry_assign")
    )


def _clashes(assigned: list[Event]) -> Iterator[Anomaly]:
    by_id: dict[Key, Event] = {}
    by_address: dict[Key, Event] = {}
    newest: Event | None = None
    for event in assigned:
        id_, address, version = detail_of(event, "id"), canonical(event.value), detail_of(event, "version")
        owner = by_id.setdefault(canonical(id_), event)
        before = by_address.setdefault(address, event)
        if canonical(owner.value) != address:
            yield _clash(
                "id given twice",
                owner,
                event,
                f"id {id_} was given to {value_text(owner.value)} and to {value_text(event.value)}",
            )
        elif detail_of(before, "id") != id_:
            yield _clash(
                "id changed",
                before,
                event,
                f"{value_text(event.value)} was given id {detail_of(before, 'id')} and then id {id_}",
            )
        elif before is event and newest is not None and version is not None and version <= _version(newest):
            yield _clash(
                "version used again",
                newest,
                event,
                f"{value_text(event.value)} was added in version {version}, when the list had come to "
                f"version {_version(newest)}",
            )
        if version is not None and (newest is None or version > _version(newest)):
            newest = event


def _version(event: Event) -> int:
    version = detail_of(event, "version")
    return version if isinstance(version, int) else 0


def _clash(name: str, earlier: Event, later: Event, why: str) -> Anomaly:
    return Anomaly(name, why, (earlier, later), property="M10")
