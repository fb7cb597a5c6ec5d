"""Leases: two holders never have the same lease at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Event, History, Op, Process, Trace

FOREVER = 2**63


@dataclass(frozen=True, slots=True)
class Hold:
    """A period in which a holder certainly had a lease: from `since_ns` up to but not including
    `until_ns`."""

    lease: Any
    holder: str
    since_ns: int
    until_ns: int
    witness: tuple[Op | Event, ...]


def client_leases(history: History, *, duration_ns: int | None = None) -> Verdict:
    """Check that two clients never hold the same lease at the same time.

    Ops are `acquire` and `release`; the value is the name of the lease. A client certainly holds a lease from
    the `ok` of its `acquire` until it invokes a `release` that does not fail. With `duration_ns`, it holds
    the lease for at most this time after the invocation of its `acquire`.
    """
    return _exclusive(_client_holds(history, duration_ns), None)


def client_leases_end(history: History, *, within_ns: int, denial: str) -> Verdict:
    """Check that a lease whose holder does not renew it becomes free.

    Ops are as for `client_leases`. An `acquire` that failed with the error `denial` found another holder. The
    last denials of a lease, after which nobody acquired it, must not span more than `within_ns`: the longest
    that a lease may last, with some time to spare for elections.
    """
    denied: dict[Key, list[Op]] = {}
    asked_for = 0
    for asked, done in history.pairs:
        if asked.f != "acquire":
            continue
        asked_for += 1
        if done is None or done.type != "fail":
            denied.pop(canonical(asked.value), None)
        elif done.error == denial:
            denied.setdefault(canonical(asked.value), []).append(done)
    if not asked_for:
        return Verdict.unknown("nobody ever asked for a lease")
    return Verdict.of(
        Anomaly(
            "lease never ended",
            f"lease {value_text(ops[0].value)} was denied for {(ops[-1].time - ops[0].time) / 1e6:g} ms, "
            f"{len(ops)} times, and nobody acquired it any more",
            (ops[0], ops[-1]),
        )
        for ops in denied.values()
        if ops[-1].time - ops[0].time > within_ns
    )


def node_leases(trace: Trace, *, rule: str | None = None) -> Verdict:
    """Check that two nodes never hold the same lease at the same true time.

    A node holds a lease from its event `lease_acquired` until `lease_expired` or its restart. The value of
    these events is the name of the lease. `rule` is the rule of the table (`checkers.rules`) that the system
    is held to by this, if it is one of those.
    """
    return _exclusive(_node_holds(trace), rule)


def _exclusive(holds: Iterable[Hold], rule: str | None) -> Verdict:
    holds = sorted(holds, key=lambda hold: hold.since_ns)
    if not holds:
        return Verdict.unknown("nobody ever held a lease")
    return Verdict.of(_overlaps(holds, rule), holds=len(holds))


def _overlaps(holds: list[Hold], rule: str | None) -> Iterator[Anomaly]:
    """In order of their begin, each period must begin after all earlier periods of its lease have ended."""
    longest: dict[Key, Hold] = {}
    for hold in holds:
        key = canonical(hold.lease)
        earlier = longest.get(key)
        if earlier is not None and hold.since_ns < earlier.until_ns and hold.since_ns < hold.until_ns:
            both_ms = (min(earlier.until_ns, hold.until_ns) - hold.since_ns) / 1e6
            how_long = f"for {both_ms:g} ms" if both_ms < FOREVER / 2e6 else "for ever"
            why = f"{earlier.holder} and {hold.holder} both held lease {value_text(hold.lease)}, {how_long}"
            yield Anomaly("lease held twice", why, (*earlier.witness, *hold.witness), property=rule)
        if earlier is None or hold.until_ns > earlier.until_ns:
            longest[key] = hold


def _client_holds(history: History, duration_ns: int | None) -> Iterator[Hold]:
    held: dict[tuple[Process, Key], tuple[Op, Op]] = {}

    def hold(asked: Op, got: Op, until_ns: int, *more: Op) -> Hold:
        expires_ns = FOREVER if duration_ns is None else asked.time + duration_ns
        witness = (asked, got, *more)
        return Hold(asked.value, f"process {asked.process}", got.time, min(until_ns, expires_ns), witness)

    for asked, done in history.pairs:
        key = (asked.process, canonical(asked.value))
        if asked.f == "acquire" and done is not None and done.type == "ok":
            held[key] = (asked, done)
        elif asked.f == "release" and key in held and (done is None or done.type != "fail"):
            yield hold(*held.pop(key), asked.time, asked)
    for asked, got in held.values():
        yield hold(asked, got, FOREVER)


def _node_holds(trace: Trace) -> Iterator[Hold]:
    held: dict[tuple[str, Key], Event] = {}
    for event in sorted(trace, key=lambda event: event.time):
        key = (event.node, canonical(event.value))
        match event.event:
            case "lease_acquired":
                held.setdefault(key, event)
            case "lease_expired" if key in held:
                began = held.pop(key)
                yield Hold(began.value, event.node, began.time, event.time, (began, event))
            case "restart":
                for mine in [key for key in held if key[0] == event.node]:
                    began = held.pop(mine)
                    yield Hold(began.value, event.node, began.time, event.time, (began, event))
    for began in held.values():
        yield Hold(began.value, began.node, began.time, FOREVER, (began,))
