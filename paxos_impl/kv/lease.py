"""Leases on keys: a key that was put under a lease is deleted when the lease ends.

A lease ends when it is revoked, or when its length has passed, by the time of the log, since it was granted
or last kept alive. What must always hold: up to and including the time `until_ms` the lease is alive, and
none of its keys is deleted because of it. Later it is over for all operations, even if its keys are not
deleted yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from sortedcontainers import SortedDict, SortedList

from ostrakon.paxos_impl.kv.key_map import KeyMap
from ostrakon.paxos_impl.kv.lock import later
from ostrakon.paxos_impl.kv.machine import NotExecuted

LEASES_MAX = 10_000
"""Maximum number of leases at a time."""
LEASE_KEYS_MAX = 1000
"""Maximum number of keys under one lease: all of them are deleted in one slot."""
_ENDED_AT_ONCE = 1000
"""About how many keys are deleted in one slot when leases are over. The rest follows in the next slots."""


class KeyLease(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A lease on keys that was granted, and has not ended."""

    lease_ms: int
    """Its length."""
    until_ms: int
    """Up to and including this time of the log it is alive."""


class Leases:
    """All leases by name, and which keys are under which lease.

    Raises: ValueError, if a key is under a lease that is none.
    """

    def __init__(
        self, leases: Mapping[str, KeyLease] | None = None, lease_of: Iterable[tuple[str, str]] = ()
    ) -> None:
        self._leases: dict[str, KeyLease] = {}
        self._due: SortedList[tuple[int, str]] = SortedList()
        self._keys: dict[str, SortedDict[str, None]] = {}
        self._lease_of = KeyMap()
        for name, lease in (leases or {}).items():
            self._set(name, lease)
        for key, name in lease_of:
            if name not in self._leases:
                raise ValueError(f"{key!r} is under the lease {name!r}, which is none")
            self.attach(key, name)

    def __len__(self) -> int:
        return len(self._leases)

    @property
    def due_ms(self) -> int | None:
        """After this time of the log the next lease is over; None if there is no lease."""
        return self._due[0][0] if self._due else None

    def is_alive(self, name: str, now_ms: int) -> bool:
        """Whether there is a lease with this name that is not over."""
        lease = self._leases.get(name)
        return lease is not None and now_ms <= lease.until_ms

    def grant(self, name: str, lease_ms: int, now_ms: int) -> bool:
        """Grant a lease; False if there is one with this name. Raises: NotExecuted, if there are too many."""
        if name in self._leases:
            return False
        if len(self._leases) >= LEASES_MAX:
            raise NotExecuted(f"there are {LEASES_MAX} leases already")
        self._set(name, KeyLease(lease_ms, later(now_ms, lease_ms)))
        return True

    def keep_alive(self, name: str, now_ms: int) -> bool:
        """Let a lease last for its length from now on; False if it is over."""
        if not self.is_alive(name, now_ms):
            return False
        lease = self._leases[name]
        self._due.remove((lease.until_ms, name))
        self._set(name, KeyLease(lease.lease_ms, max(lease.until_ms, later(now_ms, lease.lease_ms))))
        return True

    def end(self, name: str) -> list[str]:
        """End a lease; the keys that were under it, in order."""
        lease = self._leases.pop(name)
        self._due.remove((lease.until_ms, name))
        keys = list(self._keys.pop(name, ()))
        for key in keys:
            self._lease_of.pop(key)
        return keys

    def end_due(self, now_ms: int) -> list[str]:
        """End leases that are over, the earliest first; the keys that were under them."""
        keys: list[str] = []
        while self._due and self._due[0][0] < now_ms and len(keys) < _ENDED_AT_ONCE:
            keys += self.end(self._due[0][1])
        return keys

    def room(self, name: str) -> int:
        """How many further keys this lease may have."""
        return LEASE_KEYS_MAX - len(self._keys.get(name, ()))

    def lease_of(self, key: str) -> str | None:
        """The lease that a key is under."""
        name: str | None = self._lease_of.get(key)
        return name

    def attach(self, key: str, name: str) -> None:
        """Put a key under a lease, and under no other one."""
        self.detach(key)
        self._keys.setdefault(name, SortedDict())[key] = None
        self._lease_of[key] = name

    def detach(self, key: str) -> None:
        """Let a key be under no lease."""
        if self._keys and (name := self._lease_of.pop(key)) is not None:
            del self._keys[name][key]

    def plain(self) -> dict[str, tuple[int, int]]:
        """All leases as plain data."""
        return {name: (lease.lease_ms, lease.until_ms) for name, lease in sorted(self._leases.items())}

    def keys(self) -> Iterator[tuple[str, str]]:
        """All keys under leases, each with its lease, in order."""
        return self._lease_of.items()

    def freeze(self) -> tuple[int, Iterator[tuple[str, str]]]:
        """The number of keys under leases, and the keys as they are now; see `KeyMap.freeze`."""
        return len(self._lease_of), self._lease_of.freeze()

    def _set(self, name: str, lease: KeyLease) -> None:
        self._leases[name] = lease
        self._due.add((lease.until_ms, name))
