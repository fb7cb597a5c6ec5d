"""Plays a schedule on real instances, step by step, and records what nodes and clients would have recorded.

It uses nothing of the explorer, neither its reductions nor its ghosts. So the checkers judge what the
explorer found once more, from an ordinary trace. Step n happens at n milliseconds. A plan with a schedule is
run as a trial like this.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ostrakon.harness.history import Event as Traced
from ostrakon.harness.history import Op
from ostrakon.harness.model.recording import recording
from ostrakon.harness.plan import BadPlan, Plan
from ostrakon.harness.recording import Recording
from ostrakon.harness.store import RunFolder
from ostrakon.paxos_impl.core import (
    Accepted,
    Chosen,
    Durable,
    Effect,
    Event,
    Instance,
    Learned,
    Message,
    Nack,
    Persist,
    Promise,
    ProposeRequested,
    Received,
    Reply,
    Rules,
    Send,
    Started,
    Tell,
    TimerFired,
    Vote,
    persisted_event,
    trace_event,
)
from ostrakon.paxos_impl.core import Ask as AskedFor
from ostrakon.workloads.small_world.step import Ask, Crash, Deliver, Fire, Learn, Step

STEP_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Enacted:
    """What was recorded."""

    ops: tuple[Op, ...]
    events: tuple[Traced, ...]
    """The events in order: those of step n, from 1, at n milliseconds, and the starts of nodes at 0."""
    lost: frozenset[int] = frozenset()
    """The numbers of the crashes that lost what was being written."""


def enact(schedule: Sequence[Step], nodes: int, rules: Rules) -> Enacted:
    """Play a schedule. Raises: BadPlan, if a step is not possible at its place."""
    stage = _Stage(nodes, rules)
    for number, step in enumerate(schedule, start=1):
        stage.now_ns = number * STEP_NS
        try:
            stage.play(step)
        except _Impossible as why:
            raise BadPlan(f"step {number} of the schedule is impossible: {why}") from None
    stage.end()
    return Enacted(tuple(stage.ops), tuple(stage.events), frozenset(stage.lost))


def encode_schedule(schedule: Sequence[Step]) -> list[Any]:
    """A schedule as plain data, for a plan."""
    plain: list[Any] = msgspec.to_builtins(schedule)
    return plain


def decode_schedule(plain: object) -> tuple[Step, ...]:
    """The inverse of `encode_schedule`. Raises: BadPlan."""
    try:
        return msgspec.convert(plain, tuple[Step, ...])
    except msgspec.ValidationError as error:
        raise BadPlan(f"options.schedule is not a schedule of a small world: {error}") from None


class _Impossible(Exception):
    pass


@dataclass(slots=True)
class _Node:
    instance: Instance
    disk: list[Durable] = field(default_factory=lambda: [Durable()])
    """The states that a restart may find on the disk, the latest last."""
    unsaved: int = 0
    """The number of the last write that no effect has waited for yet; 0 if there is none."""
    traced: int = 0
    asked: int = 0
    clients: dict[int, Op] = field(default_factory=dict)
    """The clients that wait for an answer, by request."""


class _Stage:
    def __init__(self, nodes: int, rules: Rules) -> None:
        self.now_ns = 0
        self.ops: list[Op] = []
        self.events: list[Traced] = []
        self.lost: set[int] = set()
        self._members = tuple(range(1, nodes + 1))
        self._under_way: list[tuple[int, int, Message, str]] = []
        self._arrived: list[tuple[int, int, Message, str]] = []
        self._nodes = {
            member: _Node(Instance.recover(member, self._members, rules=rules)) for member in self._members
        }
        for node in self._nodes.values():
            self._handle(node, Started())

    def play(self, step: Step) -> None:
        """Execute one step. Raises: _Impossible."""
        node = self._nodes.get(step.node)
        if node is None:
            raise _Impossible(f"there is no node n{step.node}, only n1 to n{len(self._members)}")
        match step:
            case Ask(value=value):
                self._ask(node, value)
            case Deliver(sender, receiver, message):
                self._handle(node, self._take(sender, receiver, message))
            case Fire(timer=timer):
                self._handle(node, TimerFired(timer))
            case Crash(found=found):
                self._crash(node, found)
            case Learn(_, vote, voters):
                self._learn(node, vote, voters)

    def end(self) -> None:
        """End the play: no client waits any longer."""
        for node in self._nodes.values():
            self._give_up(node, "nothing more happened")

    def _ask(self, node: _Node, value: Any) -> None:
        node.asked += 1
        # Successive processes ask successive nodes, as everywhere in this workload.
        process = node.instance.server_id - 1 + len(self._members) * (node.asked - 1)
        request = len(node.clients) + 1
        node.clients[request] = op = Op(
            len(self.ops),
            self.now_ns,
            "invoke",
            process,
            "propose",
            value,
            node=f"n{node.instance.server_id}",
        )
        self.ops.append(op)
        self._handle(node, ProposeRequested(request, value))

    def _learn(self, node: _Node, vote: Vote, voters: Sequence[int]) -> None:
        """Deliver votes to a node. If its own vote was lost with its inbox, another node learns, and this
        one asks it."""
        me, voted = node.instance.server_id, Accepted(vote.ballot, vote.value)
        if me not in voters or self._is_there(me, me, voted):
            for voter in voters:
                self._handle(node, self._take(voter, me, voted))
            return
        peer = next(member for member in self._members if member != me)
        if self._nodes[peer].instance.learner.chosen is None:
            self._learn(self._nodes[peer], vote, voters)
        for _ in self._members[1:]:
            self._handle(node, TimerFired("pull"))
        self._handle(self._nodes[peer], self._take(me, peer, AskedFor()))
        told = [mail for mail in self._under_way if mail[:2] == (peer, me) and isinstance(mail[2], Tell)]
        self._handle(node, self._take(*told[-1][:3]))

    def _is_there(self, sender: int, receiver: int, message: Message) -> bool:
        return (sender, receiver, message) in (mail[:3] for mail in (*self._under_way, *self._arrived))

    def _take(self, sender: int, receiver: int, message: Message) -> Received:
        """Take a message with this content that is under way, or else one that was under way before."""
        for pool in (self._under_way, self._arrived):
            for mail in pool:
                if mail[:3] == (sender, receiver, message):
                    if pool is self._under_way:
                        pool.remove(mail)
                        self._arrived.append(mail)
                    return Received(message, sender, mail[3])
        raise _Impossible(f"n{sender} has not sent {message} to n{receiver}")

    def _crash(self, node: _Node, found: Durable) -> None:
        if found not in node.disk:
            raise _Impossible(f"n{node.instance.server_id} cannot find {found} on its disk")
        if found != node.disk[-1]:
            self.lost.add(self.now_ns // STEP_NS)
        self._give_up(node, "the node crashed")
        before = node.instance
        for pool in (self._under_way, self._arrived):
            pool[:] = [mail for mail in pool if not mail[0] == mail[1] == before.server_id]
        node.instance = Instance.recover(
            before.server_id,
            before.members,
            incarnation=before.incarnation + 1,
            state=found,
            rules=before.rules,
        )
        node.disk, node.traced, node.unsaved = [found], 0, 0
        self._handle(node, Started())

    def _give_up(self, node: _Node, why: str) -> None:
        for op in node.clients.values():
            self._complete(op, type="info", error=why)
        node.clients.clear()

    def _handle(self, node: _Node, event: Event) -> None:
        events = deque([event])
        while events:
            node.instance, effects = node.instance.step(events.popleft())
            for effect in effects:
                if isinstance(effect, Persist):
                    node.unsaved = effect.n
                    node.disk = [*(old for old in node.disk if old != effect.state), effect.state]
                else:
                    events.extend(self._carry_out(node, effect))

    def _carry_out(self, node: _Node, effect: Effect) -> list[Event]:
        """Carry out effects; returns the messages that the node sends itself."""
        me = node.instance.server_id
        match effect:
            case Send(after=n) | Reply(after=n) | Learned(after=n) if n is not None and node.unsaved:
                node.disk = node.disk[-1:]
                self._trace(node, persisted_event(node.unsaved, me, node.instance.incarnation, node.traced))
                node.unsaved = 0
        self._trace(node, trace_event(effect, me, node.instance.incarnation, node.traced))
        match effect:
            case Send(to, Promise() | Nack() as message, id) if me in to:
                return [Received(message, me, id)]
            case Send(to, message, id):
                self._under_way.extend((me, receiver, message, id) for receiver in to)
            case Reply(request, Chosen(value, ballot)) if request in node.clients:
                op = node.clients.pop(request)
                self._complete(op, type="ok", value=value, slot=0, ballot=(ballot.round, ballot.server_id))
            case Reply(request, outcome) if request in node.clients:
                self._complete(node.clients.pop(request), type="fail", error=str(outcome))
        return []

    def _complete(self, op: Op, **ended: Any) -> None:
        self.ops.append(msgspec.structs.replace(op, index=len(self.ops), time=self.now_ns, **ended))

    def _trace(self, node: _Node, told: Any) -> None:
        if told is None:
            return
        node.traced += 1
        fields = {name: getattr(told, name) for name in told.__struct_fields__}
        self.events.append(Traced(time=self.now_ns, **fields))


def run_schedule(plan: Plan, rules: Rules, folder: RunFolder | None) -> Recording:
    """Run a plan whose option `schedule` has all steps. Raises: BadPlan, if a step is impossible or the
    plan has anything else."""
    if plan.faults or plan.deviations:
        raise BadPlan(
            "a plan with options.schedule cannot have faults or deviations: the schedule has all steps"
        )
    schedule = decode_schedule(plan.options["schedule"])
    enacted = enact(schedule, plan.nodes, rules)
    return recording(enacted.ops, enacted.events, folder, now_ns=(len(schedule) + 1) * STEP_NS)
