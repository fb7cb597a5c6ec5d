"""Watchers are told each change after their slot once, or that older changes are not kept any more."""

from __future__ import annotations

from typing import Any

import trio
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.kv.machine import NotExecuted
from ostrakon.paxos_impl.kv.store import Store
from ostrakon.paxos_impl.server import change_log
from ostrakon.paxos_impl.server.change_log import ChangeLog

SLOTS = st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=3), max_size=30)


@given(SLOTS, st.integers(1, 8), st.integers(0, 35), st.data())
def test_a_watcher_sees_every_change_once_however_it_goes_on(
    slots: list[list[tuple[str, int]]], kept: int, after: int, data: st.DataObject
) -> None:
    log = ChangeLog(slots_max=kept)
    seen: list[tuple[int, str, Any]] = []
    at, is_dropped = after, False
    for slot, changed in enumerate(slots, start=1):
        log.add(slot, changed)
        if not is_dropped and data.draw(st.booleans()):
            is_dropped = at < log.oldest
            if not is_dropped:
                at, found = log.after(at, "", "c")
                seen += [(each.slot, each.key, each.value) for each in found]

    every = [(slot, *each) for slot, changed in enumerate(slots, start=1) for each in changed]
    assert seen == [each for each in every if after < each[0] <= at and each[1] < "c"]
    assert at >= min(after, log.upto)


def test_what_is_kept_is_bounded_by_slots_and_by_bytes() -> None:
    few, short = ChangeLog(slots_max=3), ChangeLog(bytes_max=1000)
    for slot in range(1, 11):
        few.add(slot, [("k", slot)])
        short.add(slot, [("k", "v" * 300)])

    assert [each.slot for each in few.after(7, "", None)[1]] == [8, 9, 10]
    assert (few.oldest, short.oldest) == (7, 8)
    few.reset(20)
    assert (few.oldest, few.after(20, "", None)) == (20, (20, []))


def test_a_long_value_is_left_out_and_an_answer_ends_with_a_whole_slot() -> None:
    log = ChangeLog()
    log.add(1, [("long", "v" * (change_log.VALUE_BYTES_MAX + 1)), ("short", 1)])
    for slot in range(2, 60):
        log.add(slot, [("k", "v" * 40_000)])

    upto, found = log.after(0, "", None)
    assert [(each.key, each.value is None, each.is_left_out) for each in found[:2]] == [
        ("long", True, True),
        ("short", False, False),
    ]
    assert 2 < upto < 59
    assert [each.slot for each in log.after(upto, "", None)[1]] == list(
        range(upto + 1, log.after(upto, "", None)[0] + 1)
    )


async def test_a_watcher_waits_for_the_next_slot(autojump_clock: trio.testing.MockClock) -> None:
    log = ChangeLog()
    log.add(1, [])

    async def later() -> None:
        await trio.sleep(3)
        log.add(2, [("k", 1)])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(later)
        await log.wait_beyond(1)
        assert trio.current_time() >= 3
        await log.wait_beyond(1)


def test_a_store_tells_each_change_and_none_that_was_undone() -> None:
    store = Store()
    store.execute(["put", "before", 1])
    assert store.take_changes() == []
    for op in (["put", "a", 1], ["delete", "a"], ["delete", "a"], ["append", "l", 1], ["add", "n", 2]):
        store.execute(op)
    store.execute(["cas", "n", 2, None])
    store.execute(["cas", "n", 2, 3])
    store.execute(["txn", [["l", [1]]], [["put", "t", 1], ["put", "t", 2]]])
    assert store.take_changes() == [
        *(("a", 1), ("a", None), ("l", [1]), ("n", 2), ("n", None), ("t", 1), ("t", 2)),
    ]

    store.execute(["put", "big", "v" * 1_000_000])
    store.take_changes()
    try:
        store.execute(["txn", [], [["put", "t", 3], *[["get", "big"]] * 5]])
    except NotExecuted:
        assert store.take_changes() == []
    else:
        raise AssertionError("the answer was not too long")
