"""States of a small world with the names of some acceptors exchanged."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from ostrakon.paxos_impl.core import Preparing
from ostrakon.workloads.small_world.local import Local
from ostrakon.workloads.small_world.numbers import COPIES_BITS, Book, Mail, Numbers, all_copies_of, mails_in
from ostrakon.workloads.small_world.witness import Cast, Given, Proposed


class Renaming:
    """One exchange of names; nodes that are not mentioned keep theirs."""

    def __init__(self, book: Book, members: tuple[int, ...], names: Mapping[int, int]) -> None:
        self._book, self._names = book, names
        self._places = sorted(range(len(members)), key=lambda place: self._name(members[place]))
        self._locals: dict[int, int] = {}
        self._mails: dict[int, int] = {}
        self._votes: dict[int, int] = {}
        self._promises: dict[int, int] = {}
        self._used: dict[int, int] = {}

    def nodes(self, nodes: tuple[int, ...]) -> tuple[int, ...]:
        """The nodes, each in the place of its new name."""
        return tuple(self._local(nodes[place]) for place in self._places)

    def under_way(self, under_way: int) -> int:
        """The messages under way."""
        renamed = 0
        for mail in mails_in(under_way):
            copies = (under_way & all_copies_of(mail)) >> mail * COPIES_BITS
            renamed += copies << self._mail(mail) * COPIES_BITS
        return renamed

    def votes(self, votes: int) -> int:
        """A set of votes."""

        def cast(item: Cast) -> Cast:
            return self._name(item[0]), item[1]

        return _set(votes, self._votes, self._book.votes, cast)

    def promises(self, promises: int) -> int:
        """A set of promises."""

        def given(item: Given) -> Given:
            return self._name(item[0]), item[1]

        return _set(promises, self._promises, self._book.promises, given)

    def used(self, used: int) -> int:
        """What ballots were used for, which names proposers only."""

        def proposed(item: Proposed) -> Proposed:
            return self._name(item[0]), item[1], item[2]

        return _set(used, self._used, self._book.used, proposed)

    def _name(self, node: int) -> int:
        return self._names.get(node, node)

    def _local(self, number: int) -> int:
        found = self._locals.get(number)
        if found is None:
            renamed = self._renamed(self._book.locals.items[number])
            found = self._locals[number] = self._book.locals.of(renamed)
        return found

    def _renamed(self, local: Local) -> Local:
        instance = local.instance
        proposer = instance.proposer
        if isinstance(phase := proposer.phase, Preparing):
            promisers = tuple(map(self._name, phase.promisers))
            proposer = replace(proposer, phase=replace(phase, promisers=promisers))
        server_id = self._name(instance.server_id)
        return replace(local, instance=replace(instance, server_id=server_id, proposer=proposer))

    def _mail(self, number: int) -> int:
        found = self._mails.get(number)
        if found is None:
            sender, receiver, message = self._book.mails.items[number]
            mail = Mail(self._name(sender), self._name(receiver), message)
            found = self._mails[number] = self._book.mails.of(mail)
        return found


def _set(bits: int, known: dict[int, int], numbers: Numbers, rename: Callable) -> int:  # type: ignore[type-arg]
    found = known.get(bits)
    if found is None:
        found = known[bits] = numbers.bits([rename(item) for item in numbers.of_bits(bits)])
    return found
