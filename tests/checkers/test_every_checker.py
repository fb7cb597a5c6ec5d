"""Each checker: a history it must pass, some that it must fail for the named anomaly, and the empty one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from ostrakon.checkers.collections.counter import counter
from ostrakon.checkers.collections.kafka import kafka
from ostrakon.checkers.collections.queues import queue, total_queue
from ostrakon.checkers.collections.set_full import set_full
from ostrakon.checkers.collections.sets import final_set
from ostrakon.checkers.collections.unique_ids import unique_ids
from ostrakon.checkers.consistency.adya import g2
from ostrakon.checkers.consistency.bank import bank
from ostrakon.checkers.consistency.causal import causal
from ostrakon.checkers.consistency.causal_reverse import causal_reverse
from ostrakon.checkers.consistency.long_fork import long_fork
from ostrakon.checkers.consistency.sequential import sequential
from ostrakon.checkers.consistency.sessions import monotonic_reads, sessions
from ostrakon.checkers.coordination.fencing import fencing
from ostrakon.checkers.coordination.leases import client_leases
from ostrakon.checkers.keyed_histories import independent
from ostrakon.checkers.run.availability import availability
from ostrakon.checkers.run.clock_offsets import clock_offsets
from ostrakon.checkers.run.exceptions import exceptions
from ostrakon.checkers.run.latency import latency
from ostrakon.checkers.run.rates import rates
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History
from tests.checkers.notation import history

Check = Callable[[History], Verdict]

linearizable_set = partial(set_full, linearizable=True)
with_debts = partial(bank, negative_balances=True)
of_a_hundred = partial(bank, total=100)
each_counter = independent(counter)
short_leases = partial(client_leases, duration_ns=25_000_000)
of_reporting_queue = partial(total_queue, handed_out=[1])
half_available = partial(availability, at_least=0.5)
steady_clocks = partial(clock_offsets, at_most_s=0.5)

# Messages that are sent to a log and polled, for the histories of `kafka`.
SEVEN = 'send [["send","k",7]] ok [["send","k",[0,7]]]'
NINE = 'send [["send","k",9]] ok [["send","k",[2,9]]]'
SENT = f'1 {SEVEN}; 1 send [["send","k",8]] ok [["send","k",[1,8]]]'
MORE = f"{SENT}; 1 {NINE}"
READ = '3 poll ok [["poll",{"k":[[0,7],[1,8]]}]]'


def poll_of(messages: str) -> str:
    """A poll by process 0 that is answered with these pairs of offset and message."""
    return f'0 poll ok [["poll",{{"k":[{messages}]}}]]'


PASS: list[tuple[Check, str]] = [
    (final_set, "0 add 1 ok; 1 add 2 ok; 0 read ok [2,1]"),
    (final_set, "0 add 1 info; 1 add 2 fail; 2 read ok [1]"),
    (final_set, "0 add 1; 2 read ok [1]; 0 ok"),
    (set_full, "0 add 1 ok; 0 read ok [1]; 0 add 2 ok; 0 read ok [1,2]"),
    (set_full, "0 add 1 ok; 0 read ok []; 0 read ok [1]"),
    (set_full, "0 add 1; 1 read ok []; 0 info; 1 read ok [1]"),
    (linearizable_set, "0 add 1; 1 read; 0 ok; 1 ok []; 1 read ok [1]"),
    (queue, "0 dequeue ok null; 0 enqueue 1 ok; 0 dequeue ok 1; 0 dequeue ok null"),
    (queue, "0 enqueue null ok; 0 dequeue ok null"),
    (total_queue, "0 dequeue ok null; 0 enqueue 1 ok; 1 dequeue ok 1"),
    (final_set, "0 add 1 info; 1 add 1 fail; 2 read ok [1]"),
    (set_full, "0 add 1 info; 1 add 1 fail; 2 read ok [1]"),
    (queue, '0 enqueue "a" ok; 1 dequeue ok "a"'),
    (queue, '0 enqueue "a" info; 1 dequeue ok "a"'),
    (queue, "0 enqueue 1 ok; 0 enqueue 2 ok; 1 dequeue ok 2"),
    (total_queue, "0 enqueue 1 ok; 0 enqueue 2 ok; 1 dequeue ok 2; 1 drain ok [1]"),
    (total_queue, "0 enqueue 1 ok; 0 enqueue 1 ok; 1 dequeue ok 1; 1 dequeue ok 1"),
    (of_reporting_queue, "0 enqueue 1 ok; 1 dequeue info; 2 enqueue 2 ok; 3 dequeue ok 2"),
    (of_reporting_queue, "0 enqueue 1 ok; 2 enqueue 2 ok; 2 drain info; 3 drain ok [2]"),
    (kafka, f'0 assign ["k"] ok; {SENT}; {poll_of("[0,7],[1,8]")}'),
    (kafka, f"{MORE}; {poll_of('[0,7],[1,8]')}; 0 crash ok; {poll_of('[0,7],[1,8],[2,9]')}"),
    (kafka, f'{SENT}; {poll_of("[0,7],[1,8]")}; 0 assign [] ok; 0 assign ["k"] ok; {poll_of("[0,7]")}'),
    (kafka, f'{SENT}; 2 send [["send","k",9]] info; {poll_of("[0,7],[1,8]")}'),
    (kafka, f'{SENT}; 2 send [["send","k",9]] ok [["send","k",[7,9]]]; {poll_of("[0,7],[1,8],[7,9]")}'),
    (unique_ids, "0 generate ok 1; 1 generate ok 2; 0 generate fail; 0 generate fail"),
    (counter, "0 add 1 ok; 0 add 2 ok; 0 read ok 3"),
    (counter, "0 add 5; 1 read ok 5; 1 read ok 5; 0 info"),
    (counter, "0 add 5; 1 read ok 0; 0 ok; 1 read ok 5"),
    (counter, "0 add 3 info; 1 add -1; 2 read ok 2; 1 ok; 2 read ok -1"),
    (counter, "0 add 1 ok"),
    (each_counter, '0 add ["a",1] ok; 1 add ["b",2] ok; 0 read ["a",null] ok ["a",1]; 0 add ["a",1] info'),
    (bank, '0 read ok {"a":10,"b":0}; 0 transfer 3 ok; 0 read ok {"a":7,"b":3}'),
    (with_debts, '0 read ok {"a":1}; 0 read ok {"a":1}; 1 read ok {"a":1}'),
    (long_fork, '0 read ok [["r",1,1],["r",2,null]]; 1 read ok [["r",2,1],["r",1,1]]'),
    (causal, '0 write ["x",1] ok; 1 read ["x",null] ok ["x",1]; 2 read ["x",null] ok ["x",null]'),
    (
        causal,
        '0 write ["x",1] ok; 1 write ["x",2] ok; 2 read ok ["x",1]; 2 read ok ["x",2]; 3 read ok ["x",2]',
    ),
    (causal_reverse, "0 write 1 ok; 0 write 2 ok; 1 read ok [1,2]; 1 read ok [1]"),
    (causal_reverse, "0 write 1; 1 write 2 ok; 2 read ok [2]; 0 ok"),
    (g2, '0 insert ["k",1] ok; 1 insert ["k",2] fail; 1 insert ["j",2] ok'),
    (sequential, '0 write ["x",1] ok; 1 read ok ["x",null]; 1 read ok ["x",1]'),
    (sequential, '0 write ["x",1] info; 1 read ok ["x",null]'),
    (sequential, '0 write ["x",1] ok; 1 write ["x",2] ok; 2 read ok ["x",2]; 2 read ok ["x",1]'),
    (sessions, "0 write 1 ok @1; 0 read ok 1 @1; 0 write 2 ok @2; 1 read ok 1 @1"),
    (monotonic_reads, "0 read ok 1; 1 read ok 5; 0 read ok 1; 0 read ok 4"),
    (fencing, '0 acquire "l" ok ["l",1]; 1 acquire "l" ok ["l",2]; 1 write "l" ok ["l",2]; 0 write "l" fail'),
    (fencing, '0 acquire "l" ok ["l",1]; 0 write "l"; 1 acquire "l" ok ["l",2]; 0 ok ["l",1]'),
    (fencing, '0 acquire "l" ok ["l",1]; 0 acquire "l" ok ["l",1]; 1 acquire "m" ok ["m",1]'),
    (client_leases, '0 acquire "l" ok; 0 release "l" ok; 1 acquire "l" ok'),
    (client_leases, '0 acquire "l" ok; 0 release "l"; 1 acquire "l" ok; 0 ok; 2 acquire "m" ok'),
    (short_leases, '0 acquire "l" ok; 0 write 1 ok; 0 write 1 ok; 1 acquire "l" ok'),
    (half_available, "0 write 1 ok; 0 write 2 info"),
    (clock_offsets, 'nemesis clock-offsets {"n1":100}'),
    (steady_clocks, 'nemesis clock-offsets {"n1":-0.5}'),
    (latency, "0 write 1 ok"),
    (rates, "0 write 1 info"),
    (exceptions, "0 write 1 info"),
]
FAIL: list[tuple[Check, str, str]] = [
    (final_set, "lost element", "0 add 1 ok; 0 read ok []"),
    (final_set, "unexpected element", "0 read ok [7]"),
    (final_set, "aborted add", "0 add 1 fail; 0 read ok [1]"),
    (final_set, "duplicate element", "0 add 1 ok; 0 read ok [1,1]"),
    (set_full, "lost element", "0 add 1 ok; 0 read ok []"),
    (set_full, "lost element", "0 add 1 info; 1 read ok [1]; 1 read ok []"),
    (set_full, "duplicate element", "0 add 1 ok; 0 read ok [1,1]"),
    (set_full, "unexpected element", "0 read ok [1]; 0 add 1 ok"),
    (set_full, "unexpected element", "0 read ok [1]"),
    (set_full, "aborted add", "0 add 1 fail; 0 read ok [1]"),
    (linearizable_set, "stale read", "0 add 1 ok; 0 read ok []; 0 read ok [1]"),
    (queue, "unexpected element", "1 dequeue ok 1"),
    (queue, "unexpected element", "1 dequeue ok 1; 0 enqueue 1 ok"),
    (queue, "unexpected element", "0 enqueue 1 fail; 1 dequeue ok 1"),
    (queue, "duplicate element", "0 enqueue 1 ok; 1 dequeue ok 1; 2 dequeue ok 1"),
    (total_queue, "lost element", "0 enqueue 1 ok; 0 enqueue 2 ok; 1 dequeue ok 2"),
    (total_queue, "duplicate element", "0 enqueue 1 ok; 1 drain ok [1,1]"),
    (of_reporting_queue, "lost element", "0 enqueue 1 ok; 0 enqueue 2 ok; 1 dequeue ok 2"),
    (of_reporting_queue, "lost element", "0 enqueue 1 ok; 0 enqueue 2 ok; 1 dequeue info; 3 dequeue ok 1"),
    (
        of_reporting_queue,
        "lost element",
        "0 enqueue 1 ok; 0 enqueue 1 ok; 1 dequeue info; 2 enqueue 2 ok; 3 dequeue ok 2",
    ),
    (kafka, "lost write", f"{SENT}; {poll_of('[1,8]')}"),
    (kafka, "lost write", f'{SENT}; 2 send [["send","k",9]] info; {poll_of("[2,9]")}'),
    (kafka, "unseen message", f'{SENT}; 0 assign ["k"] ok; 0 poll ok [["poll",{{}}]]'),
    (kafka, "inconsistent offset", f'{SENT}; {READ}; 2 send [["send","k",9]] info; {poll_of("[0,9]")}'),
    (kafka, "duplicate message", f"{SENT}; {READ}; {poll_of('[2,7]')}"),
    (kafka, "poll skip", f"{SENT}; {READ}; 2 {NINE}; {poll_of('[0,7]')}; {poll_of('[2,9]')}"),
    (kafka, "nonmonotonic poll", f"{SENT}; {poll_of('[0,7],[1,8]')}; {poll_of('[1,8]')}"),
    (kafka, "internal poll skip", f"{SENT}; {READ}; 2 {NINE}; {poll_of('[0,7],[2,9]')}"),
    (kafka, "internal nonmonotonic poll", f"{SENT}; {poll_of('[1,8],[0,7]')}"),
    (kafka, "nonmonotonic send", f"1 {NINE}; 1 {SEVEN}; {poll_of('[0,7],[2,9]')}"),
    (
        kafka,
        "internal nonmonotonic send",
        '1 txn [["send","k",7],["send","k",8]] ok [["send","k",[5,7]],["send","k",[4,8]]];'
        + poll_of("[4,8],[5,7]"),
    ),
    (kafka, "aborted read", f'{SENT}; 2 send [["send","k",9]] fail; {READ}; {poll_of("[2,9]")}'),
    (
        kafka,
        "precommitted read",
        '1 txn [["send","k",7],["poll"]] ok [["send","k",[0,7]],["poll",{"k":[[0,7]]}]]',
    ),
    (kafka, "unexpected message", f"{SENT}; {READ}; {poll_of('[2,9]')}"),
    (unique_ids, "duplicate id", "0 generate ok 1; 1 generate ok 1"),
    (counter, "impossible count", "0 add 1 ok; 0 read ok 0"),
    (counter, "impossible count", "0 add 1 ok; 0 read ok 2"),
    (counter, "impossible count", "0 add 1 fail; 0 read ok 1"),
    (counter, "impossible count", "0 add 5 info; 1 read ok 3"),
    (counter, "counter went back", "0 add 1 info; 1 read ok 1; 1 read ok 0"),
    (each_counter, "impossible count", '0 add ["a",1] ok; 1 read ["b",null] ok ["b",1]'),
    (bank, "wrong total", '0 read ok {"a":10,"b":0}; 0 read ok {"a":9,"b":0}'),
    (of_a_hundred, "wrong total", '0 read ok {"a":10,"b":0}'),
    (bank, "negative balance", '0 read ok {"a":1,"b":1}; 0 read ok {"a":3,"b":-1}'),
    (bank, "unexpected accounts", '0 read ok {"a":1}; 0 read ok {"b":1}'),
    (bank, "no balance", '0 read ok {"a":1,"b":1}; 0 read ok {"a":2,"b":null}'),
    (long_fork, "long fork", '0 read ok [["r",1,1],["r",2,null]]; 1 read ok [["r",1,null],["r",2,1]]'),
    (causal, "thin air read", '0 read ok ["x",1]'),
    (causal, "overlooked write", '0 write ["x",1] ok; 0 read ok ["x",null]'),
    (
        causal,
        "overlooked write",
        '0 write ["x",1] ok; 1 read ok ["x",1]; 1 write ["x",2] ok; 1 read ok ["x",1]',
    ),
    (
        causal,
        "overlooked write",
        '0 write ["x",1] ok; 1 read ok ["x",1]; 1 write ["y",1] ok; 2 read ok ["y",1]; 2 read ok ["x",null]',
    ),
    (
        causal,
        "cyclic causality",
        '0 read ok ["x",1]; 0 write ["y",1] ok; 1 read ok ["y",1]; 1 write ["x",1] ok',
    ),
    (causal_reverse, "causal reverse", "0 write 1 ok; 1 write 2 ok; 2 read ok [2]"),
    (g2, "G2", '0 insert ["k",1] ok; 1 insert ["k",2] ok'),
    (sequential, "not sequential", '0 write ["x",1] ok; 0 read ok ["x",null]'),
    (
        sequential,
        "not sequential",
        '0 write ["x",1] ok; 1 write ["x",2] ok; 2 read ok ["x",1]; 2 read ok ["x",2]; '
        '3 read ok ["x",2]; 3 read ok ["x",1]',
    ),
    (sessions, "monotonic reads", "0 read ok 5 @5; 0 read ok 4 @4"),
    (sessions, "read your writes", "0 write 5 ok @5; 0 read ok 4 @4"),
    (sessions, "monotonic writes", "0 write 5 ok @5; 0 write 4 ok @4"),
    (sessions, "monotonic writes", "0 write 5 ok @5; 0 write 4 ok @5"),
    (sessions, "writes follow reads", "0 read ok 5 @5; 0 write 4 ok @4"),
    (monotonic_reads, "monotonic reads", "0 read ok 5; 0 read ok 4"),
    (fencing, "token given twice", '0 acquire "l" ok ["l",1]; 1 acquire "l" ok ["l",1]'),
    (fencing, "stale token", '0 acquire "l" ok ["l",2]; 1 acquire "l" ok ["l",1]'),
    (
        *(fencing, "stale token"),
        '0 acquire "l" ok ["l",1]; 1 acquire "l" ok ["l",2]; 0 write "l" ok ["l",1]',
    ),
    (client_leases, "lease held twice", '0 acquire "l" ok; 1 acquire "l" ok; 0 release "l" ok'),
    (client_leases, "lease held twice", '0 acquire "l" ok; 0 release "l" fail; 1 acquire "l" ok'),
    (short_leases, "lease held twice", '0 acquire "l" ok; 1 acquire "l" ok'),
    (half_available, "unavailable", "0 write 1 ok; 0 write 2 fail; 1 write 2 info"),
    (steady_clocks, "clock too far off", 'nemesis clock-offsets {"n1":-0.7}'),
]


def named(entry: object) -> str | None:
    if isinstance(entry, partial):
        return entry.func.__name__
    return getattr(entry, "__name__", None)


@pytest.mark.parametrize(("check", "line"), PASS, ids=named)
def test_passes(check: Check, line: str) -> None:
    verdict = check(history(line))

    assert verdict.valid == "valid", verdict.why
    assert verdict.anomalies == ()


@pytest.mark.parametrize(("check", "name", "line"), FAIL, ids=named)
def test_fails_for_the_named_anomaly(check: Check, name: str, line: str) -> None:
    verdict = check(history(line))

    assert verdict.valid == "invalid"
    assert {anomaly.name for anomaly in verdict.anomalies} == {name}
    assert verdict.why == verdict.anomalies[0].why
    assert all(anomaly.why for anomaly in verdict.anomalies)


@pytest.mark.parametrize("check", dict.fromkeys(check for check, _ in PASS), ids=named)
def test_knows_nothing_of_the_empty_history(check: Check) -> None:
    verdict = check(History())

    assert verdict.valid == "unknown"
    assert verdict.why


def test_every_checker_has_both_kinds_of_example() -> None:
    always_valid = {latency, rates, exceptions, clock_offsets, with_debts, bank, of_a_hundred}

    assert {check for check, _ in PASS} | always_valid == {check for check, _, _ in FAIL} | always_valid


@pytest.mark.parametrize(
    ("check", "line"),
    [
        (final_set, "0 add 1 ok"),
        (set_full, "0 add 1 ok; 0 read info"),
        (final_set, "0 add 1; 2 read ok []; 0 ok"),
        (final_set, "1 read; 0 add 1 ok; 1 ok []"),
        (set_full, "1 read; 0 add 1 ok; 1 ok []"),
        (set_full, "0 add 1; 1 read ok []; 0 ok"),
        (queue, "0 enqueue 1 ok"),
        (total_queue, "0 enqueue 1 ok; 1 dequeue info; 2 enqueue 2 ok; 3 dequeue ok 2"),
        (total_queue, "0 enqueue 1 ok; 1 dequeue info; 2 enqueue 2 ok; 3 drain ok [2]"),
        (total_queue, "0 enqueue 1 ok; 1 enqueue 2 ok; 1 enqueue 3 ok; 2 drain info; 3 drain ok [3]"),
        (total_queue, "0 enqueue 1 ok; 1 enqueue 2 ok; 2 dequeue; 3 drain ok [2]"),
        (total_queue, "0 enqueue 1 ok"),
        (bank, "0 transfer 1 ok"),
        (causal, '0 write ["x",1] ok'),
        (causal_reverse, "0 write 1 ok; 0 read ok []"),
        (counter, "0 transfer 1 ok"),
        (sequential, '0 write ["x",1] ok'),
        (sessions, "0 read ok 1"),
        (long_fork, '0 write [["w",1,1]] ok; 0 read ok [["r",1,1],["r",2,1]]'),
    ],
    ids=named,
)
def test_without_evidence_there_is_no_pass(check: Check, line: str) -> None:
    assert check(history(line)).valid == "unknown"
