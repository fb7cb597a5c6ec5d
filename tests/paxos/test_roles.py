"""How Multi-Paxos is put together: roles do not know each other, and the state is declared once."""

from __future__ import annotations

import ast
import inspect

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
