"""Numbers for things, and sets of them as bits, so that states are small and quickly compared."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from ostrakon.paxos_impl.core import Message, Vote
from ostrakon.workloads.small_world.local import Local
from ostrakon.workloads.small_world.witness import Cast, Given, Proposed

COPIES_BITS = 4
"""The number of bits that count the copies of a message under way."""

ItemT = TypeVar("ItemT", bound=Hashable)


class Mail(NamedTuple):
    """A message under way."""

    sender: int
    receiver: int
    message: Message


class Numbers(Generic[ItemT]):
    """Things numbered in the order in which they were first met."""

    def __init__(self) -> None:
        self.items: list[ItemT] = []
        self._numbers: dict[ItemT, int] = {}
        self._sets: dict[int, tuple[ItemT, ...]] = {}

    def of(self, item: ItemT) -> int:
        """The number of a thing."""
        number = self._numbers.get(item)
        if number is None:
            number = self._numbers[item] = len(self.items)
            self.items.append(item)
        return number

    def bits(self, items: Iterable[ItemT]) -> int:
        """A set of things."""
        bits = 0
        for item in items:
            bits |= 1 << self.of(item)
        return bits

    def of_bits(self, bits: int) -> tuple[ItemT, ...]:
        """The things in a set, by their numbers."""
        found = self._sets.get(bits)
        if found is None:
            found = self._sets[bits] = tuple(self.items[number] for number in _members(bits))
        return found


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that occurred in a small world so far, by number."""

    locals: Numbers[Local] = field(default_factory=Numbers)
    mails: Numbers[Mail] = field(default_factory=Numbers)
    votes: Numbers[Cast] = field(default_factory=Numbers)
    promises: Numbers[Given] = field(default_factory=Numbers)
    used: Numbers[Proposed] = field(default_factory=Numbers)
    lessons: Numbers[tuple[Vote, tuple[int, ...]]] = field(default_factory=Numbers)
    """A vote, and the acceptors by whose votes it can be learned."""


def copy_of(mail: int) -> int:
    """One copy of a message."""
    return 1 << mail * COPIES_BITS


def all_copies_of(mail: int) -> int:
    """All copies of a message that there can be."""
    return (1 << COPIES_BITS) - 1 << mail * COPIES_BITS


def mails_in(under_way: int) -> Iterator[int]:
    """The messages of which some copy is under way, by their numbers."""
    mail = 0
    while under_way:
        skipped = ((under_way & -under_way).bit_length() - 1) // COPIES_BITS
        mail += skipped
        yield mail
        under_way >>= (skipped + 1) * COPIES_BITS
        mail += 1


def _members(bits: int) -> Iterator[int]:
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low
