"""A schedule told to people, a line a step: what happens, and what the node makes of it."""

from __future__ import annotations

from collections.abc import Sequence

from ostrakon.harness.history import Event as Traced
from ostrakon.paxos_impl.core import Durable, Message, Nack, Prepare, Promise, Propose, Vote
from ostrakon.workloads.small_world.enactment import STEP_NS, Enacted
from ostrakon.workloads.small_world.step import Ask, Crash, Deliver, Fire, Learn, Step


def story(schedule: Sequence[Step], enacted: Enacted) -> tuple[str, ...]:
    """The lines; `enacted` is what playing the schedule recorded."""
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
