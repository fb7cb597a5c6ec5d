"""Seeded bugs of sessions and of the state machine: each breaks one rule, in all replicas equally.

All replicas are wrong in the same way, so the trace of the log is correct. Only the checkers of clients'
histories can find these bugs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import trio
from msgspec.structs import replace

from ostrakon.harness.workload import SeededBug
from ostrakon.paxos_impl.core.multi.command import Command
from ostrakon.paxos_impl.kv.machine import StateMachine
from ostrakon.paxos_impl.kv.operation import Acquire, Add, Cas, Get, Guarded, Simple, parse
from ostrakon.paxos_impl.kv.sessions import OPENING, Executed, Execution, SessionRecord, Sessions
from ostrakon.paxos_impl.kv.store import Store
from ostrakon.workloads.log_bugs import Breakage

# Sessions.


class _TakesUnknownForNew(Sessions):
    """Keeps only two sessions, and treats the first command of a forgotten session as one of a new
    session."""

    def __init__(self, machine: StateMachine) -> None:
        super().__init__(machine, limit=2)

    def _known(self, command: Command) -> SessionRecord | None:
        known = super()._known(command)
        return SessionRecord(0, None) if known is None and command.number == 1 else known


class _KnowsCommandsByValue(Sessions):
    """Treats a command as a retry if the previous command, of any client, had the same operation."""

    _last: tuple[Any, Execution] | None = None

    def execute(self, command: Command) -> Execution:
        if command.number == OPENING:
            return super().execute(command)
        if self._last is None or self._last[0] != command.op:
            self._last = command.op, super().execute(command)
        return self._last[1]


class _AnswersRetriesAnew(Sessions):
    """Executes a command once, but answers a retry with the result that it would have now."""

    def execute(self, command: Command) -> Execution:
        executed = super().execute(command)
        if isinstance(executed, Executed) and executed.again:
            now = Store()
            now.restore(self._machine.state())
            return Executed(now.execute(command.op), again=True)
        return executed


class _ForgetsResults(Sessions):
    """Remembers that a command was executed, but not its result."""

    def execute(self, command: Command) -> Execution:
        executed = super().execute(command)
        if isinstance(executed, Executed) and executed.again:
            return Executed(None, again=True)
        return executed


class _DigestsStamps(Sessions):
    """Compares replicas by the numbers of what they have executed, and not by what that came to."""

    def digest(self) -> str:
        return f"{[(client, session.number) for client, session in self._sessions.items()]}"


# One key.


class _SwapsByAnOldValue(Store):
    """Compares with the value of a key before its last write."""

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[str, Any] = {}

    def _execute(self, op: Simple) -> Any:
        if isinstance(op, Cas) and self._before.get(op.key) == op.old:
            self._set(op.key, op.new)
            return True
        return super()._execute(op)

    def _set(self, key: str, value: Any) -> None:
        self._before[key] = self._values.get(key)
        super()._set(key, value)


class _SwapsUnseen(Store):
    """Swaps whatever the current value is."""

    def _execute(self, op: Simple) -> Any:
        if isinstance(op, Cas):
            self._set(op.key, op.new)
            return True
        return super()._execute(op)


class _MergesByMaximum(Store):
    """Adds as a counter that is merged by maximum: an addition counts only if it exceeds what is there."""

    def _execute(self, op: Simple) -> Any:
        if not isinstance(op, Add):
            return super()._execute(op)
        merged = max(self._values.get(op.key, 0), op.amount)
        self._set(op.key, merged)
        return merged


# Several keys.


class _IgnoresConditions(Store):
    def _transact(self, given: tuple[tuple[str, Any], ...], ops: tuple[Simple, ...]) -> list[Any] | None:
        return super()._transact((), ops)


class _ChecksAsItGoes(Store):
    """Executes a transaction key by key, up to the first condition that does not hold."""

    def _transact(self, given: tuple[tuple[str, Any], ...], ops: tuple[Simple, ...]) -> list[Any] | None:
        results: list[Any] = []
        for place, op in enumerate(ops):
            if super()._transact(given[place : place + 1], ()) is None:
                return None
            results.append(self._execute(op))
        return results


class _ReadsKeysApart(Store):
    """Reads some keys of a transaction in an older state; which keys, varies."""

    def __init__(self) -> None:
        super().__init__()
        self._past: deque[dict[str, Any]] = deque([{}], maxlen=4)

    def execute(self, op: Any) -> Any:
        result = super().execute(op)
        if not self.is_query(op):
            self._past.append(dict(self._values))
        return result

    def _transact(self, given: tuple[tuple[str, Any], ...], ops: tuple[Simple, ...]) -> list[Any] | None:
        turn = len(self._values) % 2
        results = super()._transact(given, ops)
        for place, op in enumerate(ops):
            if results is not None and isinstance(op, Get) and place % 2 == turn:
                results[place] = self._past[0].get(op.key)
        return results


# Locks.


class _ForgetsTokens(Store):
    """Counts the grants of a lock since its last release."""

    def _release(self, name: str, token: int) -> bool:
        released = super()._release(name, token)
        if released:
            del self._locks[name]
        return released


class _TakesAnyToken(Store):
    def carry_out(self, operation: Any) -> Any:
        match operation:
            case Guarded(_, _, inner):
                return [self._execute(inner)]
        return super().carry_out(operation)


class _AsksItsOwnClock(Store):
    """Uses the time of its own machine instead of the time in the log."""

    now_s: Callable[[], float] = staticmethod(trio.current_time)

    def _acquire(self, name: str, holder: str, lease_ms: int, at_ms: int) -> int | None:
        return super()._acquire(name, holder, lease_ms, int(1000 * self.now_s()))


class _CutsLeasesShort(Store):
    """Grants a lock to the next client after half of the lease."""

    def _acquire(self, name: str, holder: str, lease_ms: int, at_ms: int) -> int | None:
        return super()._acquire(name, holder, lease_ms // 2, at_ms)


class _TakesAnyLease(Store):
    """Grants leases of any length, so that the end of one may be a number that no encoding has."""

    @staticmethod
    def parse(op: Any) -> Any:
        match op:
            case ["acquire", str(lock), str(holder), int(lease_ms), *_]:
                return Acquire(lock, holder, lease_ms)
        return parse(op)

    def stamped(self, op: Any, at_ms: int) -> Any:
        return op if op[0] == "acquire" else super().stamped(op, at_ms)

    def _acquire(self, name: str, holder: str, lease_ms: int, at_ms: int) -> int | None:
        granted = super()._acquire(name, holder, lease_ms, at_ms)
        if granted is not None:
            self._locks[name] = replace(self._locks[name], until_ms=self.reached_ms + 1000 * lease_ms)
        return granted


class _LeasesNeverEnd(Store):
    """Lets nobody else have a lock before its holder has released it."""

    def _acquire(self, name: str, holder: str, lease_ms: int, at_ms: int) -> int | None:
        held = self._lock(name)
        if held.holder not in (None, holder):
            return None
        return super()._acquire(name, holder, lease_ms, at_ms)


# Leases on keys.


class _EndsLeasesEarly(Store):
    """Grants leases on keys for half of their length."""

    def _grant(self, name: str, lease_ms: int, at_ms: int) -> bool:
        return super()._grant(name, lease_ms // 2, at_ms)


class _KeepsAliveInVain(Store):
    """Says that a lease was kept alive, and leaves it as it is."""

    def _keep_alive(self, name: str, at_ms: int) -> bool:
        self._pass_time(at_ms)
        return self._leases.is_alive(name, self._reached_ms)


class _NeverTicks(Store):
    """Ends leases only when a client asks for something that depends on the time."""

    @property
    def due_ms(self) -> int | None:
        return None


class _DetachesAll(Store):
    """Forgets which keys are under a lease when the lease is kept alive."""

    def _keep_alive(self, name: str, at_ms: int) -> bool:
        alive = super()._keep_alive(name, at_ms)
        for key, held_by in list(self._leases.keys()):
            if alive and held_by == name:
                self._leases.detach(key)
        return alive


class _TicksByItsOwnClock(Store):
    """Ends leases by the time of its own machine instead of the time in the log."""

    now_s: Callable[[], float] = staticmethod(trio.current_time)

    def _pass_time(self, at_ms: int) -> None:
        super()._pass_time(max(at_ms, int(1000 * self.now_s())))


def _sessions(name: str, about: str, sessions: Callable[[StateMachine], Sessions], *by: str) -> SeededBug:
    return SeededBug(name, about, Breakage(sessions=sessions), convicted_by=by)


def _machine(name: str, about: str, machine: Callable[[], StateMachine], *by: str) -> SeededBug:
    return SeededBug(name, about, Breakage(machine=machine), convicted_by=by)


def _by_name(*bugs: SeededBug) -> Mapping[str, SeededBug]:
    return {bug.name: bug for bug in bugs}


SET_BUGS = _by_name(
    _sessions(
        "sessions-forgotten-early",
        "only two sessions are remembered, and the first command of a forgotten one is executed again",
        _TakesUnknownForNew,
        *("set", "M4"),
    )
)
AT_MOST_ONCE_BUGS = _by_name(
    _sessions(
        "unknown-session-is-new",
        "the first command of a session that is not known is taken for that of a new one, and executed",
        _TakesUnknownForNew,
        *("set", "M4"),
    )
)
HOSTILE_BUGS = _by_name(
    _machine(
        "leases-of-any-length",
        "the lease of a lock may end at a time that has no encoding",
        _TakesAnyLease,
        "node crashed",
    )
)
COUNTER_BUGS = _by_name(
    _sessions(
        "commands-known-by-value",
        "two commands that ask for the same, one right after the other, are taken for one",
        _KnowsCommandsByValue,
        "counter",
    ),
    _machine(
        "merged-by-maximum",
        "two additions are merged by taking the larger one: all replicas agree, and are wrong together",
        _MergesByMaximum,
        "counter",
    ),
    _machine("swaps-unseen", "a compare-and-swap does not compare", _SwapsUnseen, "counter"),
    _machine(
        "swaps-by-old-value",
        "a compare-and-swap goes by what was there before the last write, too",
        _SwapsByAnOldValue,
        "counter",
    ),
)
UNIQUE_ID_BUGS = _by_name(
    _sessions(
        "retries-answered-anew",
        "a repeated command is answered with what it would come to now",
        _AnswersRetriesAnew,
        *("unique-ids", "M4"),
    ),
    _sessions(
        "results-forgotten",
        "of a repeated command it is remembered that it was executed, but not its result",
        _ForgetsResults,
        *("unique-ids", "M4"),
    ),
)
BANK_BUGS = _by_name(
    _machine(
        "conditions-ignored",
        "a transaction is done whatever its keys hold by now",
        _IgnoresConditions,
        "bank",
    ),
    _machine(
        "transaction-by-halves",
        "the conditions of a transaction are checked one by one, after what comes before them was done",
        _ChecksAsItGoes,
        *("bank", "transactions"),
    ),
)
_READ_APART = _machine(
    "keys-read-apart",
    "keys that are read together are read as of different times",
    _ReadsKeysApart,
    *("long-fork", "transactions", "M3"),  # A replica that has restarted does not know those times.
)
APPEND_BUGS = _by_name(BANK_BUGS["transaction-by-halves"], _READ_APART)
LONG_FORK_BUGS = _by_name(_READ_APART)
EPHEMERAL_BUGS = _by_name(
    _machine(
        "leases-on-keys-cut-short",
        "a lease on keys is over when half of its length has passed",
        _EndsLeasesEarly,
        "ephemeral",
    ),
    _machine(
        "kept-alive-in-vain",
        "a lease that is kept alive ends as if it had not been",
        _KeepsAliveInVain,
        "ephemeral",
    ),
    _machine(
        "leases-without-ticks",
        "a lease ends only when a client asks for something that depends on the time",
        _NeverTicks,
        "vanished",
    ),
    _machine(
        "keys-outlive-leases",
        "a key whose lease was kept alive once stays for ever",
        _DetachesAll,
        "vanished",
    ),
    _machine(
        "leases-on-keys-by-own-clock",
        "each replica ends leases on keys by its own clock",
        _TicksByItsOwnClock,
        *("M3", "ephemeral"),
    ),
)
LOCK_BUGS = _by_name(
    _machine(
        "tokens-begin-again",
        "a lock that is given back counts its tokens from the beginning",
        _ForgetsTokens,
        "fencing",
    ),
    _machine(
        "any-token-will-do", "what is done under a lock is done by any token", _TakesAnyToken, "fencing"
    ),
    _machine(
        "lease-by-own-clock",
        "each replica asks its own clock whether a lease has run out",
        _AsksItsOwnClock,
        *("M3", "fencing"),
    ),
    SeededBug(
        "digest-over-stamps",
        "replicas are compared by stamps, not values, so nobody sees that their clocks made them differ",
        Breakage(sessions=_DigestsStamps, machine=_AsksItsOwnClock),
        convicted_by=("M3", "M4", "fencing"),
    ),
    _machine(
        "leases-never-end",
        "a lock whose holder is gone is never free again",
        _LeasesNeverEnd,
        "freed",
    ),
    _machine(
        "lease-cut-short", "a lock is free again when half of its lease is over", _CutsLeasesShort, "leases"
    ),
)
