"""The order in which a checker could put operations, and where that order breaks, as drawings show it.

Athalye's Porcupine draws the same: on the bar of each operation the moment at which it may have taken effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ostrakon.reports import texts


@dataclass(frozen=True, slots=True)
class Order:
    """A linearization of one object, or the part of it that there is."""

    name: str
    """The object, for people; empty if there is only one."""
    key: Any
    """The object, as the verdict has it."""
    invoked: tuple[int, ...]
    """The operations in their order, by the indices of their invocations."""
    blocked: int | None = None
    """The operation whose return no order gets past, by the index of its invocation."""


def orders(verdict: object) -> list[Order]:
    """Every order that a verdict and its parts tell, those that break first."""
    return sorted(_orders(verdict), key=lambda order: order.blocked is None)


def _orders(verdict: object) -> Iterator[Order]:
    if not isinstance(verdict, Mapping):
        return
    details = verdict.get("details")
    if isinstance(details, Mapping):
        partial, whole = details.get("partial_linearization"), details.get("linearization")
        yield from _order([partial])
        yield from _order(whole if isinstance(whole, list) else [])
    inner = verdict.get("parts")
    for part in inner.values() if isinstance(inner, Mapping) else ():
        yield from _orders(part)


def _order(told: Sequence[Any]) -> Iterator[Order]:
    for one in told:
        if not isinstance(one, Mapping) or not isinstance(order := one.get("order"), list):
            continue
        if not all(type(index) is int for index in order):
            continue
        key, blocked = one.get("object"), one.get("blocked")
        name = "" if key is None else key if isinstance(key, str) else texts.value(key, 40)
        yield Order(texts.short(name, 40), key, tuple(order), blocked if type(blocked) is int else None)


def points(order: Order, begins: Mapping[int, int]) -> dict[int, int]:
    """For each operation of an order, the earliest moment at which it can have taken effect.

    `begins` has the moment of each invocation. An operation takes effect after it was invoked, and not before
    those that precede it in the order.
    """
    found: dict[int, int] = {}
    latest: int | None = None
    for index in order.invoked:
        if index in begins:
            latest = begins[index] if latest is None else max(latest, begins[index])
            found[index] = latest
    return found
