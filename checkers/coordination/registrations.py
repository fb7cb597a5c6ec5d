"""Registrations: an id is given to one instance for ever, and whoever has one is counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op


def registrations(history: History) -> Verdict:
    """Ids are unique and permanent, an address belongs to one instance, and views count all who have one.

    Ops are `register` of [address, token], ok with [address, token, id] and failed if it was denied, and
    `view`, ok with {"registered": how many, "members": addresses by id, or null before it is complete}. Ids
    count from 0. Unknown if nobody was registered.
    """
    granted = [op for op in history.where(f="register", type="ok") if _grant(op) is not None]
    if not granted:
        return Verdict.unknown("nobody was ever registered")
    return Verdict.of([*_clashes(granted), *_denied_again(history), *_views(history)], granted=len(granted))


class _Grant(NamedTuple):
    address: Key
    token: Key
    id: int


def _grant(op: Op) -> _Grant | None:
    match op.value:
        case (address, token, int(id_)) | [address, token, int(id_)]:
            return _Grant(canonical(address), canonical(token), id_)
    return None


def _clashes(granted: list[Op]) -> Iterator[Anomaly]:
    by_id: dict[int, Op] = {}
    by_address: dict[Key, Op] = {}
    by_token: dict[Key, Op] = {}
    for op in granted:
        grant = _grant(op)
        assert grant is not None, op
        owner = by_id.setdefault(grant.id, op)
        holder = by_address.setdefault(grant.address, op)
        before = by_token.setdefault(grant.token, op)
        address = value_text(op.value[0])
        if owner.value[0] != op.value[0]:
            why = f"id {grant.id} was given to {value_text(owner.value[0])} and to {address}"
            yield Anomaly("id given twice", why, (owner, op), property="M10")
        elif before.value[2] != grant.id:
            why = f"{address} was given id {before.value[2]}, and when it asked again id {grant.id}"
            yield Anomaly("id changed", why, (before, op), property="M10")
        elif holder.value[1] != op.value[1]:
            why = f"{address} was registered for two instances"
            yield Anomaly("address given twice", why, (holder, op), property="M10")


def _denied_again(history: History) -> Iterator[Anomaly]:
    """Who has an id gets it again: its first answer may have been lost, or it has restarted."""
    granted: dict[tuple[Key, Key], Op] = {}
    for asked, done in history.pairs:
        if asked.f != "register" or done is None:
            continue
        who = (canonical(asked.value[0]), canonical(asked.value[1]))
        if done.type == "ok":
            granted.setdefault(who, done)
        elif done.type == "fail" and who in granted and granted[who].index < asked.index:
            address, id_ = value_text(asked.value[0]), granted[who].value[2]
            why = f"{address}, which has id {id_}, asked again and was denied"
            yield Anomaly("denied again", why, (granted[who], asked, done), property="M10")


def _views(history: History) -> Iterator[Anomaly]:
    known: dict[Key, Op] = {}
    """By address, who was the first to hear that it is registered."""
    begun: dict[int, Mapping[Key, Op]] = {}
    complete: Op | None = None
    for op in history.clients:
        if op.f == "view" and op.type == "invoke":
            begun[op.index] = dict(known)
        elif op.f == "register" and op.type == "ok" and (grant := _grant(op)) is not None:
            known.setdefault(grant.address, op)
        elif op.f == "view" and op.type == "ok" and (asked := history.invocation(op)) is not None:
            yield from _missing(asked, op, begun.pop(asked.index))
            if (members := _members(op)) is not None:
                if complete is not None and members != _members(complete):
                    yield Anomaly(
                        "views differ", "two views of the cluster differ", (complete, op), property="M10"
                    )
                complete = complete or op


def _missing(asked: Op, view: Op, known: Mapping[Key, Op]) -> Iterator[Anomaly]:
    members = _members(view)
    if view.value["registered"] < len(known):
        why = f"{view.value['registered']} are registered by a view, and {len(known)} had been told so before"
        yield Anomaly("not counted", why, (*known.values(), asked, view), property="M10")
    elif members is not None:
        listed = {canonical(address): id_ for id_, address in members.items()}
        for address, op in known.items():
            if listed.get(address) != str(op.value[2]):
                why = f"{value_text(op.value[0])}, which was given id {op.value[2]}, has not got it in a view"
                yield Anomaly("not in view", why, (op, asked, view), property="M10")


def _members(view: Op) -> Mapping[str, Any] | None:
    members = view.value["members"]
    return None if members is None else {str(id_): address for id_, address in members.items()}
