"""Explores a small world completely, and summarises the result."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from ostrakon.harness.model import Exploration, Path, Size, explore
from ostrakon.paxos_impl.core import RULES, Rules
from ostrakon.workloads.small_world.numbers import Mail
from ostrakon.workloads.small_world.step import Learn, Step
from ostrakon.workloads.small_world.world import PROPERTIES, SmallWorld, State

_SAFE, _CHOSEN = "safe", "value chosen"


@dataclass(frozen=True, slots=True)
class Explored:
    """How the exploration of a small world ended."""

    size: Size
    properties: tuple[str, ...]
    """The properties that were checked."""
    exploration: Exploration[State, Step]
    """The result of the last round."""
    rounds: int
    """The number of rounds. Each round keeps more messages that might matter late."""
    wall_s: float
    """The time that all rounds took, in seconds."""
    broken: str | None
    """The property that a schedule breaks."""
    schedule: tuple[Step, ...]
    """A shortest schedule that breaks it."""
    has_chosen: bool
    """Whether a value was chosen in some state. Otherwise agreement means nothing."""

    @property
    def valid(self) -> str:
        """`valid` only if everything was explored and a value was chosen."""
        if self.broken is not None:
            return "invalid"
        return "valid" if self.exploration.exhausted and self.has_chosen else "unknown"

    @property
    def why(self) -> str:
        """The reason for the verdict, in a sentence."""
        if self.broken is not None:
            return f"{self.broken} is broken by a schedule of {len(self.schedule)} steps"
        if not self.exploration.exhausted:
            return f"stopped at {self.exploration.states:,} states; there are more"
        if not self.has_chosen:
            return "no schedule gets a value chosen, so there was nothing to disagree about"
        return f"no schedule breaks {', '.join(self.properties)}"


def explore_world(
    size: Size,
    rules: Rules = RULES,
    *,
    properties: Collection[str] = PROPERTIES,
    states_max: int | None = None,
    note: Callable[[int, int, int], object] | None = None,
    connected: bool = False,
) -> Explored:
    """Try all executions of a world of some size, until a property is broken or all states are known."""
    kept: set[Mail] = set()
    rounds, wall_s = 0, 0.0
    while True:
        world = SmallWorld(size, rules, properties=properties, kept=kept, connected=connected)
        exploration = explore(
            world,
            always={_SAFE: lambda state: not state.broken},
            sometimes={_CHOSEN: world.has_chosen},
            states_max=states_max,
            note=note,
        )
        rounds, wall_s = rounds + 1, wall_s + exploration.wall_s
        # Also after a violation: without what was missed there might be a shorter way to it.
        is_cut_short = not exploration.exhausted and not exploration.violated
        missed = set() if is_cut_short else world.wrongly_stale() - kept
        if not missed:
            break
        kept |= missed
    path = exploration.violated.get(_SAFE)
    return Explored(
        size,
        tuple(properties),
        exploration,
        rounds,
        wall_s,
        path.end.broken if path is not None else None,
        _schedule(world, path) if path is not None else (),
        _CHOSEN in exploration.reached,
    )


def _schedule(world: SmallWorld, path: Path[State, Step]) -> tuple[Step, ...]:
    """The steps of a path, with each node under one name; states of the path may have been renamed."""
    schedule: list[Step] = []
    state = path.states[0]
    for wanted in path.states[1:]:
        before = state
        step, state = next(
            (step, after) for step, after in world.steps(state) if world.canonical(after) == wanted
        )
        schedule += [step, *world.heard_at_once(before, state)]
    return (*schedule, *_lessons(world, state))


def _lessons(world: SmallWorld, state: State) -> Iterator[Step]:
    """Steps in which nodes learn what can be learned, if the broken property is about that."""
    if state.broken not in ("P3", "P4"):
        return
    # What is chosen is learned first, so that a node that learns otherwise can be seen to be wrong.
    lessons = sorted(world.lessons(state), key=lambda lesson: -len(set(lesson[1])))
    wrong = {vote.value: Learn(0, vote, voters) for vote, voters in reversed(lessons)}
    for node, lesson in enumerate(wrong.values(), start=1):
        yield replace(lesson, node=node)
