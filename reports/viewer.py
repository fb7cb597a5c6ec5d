"""All operations, faults and messages of a run as data for the page's viewer, which draws what is in sight.

The script of the page (`pages/viewer.js`) unpacks and draws them. This file decides what there is to draw.
Columns of whole numbers become text: each number is 7 bits a byte, least first, with the sign in the lowest
bit (varints and zigzag of Protocol Buffers); deflate packs them, and base64 makes them text, a hundredth of
the size of the same as SVG. A browser unpacks them by its `DecompressionStream`, without a library.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec
from markupsafe import Markup

from ostrakon.harness.history import Event, History, Op
from ostrakon.harness.history.message import Message
from ostrakon.harness.history.plural import count
from ostrakon.reports import texts
from ostrakon.reports.bands import Band
from ostrakon.reports.diagram_layout import natural
from ostrakon.reports.event_text import answer, bare, is_transaction, question, words
from ostrakon.reports.linearization import Order
from ostrakon.reports.markup import element
from ostrakon.reports.timeline import fault_class, lane_of

EVENTS_MAX, FAULTS_MAX, ORDERED_MAX = 20_000, 400, 50_000
"""Trace events, faults and ordered operations that the viewer gets at most."""
_TEXT_MAX = 80
_EXACT_MAX = 20_000
"""Operations up to which times are given in nanoseconds; of more, in microseconds, which takes less."""
ENDS = ("ok", "fail", "info")
"""How operations end, by their numbers in the data."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """How processes and nodes share the height of a drawing."""

    history: History
    concurrency: int | None
    nodes: tuple[str, ...] = ()


class _Interned:
    """Numbers values in the order in which they are first seen."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def __call__(self, value: Any) -> int:
        return self.numbers.setdefault(value, len(self.numbers))

    @property
    def values(self) -> list[Any]:
        return list(self.numbers)


def view(
    lanes: Lanes,
    bands: Sequence[Band],
    *,
    witness: Collection[int] = (),
    orders: Sequence[Order] = (),
    messages: Sequence[Message] = (),
    events: Sequence[Event] = (),
) -> Markup:
    """The data as an element of the page; nothing if no client did anything."""
    pairs = list(lanes.history.pairs)
    if not pairs:
        return Markup("")
    header, columns = drawing_data(
        lanes, pairs, bands, witness=witness, orders=orders, messages=messages, events=events[:EVENTS_MAX]
    )
    # A data block is no script: no browser runs it, and the page's policy has nothing to allow.
    data = Markup(packed(header, columns))
    return element("script", data, type="application/x-ostrakon-view", id="view-data")


