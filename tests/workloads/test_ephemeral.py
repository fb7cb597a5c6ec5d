"""The checkers of keys under leases: histories that they pass, those that they fail, and an empty one."""

from __future__ import annotations

from typing import Any

import pytest

from ostrakon.harness.history import History, Op
from ostrakon.workloads.ephemeral import STILL_THERE, ephemeral, vanished

Done = tuple[int, int, int, str, Any]
"""When it begins and ends, in milliseconds; the process; `f`; and the value, or an error after `!`."""

HOLD: Done = (0, 10, 1, "hold", ["e1", "e1.1"])


def history(*done: Done) -> History:
    ends = []
    for begin, end, process, f, value in done:
        failed = isinstance(value, str) and value.startswith("!")
        ends.append((begin, Op(0, begin * 1_000_000, "invoke", process, f)))
        if failed:
            ends.append((end, Op(0, end * 1_000_000, "fail", process, f, error=value[1:])))
        else:
            ends.append((end, Op(0, end * 1_000_000, "ok", process, f, value)))
    ops = [op for _, op in sorted(ends, key=lambda each: each[0])]
    return History(
        [Op(n, op.time, op.type, op.process, op.f, op.value, op.error) for n, op in enumerate(ops)]
    )


@pytest.mark.parametrize(
    ("done", "valid"),
    [
        ([HOLD, (20, 30, 2, "read", {"e1": "e1.1"})], "valid"),
        ([HOLD, (20, 30, 2, "read", {})], "invalid"),
        ([HOLD, (20, 30, 2, "read", {"e1": "e1.0"})], "invalid"),
        ([HOLD, (5, 30, 2, "read", {})], "unknown"),
        ([HOLD, (200, 260, 2, "read", {})], "unknown"),
        ([HOLD, (200, 210, 1, "keep", ["e1", "e1.1"]), (300, 440, 2, "read", {})], "invalid"),
        ([HOLD, (200, 210, 1, "keep", "!the lease has ended"), (300, 440, 2, "read", {})], "unknown"),
        ([HOLD, (20, 60, 1, "revoke", ["e1", "e1.1"]), (15, 30, 2, "read", {})], "unknown"),
        ([], "unknown"),
    ],
)
def test_a_key_is_there_while_its_lease_is_certainly_alive(done: list[Done], valid: str) -> None:
    assert ephemeral(history(*done)).valid == valid


@pytest.mark.parametrize(
    ("done", "valid"),
    [
        ([(n, n + 1, 1, "gone", f"!{STILL_THERE}") for n in range(0, 1200, 50)], "invalid"),
        ([(n, n + 1, 1, "gone", f"!{STILL_THERE}") for n in range(0, 900, 50)], "valid"),
        ([(0, 1, 1, "gone", f"!{STILL_THERE}"), (1500, 1501, 1, "gone", ["e1", None])], "valid"),
        ([(0, 1, 1, "gone", "!no leader"), (1500, 1501, 1, "gone", "!no leader")], "valid"),
        ([], "unknown"),
    ],
)
def test_a_key_is_gone_some_time_after_its_lease_is_over(done: list[Done], valid: str) -> None:
    assert vanished(history(*done)).valid == valid
