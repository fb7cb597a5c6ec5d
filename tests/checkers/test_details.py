"""What the checkers say besides valid or not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ostrakon.checkers.collections.counter import counter
from ostrakon.checkers.collections.queues import total_queue
from ostrakon.checkers.collections.set_full import set_full
from ostrakon.checkers.collections.sets import final_set
from ostrakon.checkers.consistency.adya import g2
from ostrakon.checkers.consistency.bank import bank
from ostrakon.checkers.consistency.causal import causal
from ostrakon.checkers.consistency.causal_reverse import causal_reverse
from ostrakon.checkers.consistency.long_fork import long_fork
from ostrakon.checkers.consistency.sequential import sequential
from ostrakon.checkers.consistency.sessions import monotonic_reads
from ostrakon.checkers.coordination.leases import node_leases
from ostrakon.checkers.keyed_histories import by_key, independent
from ostrakon.checkers.run.availability import availability
from ostrakon.checkers.run.clock_offsets import clock_offsets
from ostrakon.checkers.run.exceptions import exceptions
from ostrakon.checkers.run.latency import latency
from ostrakon.checkers.run.log_pattern import log_pattern
from ostrakon.checkers.run.rates import rates
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import Event, History, Op
from tests.checkers.notation import history


def test_an_unacknowledged_add_that_is_there_was_recovered() -> None:
    details = final_set(history("0 add 1 info; 1 add 2 ok; 1 read ok [1,2]")).details

    assert details == {"attempted": 2, "read": 2, "lost": 0, "recovered": 1}


def test_elements_that_are_lists_are_told_apart() -> None:
    assert final_set(history("0 add [1,2] ok; 0 add [1] ok; 0 read ok [[1,2],[1]]")).valid == "valid"


def test_the_elements_of_a_set_are_counted_by_what_became_of_them() -> None:
    line = "0 add 1 ok; 0 add 2 ok; 0 add 3 info; 1 read ok [2]; 1 read ok [1]"

    details = set_full(history(line)).details

    assert {name: details[name] for name in ("attempted", "stable", "lost", "never_read", "stale")} == {
        "attempted": 3,
        "stable": 1,
        "lost": 1,
        "never_read": 1,
        "stale": 1,
    }
    assert details["stale_ms"]["max"] == 30.0


def test_an_unacknowledged_enqueue_that_comes_out_was_recovered() -> None:
    details = total_queue(history("0 enqueue 1 info; 1 enqueue 2 ok; 1 drain ok [1,2]")).details

    assert (details["acknowledged"], details["recovered"], details["lost"]) == (1, 1, 0)


def test_a_counter_names_the_bounds_that_a_read_breaks() -> None:
    verdict = counter(history("0 add 5 ok; 1 add 2 info; 0 read ok 9"))

    assert verdict.why == "the counter was read as 9, and could only be between 5 and 7"


def test_a_counter_names_a_sum_that_no_adds_make() -> None:
    verdict = counter(history("0 add 5 ok; 1 add 2 info; 0 read ok 6"))

    assert verdict.why == "the counter was read as 6, to which no selection of its adds sums up"


def test_a_key_that_was_read_as_two_values_is_no_long_fork() -> None:
    verdict = long_fork(history('0 read ok [["r",1,1],["r",2,null]]; 1 read ok [["r",1,2],["r",2,1]]'))

    assert verdict.why == "key 1 was read as 1 and 2; each key is written once"


def test_writes_of_one_value_cannot_be_told_apart_by_who_reads_it() -> None:
    verdict = causal(history('0 write ["x",1] ok; 1 write ["x",1] ok; 2 read ok ["x",1]'))

    assert verdict.valid == "unknown"
    assert 'process 1\'s write of 1 at "x" is the second of that value' in verdict.why


def test_an_overlooked_write_is_shown_with_the_one_it_followed() -> None:
    line = '0 write ["x",1] ok; 0 write ["x",2] ok; 0 read ok ["x",1]'

    verdict = causal(history(line))

    assert verdict.why == (
        'process 0\'s read of 1 at "x" does not see process 0\'s write of 2 at "x", '
        'which comes before it and after process 0\'s write of 1 at "x"'
    )
    assert [op.index for op in verdict.anomalies[0].witness if isinstance(op, Op)] == [0, 1, 2, 3, 4, 5]


def test_the_search_for_a_sequential_order_can_give_up() -> None:
    line = "; ".join(f'{p} write ["x",{p}] ok; {p} write ["y",{p}] ok' for p in range(6))

    verdict = sequential(history(line + '; 9 read ok ["x",5]; 9 read ok ["y",99]'), steps=20)

    assert verdict.valid == "unknown"
    assert verdict.why == "no order was found within 20 steps"


def test_an_outage_lasts_from_one_answer_to_the_next() -> None:
    verdict = availability(history("0 write 1 ok; 0 write 2; 1 write 3; 1 fail; 0 ok"))

    assert verdict.details == {
        "asked": 3,
        "ok": 2,
        "share": 2 / 3,
        "outage_ms": 40.0,
        "outage_from_ms": 0.0,
    }


def test_latencies_are_told_by_window_and_by_how_an_op_ended() -> None:
    verdict = latency(history("0 write 1; 0 ok; 0 write 2; 1 read; 0 fail; 1 ok"), window_s=0.02)

    assert verdict.details["by_f"]["write"]["ok"] == [
        {"from_s": 0.0, "count": 1, "ms": {"p50": 10.0, "p95": 10.0, "p99": 10.0, "max": 10.0}}
    ]
    assert verdict.details["by_f"]["write"]["fail"][0]["from_s"] == 0.02
    assert verdict.details["by_f"]["read"]["ok"][0]["ms"]["max"] == 20.0


def test_rates_have_a_number_for_every_window() -> None:
    verdict = rates(history("0 write 1 ok; 0 write 2; 1 read; 1 ok; 0 ok; 0 write 1 info"), window_s=0.02)

    assert verdict.details["by_f"]["write"] == {"info": [0.0, 0.0, 50.0], "ok": [50.0, 0.0, 50.0]}
    assert verdict.details["by_f"]["read"] == {"ok": [0.0, 50.0, 0.0]}


def test_clock_offsets_are_a_series_for_each_node() -> None:
    line = 'nemesis clock-offsets {"n1":1,"n2":0}; nemesis clock-offsets {"n1":-3}'

    details = clock_offsets(history(line)).details

    assert details == {
        "series": {"n1": [[0.0, 1], [0.01, -3]], "n2": [[0.0, 0]]},
        "worst_s": {"n1": -3, "n2": 0},
    }


def test_errors_are_counted_by_kind_the_most_frequent_first() -> None:
    errors = ["Timeout: 5 s", "Broken: pipe", "Timeout: 7 s", None]
    ops = [Op(at, at, "info", at, "write", 1, error=error) for at, error in enumerate(errors)]

    details = exceptions(History(ops)).details

    assert details["unknown"] == 3
    assert [(kind["kind"], kind["count"], kind["op"]) for kind in details["kinds"]] == [
        ("Timeout", 2, 0),
        ("Broken", 1, 1),
    ]


def test_a_line_of_a_log_that_matches_is_shown_with_its_place() -> None:
    logs = {"n2.log": ["fine\n"], "n1.log": ["fine\n", "PANIC at slot 7\n"]}

    verdict = log_pattern("PANIC", logs)

    assert verdict.valid == "invalid"
    assert verdict.why == "n1.log, line 2: PANIC at slot 7"
    assert log_pattern("panic", logs).valid == "valid"
    assert log_pattern("panic", {}).valid == "unknown"


def test_a_frequent_line_is_counted_and_shown_a_few_times() -> None:
    verdict = log_pattern("again", {"n1.log": ["again"] * 1000})

    assert verdict.details["matches"] == 1000
    assert len(verdict.anomalies) == 20


def test_a_key_is_judged_by_its_own_ops_and_shown_among_all() -> None:
    line = '0 add ["a",1] ok; nemesis partition "n1"; 0 read ["b",null]; 1 read ["a",null] ok ["a",5]; 0 info'

    verdict = independent(counter)(history(line))

    assert {name: part.valid for name, part in verdict.parts.items()} == {'"a"': "invalid", '"b"': "unknown"}
    assert [op.index for op in verdict.anomalies[0].witness if isinstance(op, Op)] == [4, 5]


def test_each_keys_history_is_whole_and_has_what_the_nemesis_did() -> None:
    line = '0 add ["a",1]; nemesis partition "n1"; 1 add ["b",2] ok; 0 info'

    part, origin = by_key(history(line))['"a"']

    assert [(op.type, op.value) for op in part] == [("invoke", 1), ("info", "n1"), ("info", 1)]
    assert origin == [0, 1, 4]
    assert [op.index for op in part] == [0, 1, 2]


def test_a_check_that_crashes_makes_its_key_unknown() -> None:
    def crash(_: History) -> Verdict:
        raise ZeroDivisionError("no reason")

    verdict = independent(crash)(history('0 add ["a",1] ok'))

    assert verdict.valid == "unknown"
    assert "ZeroDivisionError" in verdict.why


def lease(time: int, node: str, event: str, name: str = "l") -> Event:
    return Event(time, node, 0, 0, event, value=name)


def test_two_nodes_may_hold_a_lease_one_after_the_other() -> None:
    trace = (
        lease(0, "n1", "lease_acquired"),
        lease(5, "n1", "lease_expired"),
        lease(5, "n2", "lease_acquired"),
    )

    assert node_leases(trace).valid == "valid"
    assert node_leases(()).valid == "unknown"


def test_a_node_that_restarts_holds_no_lease() -> None:
    trace = (lease(0, "n1", "lease_acquired"), lease(5, "n1", "restart"), lease(6, "n2", "lease_acquired"))

    assert node_leases(trace).valid == "valid"


@pytest.mark.parametrize("expiry", [(), (lease(9_000_000, "n1", "lease_expired"),)])
def test_two_nodes_that_hold_a_lease_at_one_time_are_named(expiry: tuple[Event, ...]) -> None:
    trace = (lease(0, "n1", "lease_acquired"), lease(5_000_000, "n2", "lease_acquired"), *expiry)

    verdict = node_leases(trace)

    assert verdict.anomalies[0].property is None
    assert node_leases(trace, rule="M7").anomalies[0].property == "M7"
    how_long = "for 4 ms" if expiry else "for ever"
    assert verdict.why == f'n1 and n2 both held lease "l", {how_long}'


@pytest.mark.parametrize(
    ("check", "line", "expected"),
    [
        (final_set, "0 add 1 ok; 0 read ok 1", "op 3 (read, ok): expected a list of elements, got 1"),
        (set_full, "0 add 1 ok; 0 read ok 1", "op 3 (read, ok): expected a list of elements, got 1"),
        (total_queue, "0 drain ok 1", "op 1 (drain, ok): expected a list of elements, got 1"),
        (counter, '0 add "x" ok', "op 0 (add, invoke): expected a whole number, got 'x'"),
        (causal, '0 read ok {"x":1}', "op 1 (read, ok): expected [key, value], both plain, got {'x': 1}"),
        (
            sequential,
            "0 write [1,2,3] ok",
            "op 0 (write, invoke): expected [key, value], both plain, got [1, 2, 3]",
        ),
        (sequential, "0 cas [1,2] ok", "op 0 is 'cas'; expected nothing but read and write"),
        (causal_reverse, "0 read ok 1", "op 1 (read, ok): expected a list of values, got 1"),
        (monotonic_reads, '0 read ok "x"', "op 1 (read, ok): expected a number, got 'x'"),
        (g2, "0 insert 1 ok", "op 1 (insert, ok): expected [key, row], got 1"),
    ],
    ids=lambda part: getattr(part, "__name__", None),
)
def test_a_history_for_another_checker_is_told_by_its_first_misfit(
    check: Callable[[History], Verdict], line: str, expected: str
) -> None:
    verdict = check(history(line))

    assert verdict.valid == "unknown"
    assert verdict.why == expected


def test_a_silent_dequeue_accounts_for_one_missing_element_and_not_for_two() -> None:
    line = "0 enqueue 1 ok; 0 enqueue 2 ok; 0 enqueue 3 ok; 1 dequeue info; 2 drain ok [3]"

    verdict = total_queue(history(line))

    assert verdict.valid == "invalid"
    assert [anomaly.name for anomaly in verdict.anomalies] == ["lost element"]
    assert (verdict.details["lost"], verdict.details["unaccounted"]) == (1, 1)
    assert "2 acknowledged elements never came out" in verdict.why


def test_a_bank_may_be_read_as_a_list_of_balances() -> None:
    verdict = bank(history("0 read ok [10,10,10,10,10]; 1 read ok [1,7,4,20,16]"))
    missing = bank(history("0 read ok [10,10]; 1 read ok [20]"))

    assert verdict.why == "all accounts hold 48 together, where it should be 50"
    assert bank(history("0 read ok [10,10]; 1 read ok [4,16]")).valid == "valid"
    assert [anomaly.name for anomaly in missing.anomalies] == ["unexpected accounts"]


def test_true_is_no_balance() -> None:
    verdict = bank(history("0 read ok [10,10]; 1 read ok [19,true]"))

    assert [anomaly.name for anomaly in verdict.anomalies] == ["no balance"]
