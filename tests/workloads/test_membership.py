"""The workload `membership` knows whether it has changed anything, however the asking ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ostrakon.harness.history import History, Op
from ostrakon.harness.workload import Refused
from ostrakon.paxos_impl.core.multi import Configuration, Member
from ostrakon.paxos_impl.core.multi.configuration import founded_by
from ostrakon.workloads.membership import CHANGED, CHANGES, OR, MemberClient, _changes_made

WHATEVER = OR.join(CHANGES)


class Told:
    """A cluster that does as it is told."""

    def __init__(self, configuration: Configuration, nodes: int) -> None:
        self.now, self.nodes = configuration, [f"n{number}" for number in range(1, nodes + 1)]

    async def configuration(self) -> Configuration:
        return self.now

    async def change(self, members: Sequence[Member]) -> None:
        self.now = Configuration(self.now.version + 1, tuple(members), self.now.next_id)


async def reconfigure(cluster: Told, how: str) -> list[Any]:
    client = MemberClient(cluster)  # type: ignore[arg-type]
    return (await client.apply(Op(0, 0, "invoke", 0, "reconfigure", how))).value  # type: ignore[no-any-return]


async def test_of_several_changes_the_first_is_made_that_can_be() -> None:
    assert await reconfigure(Told(founded_by((1, 2, 3)), nodes=3), "add or promote or demote or remove") == [
        "demote",
        1,
    ]
    assert await reconfigure(Told(founded_by((1, 2, 3)), nodes=5), "promote or add") == ["add", 4]


async def test_where_nothing_can_be_changed_any_more_something_was() -> None:
    cluster = Told(founded_by((1, 2, 3)), nodes=3)

    first = await reconfigure(cluster, "remove")
    then = await reconfigure(cluster, WHATEVER)

    assert first[1] is not None
    assert then == [CHANGED, None]
    ended = Op(1, 1, "ok", 0, "reconfigure", then)
    assert _changes_made(History([Op(0, 0, "invoke", 0, "reconfigure", WHATEVER), ended])).valid == "valid"


async def test_a_change_for_which_there_is_nobody_is_refused_and_shows_nothing() -> None:
    with pytest.raises(Refused, match="nobody for that"):
        await reconfigure(Told(founded_by((1, 2, 3)), nodes=3), "promote or add")

    failed = Op(1, 1, "fail", 0, "reconfigure", "promote or add")
    history = History([Op(0, 0, "invoke", 0, "reconfigure", "promote or add"), failed])
    assert _changes_made(history).valid == "unknown"
    assert _changes_made(History()).valid == "unknown"
