"""The store on the model substrate: bare replicas, and clients that find the leader, on the event heap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from ostrakon.harness.client import NOT_AVAILABLE
from ostrakon.harness.history import Op
from ostrakon.harness.model.run import Bare, EndOp, run_bare
from ostrakon.harness.model.task import Future, Sleep, Task
from ostrakon.harness.recording import Recording
from ostrakon.harness.resolution import ResolvedPlan
from ostrakon.harness.store import RunFolder
from ostrakon.harness.substrates import CONTROL
from ostrakon.harness.substrates.seeds import substream
from ostrakon.harness.workload import Client, Refused, Unavailable
from ostrakon.paxos_impl.client.connection import NoAnswer
from ostrakon.paxos_impl.client.session import NotDone, SessionRequests, Unsure
from ostrakon.paxos_impl.core.multi import Member, ReadHow
from ostrakon.paxos_impl.kv.machine import BadOperation, StateMachine
from ostrakon.paxos_impl.kv.placement import group_of
from ostrakon.paxos_impl.kv.sessions import Sessions
from ostrakon.paxos_impl.server.replica_config import ReplicaConfig
from ostrakon.paxos_impl.server.timing import ReplicaTiming
from ostrakon.paxos_impl.wire.replica import (
    AskStatus,
    Done,
    Elsewhere,
    Execute,
    InGroup,
    read_incoming,
)
from ostrakon.paxos_impl.wire.replica import Refused as RefusedByReplica
from ostrakon.workloads.bare_replica import BareReplica, NoResponse
from ostrakon.workloads.log_bugs import CORRECT

_PAUSE_S_FIRST, _PAUSE_S_MAX, _PATIENCE_MAX = 0.02, 0.08, 4
"""The same as in `paxos_impl.client.session`."""
_IMPATIENT = 0.25
"""The share of replicas that are impatient if the plan asks for rare branches; see `sometimes`."""

StatusOf = Callable[[str], Any]
ClientOf = Callable[[Any, int, StatusOf], Client]
"""Makes the client of a process from what executes its requests, the number of the process, and a function
that asks a node for its status."""


def run_bare_store(
    resolved: ResolvedPlan,
    config_of: Callable[[str, ReplicaTiming], ReplicaConfig],
    client_of: ClientOf,
    timings: tuple[ReplicaTiming, ReplicaTiming],
    attempt_s: float,
    folder: RunFolder | None,
    *,
    sessions: Callable[[StateMachine], Sessions] = Sessions,
) -> Recording:
    """Run a plan on bare replicas; `sessions` makes the table of sessions unless a bug does.

    `timings` are those of a replica and of an impatient one. Raises: BadPlan.
    """

    plan, breakage = resolved.plan, resolved.breakage or CORRECT
    groups = config_of(plan.names[0], timings[0]).groups
    if breakage.sessions is None:
        breakage = replace(breakage, sessions=sessions)

    def make_node(bare: Bare, name: str) -> BareReplica:
        rng = substream(plan.seed, "sometimes", name)
        is_impatient = rng.random() < plan.buggify and rng.random() < _IMPATIENT
        return BareReplica(bare, name, config_of(name, timings[is_impatient]), breakage)

    def make_clients(bare: Bare, nodes: Mapping[str, Any]) -> _Clients:
        return _Clients(bare, nodes, client_of, attempt_s, groups)

    return run_bare(resolved, make_node, make_clients, folder=folder)


class _Clients:
    """All client processes. Each op is a coroutine of its process's client."""

    def __init__(
        self,
        bare: Bare,
        nodes: Mapping[str, BareReplica],
        client_of: ClientOf,
        attempt_s: float,
        groups: int,
    ) -> None:
        self._groups = groups
        self._bare, self._nodes, self._client_of, self._attempt_s = bare, nodes, client_of, attempt_s
        self._clients: dict[int, Client] = {}
        self._tasks: dict[int, Task[Op]] = {}

    def begin(self, op: Op, end: EndOp) -> None:
        """Let the process of the op execute it."""
        assert isinstance(op.process, int)
        client = self._clients.get(op.process)
        if client is None:
            client = self._clients[op.process] = self._connect(op.process)

        def ended(done: Op | None, error: Exception | None) -> None:
            self._tasks.pop(op.index, None)
            end(_outcome(op, done, error))

        task = Task(client.apply(op), self._bare.heap.call_in, ended)
        if not task.is_over:
            self._tasks[op.index] = task

    def give_up(self, op: Op) -> None:
        """Stop waiting for this op."""
        if (task := self._tasks.pop(op.index, None)) is not None:
            task.cancel()

    def _connect(self, process: int) -> Client:
        names = self._bare.plan.names
        first = process % len(names)
        order = (*names[first:], *names[:first])

        def session(group: int | None) -> BareSession:
            return BareSession(self._bare, self._nodes, order, f"p{process}", self._attempt_s, group)

        if self._groups == 1:
            only = session(None)
            return self._client_of(only, process, only.status)
        requests = _GroupsClient([session(group) for group in range(self._groups)])
        return self._client_of(requests, process, requests.status)


