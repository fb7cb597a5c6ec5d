"""`paxos kv` as people run it: real processes, real sockets, kill -9."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paxos_impl.town import KvTown, living, paxos
from tests.ports import LONG_S


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KvTown]:
    with living(KvTown(tmp_path_factory.mktemp("town"))) as made:
        yield made


def test_what_was_put_is_got_and_what_was_not_has_no_value(town: KvTown) -> None:
    assert town.kv("get", "nothing") == (3, "")
    assert town.kv("put", "colour", "blue") == (0, "")
    assert town.kv("get", "colour") == (0, "blue")
    assert town.kv("delete", "colour") == (0, "")
    assert town.kv("delete", "colour") == (3, "")


@pytest.mark.parametrize("how", ["lease", "index", "log"])
def test_however_it_is_read_what_was_put_before_is_got(town: KvTown, how: str) -> None:
    town.kv("put", "way", how)

    assert town.kv("get", "way", "--read", how) == (0, how)


def test_what_may_be_stale_is_told_by_whoever_is_asked(town: KvTown) -> None:
    town.kv("put", "old", "1")
    town.kv("put", "old", "2")

    assert town.kv("get", "old", "--read", "stale") in [(3, ""), (0, "1"), (0, "2")]


def test_a_swap_happens_only_where_its_expectation_is_met(town: KvTown) -> None:
    assert town.kv("cas", "n", "null", "1", "--json") == (0, "")
    assert town.kv("cas", "n", "7", "8", "--json") == (1, "")
    assert town.kv("get", "n") == (0, "1")


def test_what_only_the_store_has_is_understood_without_saying_so(town: KvTown) -> None:
    asked = ("--registry", town.registry, "--timeout", f"{LONG_S}")

    assert paxos("put", "short", "cut", *asked).status == 0
    assert paxos("cas", "short", "cut", "circuit", *asked).status == 0
    assert town.kv("get", "short") == (0, "circuit")
    assert len(paxos("members", *asked).out.splitlines()) == 3


def test_a_sum_is_printed_and_what_is_no_number_stays(town: KvTown) -> None:
    assert town.kv("add", "sum", "5") == (0, "5")
    assert town.kv("add", "sum", "7") == (0, "12")
    town.kv("put", "name", "ada")
    assert town.kv("add", "name", "1") == (1, "")
    assert town.kv("get", "name") == (0, "ada")


def test_a_lock_has_one_holder_at_a_time_and_the_next_a_higher_token(town: KvTown) -> None:
    assert town.kv("lock", "l", "me", "--for", "60") == (0, "1")
    assert town.kv("lock", "l", "you") == (1, "")
    assert town.kv("unlock", "l", "1") == (0, "")
    assert town.kv("unlock", "l", "1") == (1, "")
    assert town.kv("lock", "l", "you") == (0, "2")


def test_a_transaction_is_done_as_a_whole_or_not_at_all(town: KvTown) -> None:
    swap = '["txn", [["t", null]], [["put", "t", 1], ["get", "t"]]]'

    assert town.kv("do", swap) == (0, "[null,1]")
    assert town.kv("do", swap) == (1, "null")
    assert town.kv("do", '["guarded", "never", 1, ["put", "t", 2]]') == (1, "null")
    assert town.kv("do", '["get", "t"]') == (0, "1")


def test_what_was_written_outlives_a_kill_of_everyone(town: KvTown) -> None:
    town.kv("append", "list", "a")
    for name in ("1", "2", "3"):
        town.kill(name)
    for name in ("1", "2", "3"):
        town.start(name)

    assert town.kv("append", "list", "b") == (0, "2")
    assert town.kv("get", "list") == (0, '["a","b"]')


def test_status_has_a_line_for_each_and_one_leads(town: KvTown) -> None:
    town.kv("get", "colour")
    status, lines = town.kv("status")

    assert status == 0
    assert len(lines.splitlines()) == 3
    assert lines.count("leading") == 1


def test_where_nobody_answers_nothing_was_done(tmp_path: Path) -> None:
    ended = paxos("kv", "put", "x", "1", "--node", "127.0.0.1:1", "--timeout", "0.3")

    assert ended.status == 1
    assert "not done" in ended.said


def test_what_is_not_json_is_a_mistake_and_not_a_value() -> None:
    ended = paxos("kv", "put", "x", "{", "--json", "--node", "127.0.0.1:1")

    assert ended.status == 254
    assert "not JSON" in ended.said


def test_what_is_no_operation_is_told_as_a_mistake() -> None:
    ended = paxos("kv", "do", '["drop", "x"]', "--node", "127.0.0.1:1")

    assert ended.status == 254
    assert "no operation of a key-value store" in ended.said


def test_a_key_under_a_lease_is_there_while_the_lease_is_kept_and_then_gone(town: KvTown) -> None:
    assert town.kv("lease", "grant", "mine", "--for", "600") == (0, "mine")
    assert town.kv("lease", "grant", "mine") == (1, "")
    assert town.kv("put", "owner", "me", "--lease", "mine") == (0, "")
    assert town.kv("lease", "keep", "mine") == (0, "")
    assert town.kv("get", "owner") == (0, "me")
    assert town.kv("lease", "revoke", "mine") == (0, "")
    assert town.kv("get", "owner") == (3, "")
    assert town.kv("lease", "keep", "mine") == (1, "")
    assert town.kv("put", "owner", "me", "--lease", "mine") == (1, "")


def test_a_lease_ends_although_no_client_asks_for_anything(town: KvTown) -> None:
    status, name = town.kv("lease", "grant", "--for", "2")
    assert status == 0
    put = town.kv("put", "fleeting", "lived", "--lease", name)[0]

    where = ("--node", town.addresses["1"], "--timeout", f"{LONG_S if put == 0 else 0.1}")
    ended = paxos("kv", "watch", "fleeting", "--after", "0", "--count", "2", *where)

    told = [json.loads(line)["value"] for line in ended.out.splitlines()]
    assert told == (["lived", None] if put == 0 else []), "on a slow machine it may end before the key is put"
