"""How Multi-Paxos is put together: roles do not know each other, and the state is declared once."""

from __future__ import annotations

import ast
import inspect
import random

import msgspec
import pytest

from ostrakon.paxos_impl.core import multi
from ostrakon.paxos_impl.core.multi import (
    Replica,
    acceptor,
    dispatch,
    election,
    leader,
    learner,
    reading,
    reconfiguration,
    state,
    transfer,
    transition,
)
from ostrakon.paxos_impl.core.multi.message import Heartbeat
from tests.paxos_impl.core.multi.log_world import LogWorld, disturb

ROLES = (acceptor, election, leader, learner, reading, reconfiguration, transfer)


def modules_imported_by(module: object) -> set[str]:
    """The modules of Multi-Paxos that a module imports, wherever the import stands."""
    package = multi.__name__
    found: set[str] = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):  # type: ignore[arg-type]
        if isinstance(node, ast.ImportFrom) and node.module == package:
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(package + "."):
            found.add(node.module.removeprefix(package + "."))
    return found


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.__name__.rpartition(".")[2])
def test_a_role_knows_no_other_role_and_not_the_dispatch(role: object) -> None:
    others = {each.__name__.rpartition(".")[2] for each in (*ROLES, dispatch)}

    assert "transition" in modules_imported_by(role)
    assert not modules_imported_by(role) & others


def test_the_dispatch_knows_every_role() -> None:
    assert {each.__name__.rpartition(".")[2] for each in ROLES} <= modules_imported_by(dispatch)


def test_a_replica_adds_no_field_to_the_state() -> None:
    fields = {field.name for field in msgspec.structs.fields(state.State)}

    assert {field.name for field in msgspec.structs.fields(Replica)} == fields


def test_a_transition_leaves_the_one_before_it_as_it_was() -> None:
    replica, _ = Replica.recover(1, (1, 2, 3)).step(multi.Started())
    before = transition.Transition(replica, None, multi.ClockReading())

    after = before.update(attempts=7).emit(multi.SetTimer("election"))

    assert (before.state.attempts, before.effects) == (0, ())
    assert (after.state.attempts, after.effects) == (7, (multi.SetTimer("election"),))


class SettledWorld(LogWorld):
    """Looks at each replica before it is told that all events are handled."""

    def __init__(self, members: tuple[int, ...]) -> None:
        self.seen = {True: 0, False: 0}
        self.announced = 0
        super().__init__(members)

    def step(self, node: int, event: multi.Event, *, sync: bool = True) -> None:
        after, _ = self.nodes[node].replica.step(event, self.now(node))
        drained, effects = after.step(multi.Drained(), self.now(node))
        self.seen[after.is_settled] += 1
        assert not after.is_settled or (drained == after and effects == [])
        if after.only_announces:
            self.announced += 1
            [send] = effects
            assert isinstance(send, multi.Send)
            assert isinstance(send.message, Heartbeat)
        super().step(node, event, sync=sync)


def test_a_settled_replica_has_nothing_to_do_when_all_events_are_handled() -> None:
    """Servers leave the event out then, so this must hold in every state that schedules reach."""
    seen, announced = {True: 0, False: 0}, 0

    for seed in range(12):
        world = SettledWorld((1, 2, 3))
        disturb(world, random.Random(seed), 400, changes=True)
        seen = {settled: seen[settled] + world.seen[settled] for settled in seen}
        announced += world.announced

    assert min(seen.values()) > 100, "vacuous"
    assert announced > 20, "vacuous"