def drawing_data(
    lanes: Lanes,
    pairs: Sequence[tuple[Op, Op | None]],
    bands: Sequence[Band],
    *,
    witness: Collection[int] = (),
    orders: Sequence[Order] = (),
    messages: Sequence[Message] = (),
    events: Sequence[Event] = (),
) -> tuple[dict[str, Any], list[list[int]]]:
    """What the viewer draws: a header with names, and a column for each property of operations, then of
    messages and events. The n-th entry of each of the first `op_columns` columns is about the n-th operation.
    """
    fs, words_, keysets, keys = _Interned(), _Interned(), _Interned(), _Interned()
    places = sorted({lane_of(op, lanes.concurrency) for op, _ in pairs})
    lane_number = {place: n for n, place in enumerate(places)}
    words_("")
    is_timed = texts.has_times(lanes.history)
    unit = 1_000 if is_timed and len(pairs) > _EXACT_MAX else 1
    machines = _machines(lanes, messages, events)
    nodes, numbers = _Interned(), {name: n for n, name in enumerate(machines)}
    nodes(None)
    keys_of = key_reader(pairs)
    rows = [
        (
            op.time // unit,
            -1 if done is None else max(0, done.time // unit - op.time // unit),
            lane_number[lane_of(op, lanes.concurrency)],
            op.process if isinstance(op.process, int) else -1,
            2 if done is None else ENDS.index(done.type),
            fs(texts.short(op.f, 40)),
            keysets(tuple(keys(key) for key in keys_of(op))),
            nodes(_node(op, done)),
            words_(question(op, done, _TEXT_MAX)),
            words_(answer(op, done, _TEXT_MAX)),
            words_(texts.sentence(done.error, 120) if done is not None and done.error is not None else ""),
            op.index,
        )
        for op, done in pairs
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    number_of = {op.index: n for n, (op, _) in enumerate(pairs)}
    own = {done.index: number_of[op.index] for op, done in pairs if done is not None}
    marked = sorted(
        {number for index in witness if (number := own.get(index, number_of.get(index))) is not None}
    )
    header = {
        "timed": is_timed,
        "unit": unit,
        "count": len(pairs),
        "lanes": [f"{'client' if lanes.concurrency else 'process'} {place}" for place in places],
        "fs": fs.values,
        "nodes": [name and texts.short(name, 40) for name in nodes.values],
        "keys": [bare(key, 40) for key in keys.values],
        "keysets": keysets.values,
        "texts": words_.values,
        "witness": marked,
        "faults": [_fault(band, unit) for band in bands[:FAULTS_MAX]],
        "orders": _told_orders(orders, number_of, keys.numbers),
        "machines": [texts.short(name, 40) for name in machines],
        "messages": len(messages),
        "events": len(events),
    }
    told, seen = _Interned(), sorted(messages, key=lambda message: message.sent)
    columns[0], columns[11] = deltas(columns[0]), deltas(columns[11])
    columns += [
        deltas([message.sent // unit for message in seen]),
        [_took(message, unit) for message in seen],
        [numbers[message.sender] for message in seen],
        [numbers[message.receiver] for message in seen],
        [told(texts.short(message.text or _size(message), _TEXT_MAX)) for message in seen],
        deltas([event.time // unit for event in events]),
        [numbers[event.node] for event in events],
        [told(texts.short(words(event, 40), _TEXT_MAX)) for event in events],
    ]
    header["said"] = told.values
    return header, columns


def key_reader(pairs: Sequence[tuple[Op, Op | None]]) -> Any:
    """A function from an op to the keys that it is about, as the values of this history show them.

    Transactions name a key in each of their steps, `["append", key, value]`. Elsewhere a value of
    `[key, value]` has one, if all ops are of that form and some of them only read (`[key, nil]`); a pair such
    as the old and the new value of a compare-and-set is none.
    """
    values = [op.value for op, _ in pairs if op.value is not None]
    if values and all(map(is_transaction, values)):
        return lambda op: dict.fromkeys(_hashable(step[1]) for step in op.value or ())
    are_pairs = all(isinstance(value, list | tuple) and len(value) == 2 for value in values)
    if are_pairs and any(value[1] is None for value in values):
        return lambda op: () if op.value is None else (_hashable(op.value[0]),)
    return lambda op: ()


def _hashable(key: Any) -> Any:
    return key if isinstance(key, str | int | float | bool | None) else texts.value(key, 60)


def _node(op: Op, done: Op | None) -> str | None:
    return op.node or (done.node if done is not None else None)


def _machines(lanes: Lanes, messages: Sequence[Message], events: Sequence[Event]) -> list[str]:
    """The lanes below those of clients: whoever sends, receives or reports."""
    if not messages and not events:
        return []
    names = {*lanes.nodes, *(event.node for event in events)}
    names.update(name for message in messages for name in (message.sender, message.receiver))
    return sorted(names, key=lambda name: (name != "clients", natural(name)))


def _fault(band: Band, unit: int) -> dict[str, Any]:
    return {
        "label": band.label,
        "style": fault_class(band.kind),
        "start": band.start // unit,
        "end": None if band.end is None else band.end // unit,
        "nodes": list(band.nodes),
    }


def _told_orders(
    orders: Sequence[Order], number_of: Mapping[int, int], keys: Mapping[Any, int]
) -> list[dict[str, Any]]:
    told, left = [], ORDERED_MAX
    for order in orders:
        if len(order.invoked) > left:
            break
        left -= len(order.invoked)
        told.append(
            {
                "name": order.name,
                "key": keys.get(_hashable(order.key)) if order.key is not None else None,
                "ops": [number_of[index] for index in order.invoked if index in number_of],
                "blocked": number_of.get(order.blocked) if order.blocked is not None else None,
            }
        )
    return told


def _took(message: Message, unit: int) -> int:
    if message.received is None:
        return -1
    return max(0, message.received // unit - message.sent // unit)


def _size(message: Message) -> str:
    return "" if message.size is None else count(message.size, "byte")


def packed(header: Any, columns: Sequence[Sequence[int]]) -> str:
    """A header, any plain data, and columns, as base64 of deflated bytes.

    The bytes are the header's length as a varint, the header as JSON, then the columns one after the other.
    The header must tell how long each column is.
    """
    text = msgspec.json.encode(header, enc_hook=repr)
    raw = varints([len(text)]) + text + b"".join(varints(column) for column in columns)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b64encode(deflate.compress(raw) + deflate.flush()).decode()


def varints(numbers: Iterable[int]) -> bytes:
    """Whole numbers of either sign, one after the other."""
    out = bytearray()
    append = out.append
    for number in numbers:
        rest = number << 1 if number >= 0 else (-number << 1) - 1
        while rest > 127:
            append(rest & 127 | 128)
            rest >>= 7
        append(rest)
    return bytes(out)


def deltas(numbers: Sequence[int]) -> list[int]:
    """The first number and then the difference of each to the one before; small where numbers grow slowly."""
    return [*numbers[:1], *(after - before for before, after in pairwise(numbers))]
