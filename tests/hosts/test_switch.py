"""What a switch makes of frames."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.hosts.switch import SwitchLines
from ostrakon.harness.substrates.message_faults import Disturbance, MessageFaultKind

THERE, BACK = ("n1", "n2"), ("n2", "n1")
HEADER = bytes(12)


def lines() -> SwitchLines:
    return SwitchLines(("n1", "n2", "n3"), lambda a, b: random.Random(f"{a}>{b}"))


def packet(number: int = 0) -> bytes:
    return HEADER + b"\x08\x00" + bytes([number] * 40)


ARP = HEADER + b"\x08\x06" + bytes(28)


def test_a_frame_is_handed_on_at_once() -> None:
    assert lines().forward(THERE, packet(), 5) == [(5, packet())]


def test_a_cut_loses_packets_one_way_and_counts_them() -> None:
    switch = lines()

    cut = switch.block({THERE}, keeps=False)

    assert switch.forward(THERE, packet(), 0) == []
    assert switch.forward(BACK, packet(), 0) == [(0, packet())]
    assert switch.lift(cut, 9) == []
    assert cut.messages == 1
    assert switch.forward(THERE, packet(), 9) == [(9, packet())]


def test_a_hold_keeps_packets_and_hands_them_on_in_order() -> None:
    switch = lines()
    hold = switch.block({THERE}, keeps=True)

    assert [switch.forward(THERE, packet(n), n) for n in range(3)] == [[], [], []]

    assert switch.lift(hold, 10) == [(THERE, (10, packet(n))) for n in range(3)]


def test_what_is_held_and_cut_is_lost() -> None:
    switch = lines()
    hold, cut = switch.block({THERE}, keeps=True), switch.block({THERE}, keeps=False)

    switch.forward(THERE, packet(), 0)

    assert switch.lift(cut, 1) == []
    assert switch.lift(hold, 2) == []


def test_what_two_holds_keep_waits_for_both() -> None:
    switch = lines()
    first, second = switch.block({THERE}, keeps=True), switch.block({THERE}, keeps=True)
    switch.forward(THERE, packet(), 0)

    assert switch.lift(second, 1) == []
    assert switch.lift(first, 2) == [(THERE, (2, packet()))]


def test_addresses_are_found_although_a_link_is_cut() -> None:
    switch = lines()
    cut = switch.block({THERE}, keeps=False)

    assert switch.forward(THERE, ARP, 0) == [(0, ARP)]
    assert cut.messages == switch.messages == 0


def test_clients_are_spared() -> None:
    switch = lines()
    switch.disturb(Disturbance("drop", 1.0))

    assert switch.forward(("clients", "n1"), packet(), 0) == [(0, packet())]


@pytest.mark.parametrize(("kind", "copies"), [("drop", 0), ("duplicate", 2), ("corrupt", 1)])
def test_packets_are_lost_doubled_and_damaged(kind: MessageFaultKind, copies: int) -> None:
    switch = lines()
    disturbed = switch.disturb(Disturbance(kind, 1.0, links=(THERE,)))

    sent = switch.forward(THERE, packet(), 0)

    assert len(sent) == copies
    assert disturbed.messages == 1
    switch.settle(disturbed)
    assert switch.forward(THERE, packet(), 0) == [(0, packet())]


def test_a_damaged_packet_differs_in_one_bit_behind_its_header() -> None:
    switch = lines()
    switch.disturb(Disturbance("corrupt", 1.0))

    [(_, damaged)] = switch.forward(THERE, packet(), 0)

    assert damaged[:14] == packet()[:14]
    assert sum((a ^ b).bit_count() for a, b in zip(damaged, packet(), strict=True)) == 1


@given(st.lists(st.integers(0, 10_000_000), max_size=30))
def test_a_packet_that_is_late_is_not_overtaken(pauses: list[int]) -> None:
    switch = lines()
    switch.disturb(Disturbance("delay", 0.5, ms=20))
    now, due = 0, []
    for pause in pauses:
        now += pause
        due += [at for at, _ in switch.forward(THERE, packet(), now)]

    assert due == sorted(due)
    assert len(due) == len(pauses)


def test_reordered_packets_are_overtaken() -> None:
    switch = lines()
    switch.disturb(Disturbance("reorder", 0.5, ms=20))

    due = [at for now in range(50) for at, _ in switch.forward(THERE, packet(), now)]

    assert due != sorted(due)
