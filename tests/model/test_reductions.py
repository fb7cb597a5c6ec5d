"""What the reductions leave out cannot be seen: every vote and every acceptor's state is still reached.

The oracle explores without any of them. What is compared is all that agreement, and the rules that acceptors
and proposers go by, are about: which votes there can be together, what all acceptors can be at one moment,
and what can be learned.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from ostrakon.harness.model import Size, explore
from ostrakon.paxos_impl.core import RULES, Rules
from ostrakon.workloads.bugs import DECREE_BUGS
from ostrakon.workloads.small_world.numbers import Mail
from ostrakon.workloads.small_world.witness import learnable
from ostrakon.workloads.small_world.world import SmallWorld
from tests.model.plain_world import PlainWorld

Seen = tuple[set[Any], set[Any], set[Any]]
"""Sets of votes, of states of all acceptors, of values learned."""


@pytest.mark.parametrize(
    "size",
    [
        Size(proposers=1, acceptors=2, crashes=1),
        Size(proposers=1, acceptors=1, crashes=2, requests=2),
        Size(proposers=2, acceptors=2),
    ],
    ids=str,
)
def test_the_correct_core_is_seen_to_do_the_same_with_and_without_reductions(size: Size) -> None:
    assert _reduced(size, RULES) == _plain(size, RULES)


@pytest.mark.parametrize("bug", DECREE_BUGS)
def test_a_broken_core_is_seen_to_do_the_same_with_and_without_reductions(bug: str) -> None:
    # Where nobody need be asked, there is so much more to be done that crashes would take too long.
    size = Size(proposers=1, acceptors=2, crashes=0 if bug == "quorum-half" else 1)
    rules = DECREE_BUGS[bug].breakage

    assert _reduced(size, rules) == _plain(size, rules)


def test_of_alike_acceptors_just_one_naming_is_explored() -> None:
    size = Size(proposers=1, acceptors=4)

    votes, acceptors, learned = _reduced(size, RULES)

    named_anyhow = _reduced(size, RULES, renamed=False)
    assert {_anyhow(seen) for seen in votes} == {_anyhow(seen) for seen in named_anyhow[0]}
    assert len(acceptors) < len(named_anyhow[1])
    assert learned == named_anyhow[2]


def _plain(size: Size, rules: Rules) -> Seen:
    seen: Seen = (set(), set(), set())

    def look(state: Any) -> bool:
        seen[0].add(state.votes)
        seen[1].add(tuple((n.acceptor.promised, n.acceptor.accepted) for n in state.nodes))
        seen[2].update(state.learned)
        return True

    assert explore(PlainWorld(size, rules), always={"looked at": look}).exhausted
    return seen


def _reduced(size: Size, rules: Rules, *, renamed: bool = True) -> Seen:
    kept: set[Mail] = set()
    while True:
        world = SmallWorld(size, rules, properties=(), kept=kept)
        if not renamed:
            world._renamings.clear()
        seen: Seen = (set(), set(), set())

        def look(state: Any, world: SmallWorld = world, seen: Seen = seen) -> bool:
            votes = world.book.votes.of_bits(state.votes)
            seen[0].add(frozenset(votes))
            locals_ = [world.book.locals.items[at] for at in state.nodes]
            acceptors = [local.instance.acceptor for local in locals_]
            seen[1].add(tuple((acceptor.promised, acceptor.accepted) for acceptor in acceptors))
            lessons = learnable(votes, size.acceptors, rules, twice=False)
            seen[2].update(vote.value for vote, _ in lessons)
            return True

        assert explore(world, always={"looked at": look}).exhausted
        missed = world.wrongly_stale() - kept
        if not missed:
            return seen
        kept |= missed


def _anyhow(votes: frozenset[Any]) -> Any:
    """A set of votes, whatever the acceptors n2 to n4 are called."""
    namings = [dict(zip((2, 3, 4), names, strict=True)) for names in permutations((2, 3, 4))]
    return min(tuple(sorted((names.get(who, who), repr(vote)) for who, vote in votes)) for names in namings)
