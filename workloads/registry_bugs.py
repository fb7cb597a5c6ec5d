"""Seeded bugs of the registry: each breaks one rule of the assignment of ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec.structs import replace

from ostrakon.harness.workload import SeededBug
from ostrakon.paxos_impl.registry.server import Register, Registry
from ostrakon.paxos_impl.registry.state import Denied, Granted, Registration, RegistryEntry, RegistryState
from ostrakon.paxos_impl.wire.membership import Address

_NOBODY = RegistryEntry(Address("192.0.2.1", 1), "nobody")


class _CountsBeforeItWrites(Registry):
    """Decides while the previous decision is still being written, and so on an old state."""

    async def register(self, request: Register) -> Registration:
        book, answer = self._decide(Address(request.ip, request.port), request)
        if book is not self._state:
            await self._write(book)
            self._state = book
        return answer


class _ForgetsInACrash(Registry):
    """Keeps its state in memory only."""

    async def _write(self, book: RegistryState) -> None:
        pass


class _RefusesWhoReturns(Registry):
    """Denies every address that is registered, even to the instance that has it."""

    def _decide(self, address: Address, request: Register) -> tuple[RegistryState, Registration]:
        book, answer = super()._decide(address, request)
        if book is self._state and isinstance(answer, Granted):
            return book, Denied(f"{address} is registered already")
        return book, answer


class _Overlooks(Registry):
    """Does not see some of its entries."""

    def _overlooks(self, entry: RegistryEntry, request: Register) -> bool:
        raise NotImplementedError

    def _decide(self, address: Address, request: Register) -> tuple[RegistryState, Registration]:
        entries = self._state.entries
        seen = tuple(_NOBODY if self._overlooks(entry, request) else entry for entry in entries)
        looked_at = replace(self._state, entries=seen)
        book, answer = looked_at.register(address, request.token, request.cluster_size)
        if book is looked_at:
            return self._state, answer
        return replace(book, entries=(*entries, book.entries[-1])), answer


class _OverlooksAddresses(_Overlooks):
    def _overlooks(self, entry: RegistryEntry, request: Register) -> bool:
        return entry.token != request.token


class _OverlooksTokens(_Overlooks):
    def _overlooks(self, entry: RegistryEntry, request: Register) -> bool:
        return entry.token == request.token


def _bugs() -> Iterator[SeededBug]:
    def bug(name: str, about: str, broken: Callable[..., Registry]) -> SeededBug:
        return SeededBug(name, about, broken, convicted_by=("registrations",))

    yield bug(
        "id-counted-before-append",
        "an id is counted before the registration that came before is written down",
        _CountsBeforeItWrites,
    )
    yield bug("registration-not-durable", "the book is kept in memory", _ForgetsInACrash)
    yield bug(
        "retry-denied", "who asks again is denied, although the answer may have been lost", _RefusesWhoReturns
    )
    yield bug(
        "address-given-twice",
        "an address is given an id for each instance that names it",
        _OverlooksAddresses,
    )
    yield bug("token-not-recognised", "an instance that asks again is given another id", _OverlooksTokens)


REGISTRY_BUGS: Mapping[str, SeededBug] = {bug.name: bug for bug in _bugs()}
"""The seeded bugs of the registry by name."""
