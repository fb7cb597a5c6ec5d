"""What `ostrakon explore decree` does: explore, and make a story and a plan of what was found."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ostrakon.checkers.rules import statement
from ostrakon.harness.model import CannotExplore, Found, Size
from ostrakon.harness.plan import BadPlan, Plan
from ostrakon.harness.version import VERSION
from ostrakon.harness.workload import Workload
from ostrakon.paxos_impl.core import RULES, Rules
from ostrakon.workloads.bugs import DECREE_BUGS
from ostrakon.workloads.small_world.enactment import enact, encode_schedule
from ostrakon.workloads.small_world.exploration import Explored, explore_world
from ostrakon.workloads.small_world.rehearsal import plan_for_simulator
from ostrakon.workloads.small_world.story import story
from ostrakon.workloads.small_world.world import PROPERTIES

TIMEOUTS_MAX = 10
"""More could put more copies of a message under way than a state can count."""


def explore_decree(
    workload: Workload,
    size: Size,
    *,
    bug: str | None,
    only: tuple[str, ...],
    states_max: int,
    note: Callable[[int, int, int], object] | None,
) -> Found:
    """Explore Basic Paxos, of which `workload` makes simulations. Raises: CannotExplore."""
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
    """A plan for the simulator: by the schedule that was found, or by one that connections can carry.

    A proposer that crashes gets no more replies to what it asked before, since its connections are gone; what
    they would show, a timer that runs out may show as well.
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
