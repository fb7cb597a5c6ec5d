"""Histories of transactions in one line, for tests and for telling each other of anomalies.

    x+1 y:[] | x:[1] y+2 ; x:[1]

Transactions are separated by `|` if they run at the same time, and by `;` if what stands before is
complete when what stands after begins. Micro-ops are separated by spaces: `x+1` appends, `x=1` writes,
`x:[1,2]` reads a list, `x:1` reads a register, `x:` reads null, and `*:{x=1,y=2}` reads all registers that
hold anything. A transaction may begin with the number of its process, `3/`; otherwise it has a process of
its own, from 100 on. It may end with `!` if it failed, with `~` if nothing more was heard of it, or with
`.` if it is complete before the next one in the line begins.
"""

from __future__ import annotations

import re
from typing import Any

from ostrakon.harness.history import History, Op, OpType

_TRANSACTION = re.compile(r"^(?:(?P<process>\d+)/)?(?P<micro_ops>.*?)(?P<ending>[!~.]?)$")
_MICRO_OP = re.compile(r"^(?P<key>\w+|\*)(?P<f>[+=:])(?P<value>.*)$")
_ENDINGS: dict[str, OpType] = {"": "ok", ".": "ok", "!": "fail", "~": "info"}


def history(line: str) -> History:
    """The history that a line describes.

    Raises: ValueError, naming what could not be read.
    """
    ops: list[Op] = []
    fresh = 100
    for group in filter(None, (part.strip() for part in line.split(";"))):
        open_: dict[int, tuple[OpType, list[Any]]] = {}
        for text in group.split("|"):
            process, ending, micro_ops = _transaction(text.strip())
            if process is None:
                process, fresh = fresh, fresh + 1
            if process in open_:
                _add(ops, process, *open_.pop(process))
            _add(ops, process, "invoke", [_asked(micro_op) for micro_op in micro_ops])
            if text.rstrip().endswith("."):
                _add(ops, process, ending, micro_ops)
            else:
                open_[process] = (ending, micro_ops)
        for process, (ending, micro_ops) in open_.items():
            _add(ops, process, ending, micro_ops)
    return History(ops)


def _add(ops: list[Op], process: int, type_: OpType, micro_ops: list[Any]) -> None:
    value = micro_ops if type_ in ("invoke", "ok") else None
    ops.append(Op(len(ops), len(ops), type_, process, "txn", value))


def _transaction(text: str) -> tuple[int | None, OpType, list[Any]]:
    match = _TRANSACTION.match(text)
    assert match is not None, text
    process = match["process"]
    micro_ops = [_micro_op(part) for part in match["micro_ops"].split()]
    return None if process is None else int(process), _ENDINGS[match["ending"]], micro_ops


def _micro_op(text: str) -> list[Any]:
    match = _MICRO_OP.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no micro-op: expected x+1, x=1, x:1, x: or x:[1,2]")
    key, f, value = match.groups()
    if key == "*":
        pairs = [pair.split("=") for pair in value.strip("{}").split(",") if pair]
        return ["rp", "true", {name: int(held) for name, held in pairs}]
    if value.startswith("["):
        return ["r", key, [int(element) for element in value.strip("[]").split(",") if element]]
    return [{"+": "append", "=": "w", ":": "r"}[f], key, int(value) if value else None]


def _asked(micro_op: list[Any]) -> list[Any]:
    """A micro-op before it is known what it reads."""
    f, key, value = micro_op
    return [f, key, None if f in ("r", "rp") else value]
