"""Many small registers, decided all at once by blocks and op by op, and each one by the referee."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ostrakon.checkers.linearizability import wing_gong_lowe
from ostrakon.checkers.linearizability.deciding import decide
from ostrakon.checkers.linearizability.decision import Budget, Linearized
from ostrakon.checkers.linearizability.parts import parts_of
from ostrakon.checkers.linearizability.zone_watch import ZoneWatch
from ostrakon.checkers.models import named
from ostrakon.checkers.models.model import operations
from ostrakon.harness.history import History, Op

REGISTERS = 25_000
"""At a time: four times in the quick suite, and forty times in the soak."""
CLIENTS = 3


@pytest.mark.parametrize("batch", range(4))
def test_blocks_and_the_watch_agree_with_the_referee(batch: int) -> None:
    compare(REGISTERS, seed=batch)


@pytest.mark.soak
@pytest.mark.parametrize("batch", range(4, 44))
def test_blocks_and_the_watch_agree_with_the_referee_for_long(batch: int) -> None:
    compare(REGISTERS, seed=batch)


def compare(registers: int, seed: int) -> None:
    """Decide so many registers in three ways. Both answers must come up often, or little was tested."""
    ops = many_registers(random.Random(seed), registers)
    model = named("keyed-register")
    parts = parts_of(History(ops).columns, model, "did not happen")

    decided = decide(parts, model, Budget())
    alarmed = watched(ops)

    all_operations = list(operations(parts.columns))
    possible = impossible = 0
    for part, rows in enumerate(parts.rows()):
        refereed = wing_gong_lowe([all_operations[row] for row in rows.tolist()], model).linearizable
        key = parts.keys[part]
        assert isinstance(decided.by_part[part], Linearized) == refereed, f"register {key}"
        assert (key not in alarmed) == refereed, f"register {key}"
        possible, impossible = possible + bool(refereed), impossible + (not refereed)
    assert min(possible, impossible) > registers / 10, "vacuous: hardly any of one kind"


def watched(ops: list[Op]) -> set[Any]:
    """The registers about which the watch raises an alarm."""
    watch = ZoneWatch(keyed=True)
    return {op.value[0] for op in ops if watch.op(op) is not None}


def many_registers(rng: random.Random, registers: int) -> list[Op]:
    """Registers used one after the other, by up to three clients at a time, for up to six operations."""
    ops: list[Op] = []
    process = 0
    for key in range(registers):
        process += CLIENTS
        use_register(rng, key, process, ops)
    return ops


def use_register(rng: random.Random, key: int, process: int, ops: list[Op]) -> None:
    """Reads see any value that anybody began to write; who met silence does nothing more."""
    draw = rng.random
    idle = list(range(process, process + CLIENTS))
    busy: list[tuple[int, str, Any]] = []
    written: list[Any] = [None]
    left = 1 + int(draw() * 6)
    while busy or (left and idle):
        at = len(ops)
        if left and idle and (not busy or draw() < 0.5):
            left -= 1
            client, f, value = idle.pop(), "read", None
            if draw() < 0.5:
                f, value = "write", len(written)
                written.append(value)
            busy.append((client, f, value))
            ops.append(Op(at, at, "invoke", client, f, [key, value]))
            continue
        client, f, value = busy.pop(int(draw() * len(busy)))
        silent = draw() < 0.1
        if f == "read" and not silent:
            value = written[int(draw() * len(written))]
        if not silent:
            idle.append(client)
        ops.append(Op(at, at, "info" if silent else "ok", client, f, [key, value]))