def _outcome(op: Op, done: Op | None, error: Exception | None) -> Op:
    """How an op ended, as `harness.client.complete` has it. Raises: the client's own errors."""
    match error:
        case None:
            assert done is not None
            return done
        case Unavailable():
            return replace(op, type="fail", error=f"{NOT_AVAILABLE}: {error}")
        case Refused():
            return replace(op, type="fail", error=str(error) or "refused")
    raise error


class _GroupsClient:
    """Asks the group of each operation, as `paxos_impl.client.replica.ReplicaClient` does."""

    def __init__(self, sessions: Sequence[BareSession]) -> None:
        self._sessions = sessions

    async def execute(self, op: Any, *, timeout_s: float) -> Done:
        return await self._session(op).execute(op, timeout_s=timeout_s)

    async def read(self, op: Any, *, how: ReadHow, timeout_s: float) -> Done:
        return await self._session(op).read(op, how=how, timeout_s=timeout_s)

    async def change(self, members: Sequence[Member], *, timeout_s: float) -> Done:
        raise NotDone("on the model, members are changed where there is one group")

    def renew(self) -> None:
        for session in self._sessions:
            session.renew()

    async def status(self, node: str) -> object:
        return await self._sessions[0].status(node)

    def _session(self, op: Any) -> BareSession:
        try:
            return self._sessions[group_of(op, len(self._sessions))]
        except BadOperation as error:
            raise NotDone(str(error)) from error


