"""Stories: a script of what happens to a cluster, and after each line what the nodes then did.

    propose n1 x        a client's request          deliver n1>n2     the oldest message on that way
    get n1                                          drop n1>n2
    fire n1 back_off    a timer                     repeat n1>n2      deliver it, and keep a copy
    crash n1            lose power                  lag n1 n2>n1 ...  deliver, but do not sync
    restart n1                                      all               deliver until nothing is left

Lines that begin with # are comment. What nodes did stands between ---- and an empty line.
"""

from __future__ import annotations

from ostrakon.paxos_impl.core import (
    Accepted,
    Ask,
    Chosen,
    Effect,
    Learned,
    Message,
    Nack,
    Persist,
    Prepare,
    Promise,
    Propose,
    Refused,
    Reply,
    Restarted,
    Send,
    SetTimer,
    Tell,
    Unknown,
    Vote,
)
from tests.paxos_impl.core.world import Flight, World


def play(script: str) -> str:
    """The script with what the nodes did filled in, in place of what stood there before."""
    stage = _Stage()
    told: list[str] = []
    for block in script.strip().split("\n\n"):
        lines = block.split("\n")
        cue = lines[: lines.index("----")] if "----" in lines else lines
        told.append("\n".join(cue))
        if commands := [line for line in cue if line and not line.startswith("#")]:
            done = [line for command in commands for line in stage.act(command)]
            told[-1] += "\n----\n" + "\n".join(done or ["nothing"])
    return "\n\n".join(told) + "\n"


class _Stage:
    def __init__(self) -> None:
        self.done: list[str] = []
        self.world = World(watch=self._watch)
        self.done.clear()

    def act(self, command: str) -> list[str]:
        self.done.clear()
        match command.split():
            case ["propose", node, value]:
                self.world.propose(_id(node), value)
            case ["get", node]:
                self.world.get(_id(node))
            case ["fire", node, timer]:
                self.world.fire(_id(node), timer)  # type: ignore[arg-type]
            case ["crash", node]:
                self.world.crash(_id(node))
            case ["restart", node]:
                self.world.restart(_id(node))
            case ["deliver", way]:
                self.world.deliver(self._flight(way))
            case ["repeat", way]:
                self.world.deliver(self._flight(way), keep=True)
            case ["lag", way]:
                self.world.deliver(self._flight(way), sync=False)
            case ["drop", way]:
                self.world.drop(self._flight(way))
            case ["all"]:
                self.world.settle()
            case _:
                raise ValueError(f"no such command in a story: {command}")
        return list(self.done)

    def _flight(self, way: str) -> Flight:
        sender, to = way.split(">")
        for flight in self.world.flights:
            if (flight.sender, flight.to) == (_id(sender), _id(to)):
                return flight
        under_way = ", ".join(map(str, self.world.flights))
        raise ValueError(f"nothing is under way on {way}; there is: {under_way}")

    def _watch(self, node: int, effect: Effect) -> None:
        match effect:
            case Persist(state=state):
                chosen = "" if state.chosen is None else f" chosen={_vote(state.chosen)}"
                line = f"writes promised={state.promised or '-'} accepted={_vote(state.accepted)}{chosen}"
            case Send(to, message):
                receivers = " ".join(f"n{peer}" for peer in to)
                line = f"-> {receivers}: {_say(message)}"
            case Restarted(state):
                line = f"starts with promised={state.promised or '-'} accepted={_vote(state.accepted)}"
            case SetTimer("pull"):
                return
            case SetTimer(timer, attempt):
                line = f"sets {timer}, attempt {attempt}"
            case Learned(vote, how):
                line = f"learns {_vote(vote)} by {'counting votes' if how == 'votes' else 'being told'}"
            case Reply(request, Chosen(value)):
                line = f"answers request {request}: {value} is chosen"
            case Reply(request, Unknown()):
                line = f"answers request {request}: not known yet"
            case Reply(request, Refused(why)):
                line = f"refuses request {request}: {why}"
            case _:
                return
        self.done.append(f"n{node} {line}")


def _say(message: Message) -> str:
    match message:
        case Prepare(ballot):
            return f"prepare {ballot}"
        case Promise(ballot, accepted):
            return f"promise {ballot}, {'free' if accepted is None else 'accepted ' + _vote(accepted)}"
        case Propose(ballot, value):
            return f"propose {ballot} {value}"
        case Accepted(ballot, value):
            return f"accepted {ballot} {value}"
        case Nack(ballot, promised):
            return f"nack {ballot}, promised {promised}"
        case Ask():
            return "ask"
        case Tell(accepted, chosen):
            return f"tell accepted={_vote(accepted)} chosen={_vote(chosen)}"


def _vote(vote: Vote | None) -> str:
    return "-" if vote is None else f"{vote.value}@{vote.ballot}"


def _id(node: str) -> int:
    return int(node.removeprefix("n"))
