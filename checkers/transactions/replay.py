"""Checks a certificate against the ops of a history, and shares nothing with what found the certificate.

The order of commits in the certificate is the order of the versions of each key. Its model then says which
transactions each one sees, and every read must show the latest version among those:

- serializable: all that committed before;
- snapshot isolation and prefix: all that committed before it started;
- parallel snapshot isolation and consistent view: what it read from and what it overwrote, and all that
  these saw;
- causal: what it read from and, of its session, what ran before, and all that these saw;
- update atomic and read atomic: the same without what these saw;
- monotonic atomic view: what it had read from so far.

At read committed and cursor stability a read may show any version that was committed before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from ostrakon.checkers.value import canonical
from ostrakon.harness.history import NEMESIS, Op

Version = tuple[int, int, Any]
"""When it was committed, by whom, and the register's value or the list's length since."""


class _Txn(NamedTuple):
    micro_ops: Any
    is_ok: bool
    """Otherwise the reads mean nothing."""
    process: Any
    invoked: int
    done: int


class _Invalid(Exception):
    """What is wrong with a certificate."""


class Replay:
    """The transactions of one history, for any number of certificates to be checked against.

    >>> from ostrakon.checkers.transactions.notation import history
    >>> replay = Replay(history("x=1 ; x:1"))
    >>> replay.fault({"model": "rw-register", "consistency": "serializable", "order": [1, 3]})
    >>> replay.fault({"model": "rw-register", "consistency": "serializable", "order": [3, 1]})
    "op 3 read 1 of 'x'; what it sees is null"
    """

    def __init__(self, history: Iterable[Op]) -> None:
        self._txns: dict[int, _Txn] = {}
        self._failed: list[Any] = []
        pending: dict[Any, tuple[int, Op]] = {}
        for at, op in enumerate(history):
            if op.process == NEMESIS:
                continue
            if op.type == "invoke":
                if op.process in pending:
                    self._silent(*pending[op.process])
                pending[op.process] = (at, op)
                continue
            since, asked = pending.pop(op.process, (at, op))
            if op.type == "fail":
                self._failed.append(asked.value)
            else:
                is_ok = op.type == "ok"
                told = op.value if is_ok else asked.value
                self._txns[op.index] = _Txn(told, is_ok, op.process, since, at)
        for at, op in pending.values():
            self._silent(at, op)

    def _silent(self, at: int, op: Op) -> None:
        self._txns[op.index] = _Txn(op.value, False, op.process, at, at)

    def fault(self, certificate: Mapping[str, Any]) -> str | None:
        """Why the certificate proves nothing; None if it proves that the history satisfies its model."""
        try:
            of_lists = {"list-append": True, "rw-register": False}[certificate["model"]]
            model, order = str(certificate["consistency"]), certificate["order"]
            _Check(dict(self._txns), self._failed, of_lists, model, order).run()
        except _Invalid as error:
            return str(error)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return f"it is no certificate of this history: {type(error).__name__}: {error}"
        return None


_SEES_ALL = {"serializable", "strict-serializable", "repeatable-read"}
_SNAPSHOT = {"snapshot-isolation", "prefix"}
_TRANSITIVE = {"causal", "causal-cerone", "parallel-snapshot-isolation", "consistent-view"}
_SEES_OVERWRITTEN = {"update-atomic", "parallel-snapshot-isolation", "consistent-view"}
_ATOMIC = {"read-atomic", "update-atomic", "monotonic-atomic-view"}
_ANY_VERSION = {"read-committed", "cursor-stability"}
_REREADS = {"read-committed", "monotonic-atomic-view", "cursor-stability", "consistent-view"}
"""Models that say nothing of a transaction that does not find what it wrote itself."""


class _Check:
    """One certificate."""

    def __init__(
        self, txns: dict[int, _Txn], failed: list[Any], of_lists: bool, model: str, order: list[Any]
    ) -> None:
        self.txns, self.failed, self.of_lists, self.model = txns, failed, of_lists, model
        self.session = model == "causal" or model.startswith("strong-session-")
        self.realtime = not self.session and model.startswith(("strong-", "strict-"))
        self.base = model.removeprefix("strong-session-").removeprefix("strong-")
        known = _SEES_ALL | _SNAPSHOT | _TRANSITIVE | _ATOMIC | _ANY_VERSION | {"read-uncommitted"}
        if self.base not in known:
            raise _Invalid(f"there is no model {model!r}")
        self.start: dict[int, int] = {}
        self.commit: dict[int, int] = {}
        self.versions: dict[Any, list[Version]] = {}
        self.lists: dict[Any, list[Any]] = {}
        """Of lists, all that was appended, in order of commit."""
        self.position: dict[tuple[Any, Any], int] = {}
        """By key and writer, the position of the version; by key and ("value", value) too, or ("length",
        n)."""
        for at, entry in enumerate(order):
            self._place(at, entry)

    def _place(self, at: int, entry: Any) -> None:
        match entry:
            case ["start", int() as name]:
                if name in self.start:
                    raise _Invalid(f"op {name} starts twice, or after its commit")
                self.start[name] = at
                return
            case ["outside", key, value]:
                name = -1 - at
                self.txns[name] = _Txn([["w", key, value]], False, None, -1, -1)
            case int() as name if name in self.txns:
                pass
            case _:
                raise _Invalid(f"{entry!r} is no transaction that may have committed")
        if name in self.commit:
            raise _Invalid(f"op {name} commits twice")
        self.commit[name] = at
        self.start.setdefault(name, at)

    def run(self) -> None:
        """Raises: _Invalid."""
        for name, txn in self.txns.items():
            if txn.is_ok and name not in self.commit:
                raise _Invalid(f"op {name} is ok, but does not commit")
        if self.start.keys() != self.commit.keys():
            raise _Invalid("a transaction starts that does not commit")
        if self.base not in _SNAPSHOT and self.start != self.commit:
            raise _Invalid(f"at {self.model} transactions have no start apart from their commit")
        if self.session or self.realtime:
            self._check_time()
        self._install()
        if self.base == "snapshot-isolation":
            self._check_conflicts()
        if self.base == "read-uncommitted":
            self._check_uncommitted()
        elif self.base in _SEES_ALL | _SNAPSHOT:
            self._check_snapshots()
        else:
            self._check_visible()

    def _check_time(self) -> None:
        """What ran before something in real time, or in its session, committed before that started."""
        moments = [(self.txns[name].invoked, 0, name) for name in self.commit if name >= 0]
        moments += [(txn.done, 1, name) for name, txn in self.txns.items() if txn.is_ok]
        latest: dict[Any, int] = {}
        for _, is_done, name in sorted(moments):
            group = self.txns[name].process if self.session else None
            if is_done:
                latest[group] = max(latest.get(group, -1), self.commit[name])
            elif self.start[name] < latest.get(group, -1):
                raise _Invalid(f"op {name} starts before something commits that was complete before it began")

    def _install(self) -> None:
        """Write everything down in order of commit."""
        for name in sorted(self.commit, key=self.commit.__getitem__):
            last: dict[Any, Any] = {}
            for f, key, value in self._micro_ops(self.txns[name].micro_ops):
                if f == "append":
                    self.lists.setdefault(key, []).append(value)
                    last[key] = len(self.lists[key])
                elif f == "w":
                    last[key] = value
            for key, content in last.items():
                versions = self.versions.setdefault(key, [])
                self.position[key, name] = len(versions)
                self.position[key, ("length" if self.of_lists else "value", content)] = len(versions)
                versions.append((self.commit[name], name, content))

    def _check_conflicts(self) -> None:
        for key, versions in self.versions.items():
            for (at, one, _), (_, other, _) in pairwise(versions):
                if self.start[other] < at:
                    raise _Invalid(f"ops {one} and {other} both write {key!r} and ran at the same time")

    def _reads(self, name: int) -> Iterator[tuple[Any, Any, bool]]:
        """Key, value and whether the read was of all registers: what was read of others' versions."""
        own: dict[Any, list[Any]] = {}
        for f, key, value in self._micro_ops(self.txns[name].micro_ops):
            mine = own.get(key, [])
            if f == "rp":
                for each in dict.fromkeys((*self.versions, *value)):
                    if each not in own:
                        yield each, value.get(each), True
            elif f != "r":
                own[key] = [*mine, value]
            elif not mine:
                yield key, value, False
            elif self.of_lists and value[-len(mine) :] == mine:
                yield key, value[: -len(mine)], False
            elif self.of_lists or value != mine[-1]:
                self._reread(name, key)
                if (value[-1:] if self.of_lists else [value])[:1] not in [[each] for each in mine]:
                    yield key, value, False

    def _reread(self, name: int, key: Any) -> None:
        if self.base not in _REREADS:
            raise _Invalid(f"op {name} did not find in {key!r} what it had written itself")

    def _check_snapshots(self) -> None:
        for name, start in self.start.items():
            if not self.txns[name].is_ok:
                continue
            for key, value, predicate in self._reads(name):
                if predicate and self.base == "repeatable-read":
                    self._source(name, key, value)
                    continue
                versions = self.versions.get(key, [])
                at = bisect_left(versions, (start,)) - 1
                content = versions[at][2] if at >= 0 else None
                if self.of_lists:
                    content = self.lists[key][:content] if at >= 0 else []
                if value != content:
                    seen = "null" if content is None else repr(content)
                    raise _Invalid(f"op {name} read {value!r} of {key!r}; what it sees is {seen}")

    def _source(self, name: int, key: Any, value: Any) -> int:
        """The position of the version that was read, -1 for the initial one. It was committed before."""
        if value is None or (self.of_lists and not value):
            return -1
        if self.of_lists:
            if self.lists.get(key, [])[: len(value)] != value:
                raise _Invalid(
                    f"op {name} read {value!r} of {key!r}, which is no beginning of what was appended"
                )
            at = self.position.get((key, ("length", len(value))))
        else:
            at = self.position.get((key, ("value", value)))
        if at is None or self.versions[key][at][0] > self.commit[name]:
            raise _Invalid(f"op {name} read {value!r} of {key!r}, which nobody had committed")
        return at

    def _check_visible(self) -> None:
        views: dict[int, dict[Any, int]] = {}
        """Of each transaction, the latest version that it sees of each key."""
        latest: dict[Any, int] = {}
        for name in self.commit:
            txn = self.txns[name]
            reads = [
                (key, self._source(name, key, value))
                for key, value, _ in (self._reads(name) if txn.is_ok else ())
            ]
            own = [key for key in self._keys(name) if (key, name) in self.position]
            if self.base in _TRANSITIVE:
                views[name] = self._view(name, reads, own, views, latest)
                for key, at in reads:
                    if views[name].get(key, -1) > at:
                        self._missed(name, key)
                views[name].update((key, self.position[key, name]) for key in own)
            elif self.base in _ATOMIC:
                self._check_atomic(name, reads, own)
            elif self.base == "cursor-stability":
                for key, at in reads:
                    if key in own and self.position[key, name] != at + 1:
                        raise _Invalid(f"op {name} overwrote {key!r} as it had not read it")
            latest[txn.process] = name

    def _keys(self, name: int) -> Iterable[Any]:
        return dict.fromkeys(
            key for f, key, _ in self._micro_ops(self.txns[name].micro_ops) if f in ("append", "w")
        )

    def _missed(self, name: int, key: Any) -> None:
        raise _Invalid(f"op {name} read a version of {key!r} that is older than one it sees")

    def _view(
        self,
        name: int,
        reads: list[tuple[Any, int]],
        own: list[Any],
        views: dict[int, dict[Any, int]],
        latest: dict[Any, int],
    ) -> dict[Any, int]:
        seen = {self.versions[key][at][1] for key, at in reads if at >= 0}
        if self.base in _SEES_OVERWRITTEN:
            before = ((key, self.position[key, name] - 1) for key in own)
            seen.update(self.versions[key][at][1] for key, at in before if at >= 0)
        process = self.txns[name].process
        if self.session and process in latest and self.txns[latest[process]].is_ok:
            seen.add(latest[process])
        view: dict[Any, int] = {}
        for other in seen:
            for key, at in views[other].items():
                if view.get(key, -1) < at:
                    view[key] = at
        return view

    def _check_atomic(self, name: int, reads: list[tuple[Any, int]], own: list[Any]) -> None:
        txn = self.txns[name]
        sources: set[int] = set()
        if self.base != "monotonic-atomic-view":
            sources = {self.versions[key][at][1] for key, at in reads if at >= 0}
        for key, at in reads:
            for when, other, _ in self.versions.get(key, [])[at + 1 :]:
                if other == name or when > self.commit[name]:
                    continue
                ran = self.session and self.txns[other].is_ok and self.txns[other].process == txn.process
                if other in sources or (ran and self.base == "read-atomic"):
                    self._missed(name, key)
                if self.base == "update-atomic" and any(
                    self.position.get((each, other), len(self.txns)) < self.position[each, name]
                    for each in own
                ):
                    self._missed(name, key)
            if at >= 0:
                sources.add(self.versions[key][at][1])

    def _check_uncommitted(self) -> None:
        """Every value was written by somebody; where all reads of a list agree, its order is that of
        commits."""
        written = {
            (key, value): name
            for name, txn in self.txns.items()
            for f, key, value in self._micro_ops(txn.micro_ops)
            if f in ("append", "w")
        }
        aborted = {(key, value) for ops in self.failed for f, key, value in self._micro_ops(ops) if f != "r"}
        lists: dict[Any, list[list[Any]]] = {}
        for name, txn in self.txns.items():
            for key, value, _ in self._reads(name) if txn.is_ok else ():
                values = value if self.of_lists else [value][: value is not None]
                if any((key, each) not in written and (key, each) not in aborted for each in values):
                    raise _Invalid(f"op {name} read {value!r} of {key!r}, which nobody wrote")
                if len(set(values)) < len(values):
                    raise _Invalid(f"op {name} read {value!r} of {key!r}, which has a value twice")
                if self.of_lists:
                    lists.setdefault(key, []).append(value)
        for key, reads in lists.items():
            values = _agreed(reads)
            known = [self.commit.get(written[key, each], -1) for each in values if (key, each) in written]
            placed = [at for at in known if at >= 0]
            if placed != sorted(placed):
                raise _Invalid(f"the values of {key!r} are not in order of commit")

    def _micro_ops(self, micro_ops: Any) -> Iterator[tuple[str, Any, Any]]:
        for micro_op in micro_ops:
            if len(micro_op) == 2:
                continue  # A read of which it is not told what it found.
            f, key, value = micro_op
            if f == "rp":
                yield f, key, {_plain(each): _plain(held) for each, held in (value or {}).items()}
            elif f == "r" and self.of_lists:
                yield f, _plain(key), [_plain(each) for each in value or ()]
            else:
                yield f, _plain(key), _plain(value)


def _agreed(reads: list[list[Any]]) -> list[Any]:
    """The longest read, up to where another one goes a different way."""
    longest = max(reads, key=len)
    for read in reads:
        pairs = enumerate(zip(longest, read, strict=False))
        longest = longest[: next((at for at, (a, b) in pairs if a != b), None)]
    return longest


def _plain(value: Any) -> Any:
    return value if value is None or type(value) is int or type(value) is str else canonical(value)
