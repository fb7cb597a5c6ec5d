"""The command `ostrakon explore decree`: explores a small world, and writes a story and a plan of what it
found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from ostrakon.checkers.rules import statement
from ostrakon.harness.history import Event as Traced
from ostrakon.harness.model import CannotExplore, Found, Size
from ostrakon.harness.plan import BadPlan, Plan
from ostrakon.harness.version import VERSION
from ostrakon.harness.workload import Workload
from ostrakon.paxos_impl.core import RULES, Durable, Message, Nack, Prepare, Promise, Propose, Rules, Vote
from ostrakon.workloads.bugs import DECREE_BUGS
from ostrakon.workloads.small_world.enactment import STEP_NS, Enacted, enact, encode_schedule
from ostrakon.workloads.small_world.exploration import Explored, explore_world
from ostrakon.workloads.small_world.rehearsal import plan_for_simulator
from ostrakon.workloads.small_world.step import Ask, Crash, Deliver, Fire, Learn, Step
from ostrakon.workloads.small_world.world import PROPERTIES

TIMEOUTS_MAX = 10
"""With more of them, more copies of a message could be under way than a state can count."""


def explore_decree(
    workload: Workload,
    size: Size,
    *,
    bug: str | None,
    only: tuple[str, ...],
    states_max: int,
    note: Callable[[int, int, int], object] | None,
) -> Found:
    """Explore Basic Paxos; `workload` runs the simulations. Raises: CannotExplore."""
    _require_sense(size, only)
    rules = DECREE_BUGS[bug].breakage if bug is not None else RULES
    explored = explore_world(size, rules, properties=only or PROPERTIES, states_max=states_max, note=note)
    found = explored.exploration
    enacted = enact(explored.schedule, size.acceptors, rules)
    plan = simulation = None
    if explored.broken is not None:
        plan = _plan(explored, bug)
        simulation = _simulation(workload, explored, rules, plan, states_max)
    return Found(
        explored.valid,
        explored.why,
        found.states,
        found.transitions,
        found.depth,
        explored.wall_s,
        explored.broken,
        story(explored.schedule, enacted),
        plan,
        simulation,
        {"rounds": explored.rounds},
    )


def _simulation(
    workload: Workload, explored: Explored, rules: Rules, plan: Plan, states_max: int
) -> Plan | None:
    """A plan for the simulator, by the schedule that was found or by one that connections can carry.

    A proposer that crashes gets no more replies to earlier requests, because its connections are gone. A
    timer can show the same as these replies would.
    """
    property = explored.broken
    assert property is not None
    if (found := _rehearsed(workload, explored, rules, plan, property)) is not None:
        return found
    size = explored.size
    duel = replace(size, proposers=min(2, size.acceptors), crashes=0, timeouts=1)
    for other in dict.fromkeys((size, duel)):
        closer = explore_world(other, rules, properties=(property,), states_max=states_max, connected=True)
        if closer.broken is not None:
            found = _rehearsed(workload, closer, rules, plan, property)
            if found is not None:
                return found
    return None


def _rehearsed(
    workload: Workload, explored: Explored, rules: Rules, plan: Plan, property: str
) -> Plan | None:
    try:
        lost = enact(explored.schedule, explored.size.acceptors, rules).lost
    except BadPlan:
        return None
    return plan_for_simulator(explored.schedule, plan, workload, property, lost)


def _plan(explored: Explored, bug: str | None) -> Plan:
    return Plan(
        code=VERSION,
        substrate="model",
        workload="decree",
        bug=bug,
        seed=0,
        nodes=explored.size.acceptors,
        concurrency=explored.size.proposers,
        options={"schedule": encode_schedule(explored.schedule)},
    )


def _require_sense(size: Size, only: tuple[str, ...]) -> None:
    if size.proposers > size.acceptors:
        raise CannotExplore(
            f"every proposer is an acceptor too: {size.proposers} proposers need as many acceptors, "
            f"and there are {size.acceptors}"
        )
    if size.timeouts > TIMEOUTS_MAX:
        raise CannotExplore(f"at most {TIMEOUTS_MAX} timeouts can be counted, not {size.timeouts}")
    for name in only:
        if name not in PROPERTIES:
            raise CannotExplore(
                f"there is no property {name!r} to look at; there are: "
                + ", ".join(f"{known} ({statement(known)})" for known in PROPERTIES)
            )


def story(schedule: Sequence[Step], enacted: Enacted) -> tuple[str, ...]:
    """The lines of the story; `enacted` is what was recorded while the schedule was played."""
    lines = []
    for number, step in enumerate(schedule, start=1):
        deeds = [_deed(event) for event in enacted.events if event.time == number * STEP_NS]
        consequence = ", ".join(deed for deed in deeds if deed)
        lines.append(_happening(step) + (f": it {consequence}" if consequence else ""))
    return tuple(lines)


def _happening(step: Step) -> str:
    match step:
        case Ask(node, value):
            return f"a client proposes {value} to n{node}"
        case Deliver(sender, node, message):
            whose = "its own" if sender == node else f"n{sender}'s"
            return f"n{node} gets {whose} {_said(message)}"
        case Fire(node, timer):
            return f"n{node}'s timer to {timer.replace('_', ' ')} runs out"
        case Crash(node, found):
            return f"n{node} crashes and starts again, finding {_durable(found)}"
        case Learn(node, vote, voters):
            who = " and ".join(f"n{voter}'s" for voter in voters)
            return f"n{node} hears {who} vote for {_told(vote)}"


def _said(message: Message) -> str:
    match message:
        case Prepare(ballot):
            return f"prepare {ballot}"
        case Promise(ballot, None):
            return f"promise {ballot}"
        case Promise(ballot, accepted) if accepted is not None:
            return f"promise {ballot} that reports {_told(accepted)}"
        case Propose(ballot, value):
            return f"proposal of {value} at {ballot}"
        case Nack(ballot, promised):
            return f"refusal of {ballot} for {promised}"
    return type(message).__name__.lower()


def _durable(state: Durable) -> str:
    parts = [
        *([f"its promise {state.promised}"] if state.promised else []),
        *([f"its vote for {_told(state.accepted)}"] if state.accepted else []),
        *([f"that {state.chosen.value} is chosen"] if state.chosen else []),
    ]
    return " and ".join(parts) or "nothing on its disk"


def _told(vote: Vote) -> str:
    return f"{vote.value} at {vote.ballot}"


def _deed(event: Traced) -> str:
    ballot = f"{event.ballot[0]}.{event.ballot[1]}" if event.ballot is not None else ""
    match event.event:
        case "prepare_sent":
            return f"prepares {ballot}"
        case "promise_sent":
            told = [f"{value} at {at[0]}.{at[1]}" for _, at, value in event.accepted]
            return f"promises {ballot}, reporting {told[0] if told else 'no vote'}"
        case "nack_sent":
            return f"refuses {ballot}"
        case "propose_sent":
            return f"proposes {event.value} at {ballot}"
        case "accept_sent":
            return f"votes for {event.value} at {ballot}"
        case "learned":
            return f"learns {event.value}"
    return ""
