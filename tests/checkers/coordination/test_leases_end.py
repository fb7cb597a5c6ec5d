"""A lease that nobody renews becomes free within a bounded time."""

from __future__ import annotations

import pytest

from ostrakon.checkers.coordination.leases import client_leases_end
from ostrakon.harness.history import History, Op, OpType


def history(*ends: tuple[int, OpType, str]) -> History:
    """Acquires of one lease by one process: when each ended, in milliseconds, how, and with what error."""
    ops: list[Op] = []
    for number, (at_ms, type, error) in enumerate(ends):
        ops.append(Op(2 * number, (at_ms - 1) * 1_000_000, "invoke", 0, "acquire", "l"))
        ops.append(Op(2 * number + 1, at_ms * 1_000_000, type, 0, "acquire", "l", error=error or None))
    return History(ops)


DENIED_FOR_LONG = [(10, "ok", ""), (20, "fail", "held"), (700, "fail", "held"), (1500, "fail", "held")]


@pytest.mark.parametrize(
    ("ends", "valid"),
    [
        (DENIED_FOR_LONG, "invalid"),
        ([*DENIED_FOR_LONG, (1600, "ok", "")], "valid"),
        ([*DENIED_FOR_LONG[:3], (800, "ok", "")], "valid"),
        (DENIED_FOR_LONG[:3], "valid"),
        ([(20, "fail", "nobody answers"), (1500, "fail", "nobody answers")], "valid"),
        ([(20, "fail", "held"), (1000, "info", ""), (1500, "fail", "held")], "valid"),
        ([], "unknown"),
    ],
)
def test_a_lease_that_is_denied_for_too_long_never_ended(
    ends: list[tuple[int, OpType, str]], valid: str
) -> None:
    verdict = client_leases_end(history(*ends), within_ns=1_000_000_000, denial="held")

    assert verdict.valid == valid, verdict.why
    assert {anomaly.name for anomaly in verdict.anomalies} <= {"lease never ended"}
