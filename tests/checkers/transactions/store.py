"""Small stores of lists and registers, as right or as wrong as a test wants them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any, Literal

from ostrakon.harness.history import History, Op

Level = Literal["serial", "snapshot"]


def recorded(
    level: Level, transactions: int, seed: int, *, keys: int = 3, concurrency: int = 5, f: str = "append"
) -> History:
    """What clients saw of a store of lists (f="append") or of registers (f="w")."""
    return History(_ops(level, transactions, random.Random(seed), keys, concurrency, f))


def _ops(
    level: Level, transactions: int, rng: random.Random, keys: int, concurrency: int, f: str
) -> Iterator[Op]:
    """With "snapshot", a transaction aborts if someone else wrote what it writes since it began."""
    state: dict[int, tuple[int, ...]] = dict.fromkeys(range(keys), ())
    idle = list(range(concurrency))
    running: list[tuple[int, list[list[Any]], dict[int, tuple[int, ...]]]] = []
    values, index = itertools.count(1), itertools.count()
    started = 0
    while started < transactions or running:
        if idle and started < transactions and (not running or rng.random() < 0.5):
            asked: list[list[Any]] = [
                [f, rng.randrange(keys), next(values)]
                if rng.random() < 0.5
                else ["r", rng.randrange(keys), None]
                for _ in range(rng.randrange(1, 5))
            ]
            process = idle.pop(rng.randrange(len(idle)))
            running.append((process, asked, dict(state)))
            started += 1
            yield _op(next(index), "invoke", process, asked)
            continue
        process, asked, snapshot = running.pop(rng.randrange(len(running)))
        written = {key for name, key, _ in asked if name == f}
        idle.append(process)
        if level == "snapshot" and any(state[key] != snapshot[key] for key in written):
            yield _op(next(index), "fail", process, None)
            continue
        view = dict(snapshot if level == "snapshot" else state)
        done = []
        for name, key, value in asked:
            if name == f:
                view[key] = (*view[key], value)
            done.append([name, key, value if name == f else _seen(view[key], f)])
        state.update({key: view[key] for key in written})
        yield _op(next(index), "ok", process, done)


def _seen(versions: tuple[int, ...], f: str) -> Any:
    if f == "append":
        return list(versions)
    return versions[-1] if versions else None


def _op(index: int, type_: Any, process: int, value: Any) -> Op:
    return Op(index, index, type_, process, "txn", value)