class BareSession(SessionRequests):
    """Finds the leader, repeats requests, and returns the outcome, as `paxos_impl.client.session.Session`
    does."""

    def __init__(
        self,
        bare: Bare,
        nodes: Mapping[str, BareReplica],
        order: Sequence[str],
        name: str,
        attempt_s: float,
        group: int | None,
    ) -> None:
        """`group` is None where there is only one."""
        super().__init__(name)
        self._group = group
        self._heap, self._wires, self._nodes = bare.heap, bare.wires, nodes
        self._order, self._attempt_s = order, attempt_s
        self._patience_s, self._pause_s = attempt_s, _PAUSE_S_FIRST
        self._node = order[0]
        self._is_open = self._is_sent_on = False
        self._requests = 0

    async def execute(self, op: Any, *, timeout_s: float) -> Done:
        """Execute an operation through the log. Raises: NotDone, Unsure."""
        end_ns = self._heap.now_ns + int(timeout_s * 1e9)
        session = await self._open(timeout_s)
        self._number += 1
        number, left_s = self._number, (end_ns - self._heap.now_ns) / 1e9
        return await self._insist(lambda request: Execute(request, session, number, op), left_s)

    async def status(self, node: str) -> object:
        """The status of a replica. Raises: NoAnswer."""
        until_ns = self._heap.now_ns + int(self._attempt_s * 1e9)
        answer = await self._ask(node, AskStatus(1), False, until_ns)
        if isinstance(answer, NoResponse | _Silence):
            raise NoAnswer(f"{node}: no answer")
        return answer

    async def _insist(self, request: Callable[[int], Any], timeout_s: float) -> Done:
        maybe, why = False, "nobody answered in time"
        self._pause_s = _PAUSE_S_FIRST
        end_ns = self._heap.now_ns + int(timeout_s * 1e9)
        while (now_ns := self._heap.now_ns) < end_ns:
            self._requests += 1
            before = maybe
            patience_ns = now_ns + int(self._patience_s * 1e9)
            answer = await self._ask(
                self._node, request(self._requests), self._is_open, min(patience_ns, end_ns)
            )
            if isinstance(answer, NoResponse):
                maybe = maybe or answer is NoResponse.LOST
                why = f"no connection to {self._node}"
                await self._turn_away(end_ns)
                continue
            if answer is _SILENCE:
                maybe = True
                if self._heap.now_ns >= end_ns:
                    break
                why = f"{self._node} did not answer within {self._patience_s:g} s"
                self._patience_s = min(2 * self._patience_s, _PATIENCE_MAX * self._attempt_s)
                await self._turn_away(end_ns)
                continue
            maybe = self._is_open = True
            match answer:
                case Done():
                    self._is_sent_on = False
                    if self._heap.now_ns - now_ns < self._attempt_s * 1e9:
                        self._patience_s = max(self._patience_s / 2, self._attempt_s)
                    return answer
                case Elsewhere(leader, perhaps):
                    maybe = before or perhaps
                    why = "there was no leader" if leader is None else f"{leader} was said to lead"
                    await self._turn_to(None if leader is None else leader.host, end_ns)
                case RefusedByReplica(why, is_final, is_unsure):
                    maybe = before or is_unsure
                    if is_unsure:
                        self._session = None
                    if is_final:
                        break
                    await self._pause(end_ns)
        raise (Unsure if maybe else NotDone)(why)

    async def _ask(self, node: str, request: Any, is_open: bool, until_ns: int) -> Any:
        """The answer of a node, or the reason why there is none."""
        heap, wires = self._heap, self._wires
        answer: Future[Any] = Future()
        trips = 1 if is_open else 3  # A new connection is a handshake, there and back, and then the request.
        delay_ns = sum(wires.latency_ns(CONTROL, node) for _ in range(trips))
        body = _encode(request if self._group is None else InGroup(self._group, request))
        received = read_incoming(body)  # A replica gets what the wire makes of a request: tuples are lists.

        def respond(outcome: object) -> None:
            if isinstance(outcome, Done) and isinstance(outcome.result, list | dict | tuple):
                # A copy, as the wire makes one: the state machine may change its own later.
                outcome = Done(outcome.slot, _decode(_encode(outcome.result)))
            heap.call_in(wires.latency_ns(node, CONTROL), answer.set, outcome)

        heap.call_in(delay_ns, self._nodes[node].serve, received, len(body), respond)
        heap.call_at(max(until_ns, heap.now_ns), answer.set, _SILENCE)
        return await answer

    async def _turn_to(self, leader: str | None, end_ns: int) -> None:
        if leader is None or leader == self._node:
            await self._turn_away(end_ns)
            return
        if self._is_sent_on:  # The replicas disagree about the leader, and need time to elect one.
            await self._pause(end_ns)
        self._is_sent_on = True
        self._node, self._is_open = leader, False

    async def _turn_away(self, end_ns: int) -> None:
        at = self._order.index(self._node)
        self._node, self._is_open = self._order[(at + 1) % len(self._order)], False
        await self._pause(end_ns)

    async def _pause(self, end_ns: int) -> None:
        """Wait, longer each time within one request."""
        self._is_sent_on = False
        await Sleep(max(0, min(int(self._pause_s * 1e9), end_ns - self._heap.now_ns)))
        self._pause_s = min(2 * self._pause_s, _PAUSE_S_MAX)


class _Silence:
    """There was no answer in time."""


_SILENCE = _Silence()
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
