"""Traces and histories in one line, so that a test shows what happened and nothing else.

A trace is a row of sentences:
`1 prepares 1.1; 12 promises 1.1; 1 proposes 1.1=x; 12 votes 1.1=x; 3 learns x`.
The digits name nodes, `2.1` is a ballot, `x` a value (JSON, or else a string), `5:1.1=x` is about slot 5,
and what follows `telling` is what a promise or a restart reports. `1 restarts 2.1` finds that promise, and
`1 restarts` finds nothing. Unless someone `counts` members, 1, 2 and 3 do.
"""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import Any

import msgspec

from ostrakon.harness.history import Event, History, Op, OpType, Trace

_KINDS = {
    "prepares": "prepare_sent",
    "promises": "promise_sent",
    "proposes": "propose_sent",
    "votes": "accept_sent",
    "learns": "learned",
    "applies": "applied",
    "restarts": "restart",
    "counts": "config_active",
    "tells": "tell_sent",
    "compacts": "compacted",
}


def trace(text: str) -> Trace:
    """The trace that these sentences tell; messages and their causes are made up to fit."""
    sentences = [sentence.strip() for sentence in text.split(";") if sentence.strip()]
    if not any(" counts " in sentence for sentence in sentences):
        sentences.insert(0, "123 counts 123")
    clock, lives, sent = count(1), Counter[str](), dict[str, str]()
    events = []
    for sentence in sentences:
        who, verb, *rest = sentence.split()
        for node in names(who):
            lives[node] += verb == "restarts"
            time = next(clock)
            cause = sent.get(_asks(verb, rest))
            event = Event(
                time=time,
                node=node,
                incarnation=lives[node],
                seq=time,
                event=_KINDS[verb],
                message=f"m{time}",
                cause=cause,
                **_fields(verb, rest),
            )
            sent[f"{verb} {' '.join(rest[:1])}"] = f"m{time}"
            events.append(event)
    return tuple(events)


_TYPES: dict[str, OpType] = {"ok": "ok", "fail": "fail", "info": "info"}


def history(text: str) -> History:
    """`0 propose x; 0 ok x n1; 1 get; 1 fail`: process, what it did or how that ended, and who answered."""
    ops: list[Op] = []
    pending: dict[int, str] = {}
    for index, sentence in enumerate(part.split() for part in text.split(";") if part.strip()):
        who, word, value, node = (*sentence, *[None] * (4 - len(sentence)))[:4]
        assert who is not None, f"not a sentence: {sentence}"
        assert word is not None, f"not a sentence: {sentence}"
        process, type = int(who), _TYPES.get(word, "invoke")
        if type == "invoke":
            pending[process] = word
        f = pending[process]
        ops.append(Op(index, index * 1_000_000, type, process, f, _value(value), node=node))
    return History(ops)


def names(digits: str) -> tuple[str, ...]:
    """`123` is n1, n2 and n3."""
    return tuple(f"n{digit}" for digit in digits)


def _asks(verb: str, rest: list[str]) -> str:
    """The sentence whose message leads to this one."""
    ballot = rest[0].partition("=")[0] if rest else ""
    return {
        "promises": f"prepares {ballot}",
        "proposes": f"promises {ballot.rpartition(':')[2]}",
        "votes": f"proposes {' '.join(rest)}",
    }.get(verb, "")


def _fields(verb: str, rest: list[str]) -> dict[str, Any]:
    match verb, rest:
        case "restarts", [promised, *told]:
            return {"promised": _ballot(promised), "accepted": tuple(map(_vote, told[1:]))}
        case "restarts", _:
            return {}
        case "counts", [members]:
            slot, _, digits = members.rpartition(":")
            return {"members": names(digits), "slot": int(slot) if slot else None}
        case "tells", votes:
            return {"accepted": tuple(map(_vote, votes))}
        case "compacts", [slot]:
            return {"slot": int(slot)}
        case "learns" | "applies", [what]:
            slot, _, value = what.rpartition(":")
            return {"slot": int(slot or 0), "value": _value(value)}
        case "promises", [ballot, *told]:
            slot, _, number = ballot.rpartition(":")
            return {
                "slot": int(slot or 0),
                "ballot": _ballot(number),
                "accepted": tuple(map(_vote, told[1:])),
            }
        case "prepares", [ballot]:
            return {"ballot": _ballot(ballot)}
        case _, [what]:
            voted_in, voted_at, value = _vote(what)
            return {"slot": voted_in, "ballot": voted_at, "value": value}
    raise ValueError(f"not a sentence: {verb} {rest}")


def _vote(text: str) -> tuple[int, tuple[int, int], Any]:
    where, _, value = text.partition("=")
    slot, _, ballot = where.rpartition(":")
    return int(slot or 0), _ballot(ballot), _value(value)


def _ballot(text: str) -> tuple[int, int]:
    round, _, server = text.partition(".")
    return int(round), int(server)


def _value(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
