"""Faults that are aimed at whoever has a role."""

from __future__ import annotations

from collections.abc import Sequence

from ostrakon.harness.history import Event
from ostrakon.harness.hosts.role import gained, given_up, holder_of

NODES = ("n1", "n2")


def _told(*events: tuple[str, str]) -> Sequence[Event]:
    return [Event(time, node, 0, time, event) for time, (node, event) in enumerate(events)]


def test_nobody_has_a_role_that_nobody_has_told_of() -> None:
    assert holder_of("master")([], NODES) == []


def test_of_two_that_take_themselves_for_the_master_the_newer_one_is_meant() -> None:
    events = _told(("n1", gained("master")), ("n2", gained("master")))

    assert holder_of("master")(events, NODES) == ["n2"]


def test_when_the_newer_one_gives_up_the_older_one_is_meant() -> None:
    events = _told(("n1", gained("master")), ("n2", gained("master")), ("n2", given_up("master")))

    assert holder_of("master")(events, NODES) == ["n1"]


def test_roles_do_not_mix() -> None:
    assert holder_of("primary")(_told(("n1", gained("master"))), NODES) == []


def test_a_leader_is_told_of_as_everywhere() -> None:
    assert (gained("leader"), given_up("leader")) == ("leading", "not_leading")
