"""Single-decree Paxos as Stateright models it, the oracle for the explorer: three servers, two clients.

Each client puts one value at a server and, once that is acknowledged, gets it from the next. The network is
unordered, loses nothing and repeats nothing. A delivery to which the receiver says and does nothing is no
transition: the message stays where it is. What clients have invoked and heard is part of the state, for
linearizability is asked of it. Stateright's own tests say that there are 16,668 states.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any, NamedTuple

SERVERS, CLIENTS = (0, 1, 2), (3, 4)
QUORUM = 2
NOTHING = "\0"
"""What the register holds before anything is put."""

Ballot = tuple[int, int]
Proposal = tuple[int, int, str]
"""Request, client, value."""
Message = tuple[Any, ...]


class Envelope(NamedTuple):
    sender: int
    receiver: int
    message: Message


class Server(NamedTuple):
    ballot: Ballot = (0, 0)
    proposal: Proposal | None = None
    prepared: tuple[tuple[int, tuple[Ballot, Proposal] | None], ...] = ()
    accepts: frozenset[int] = frozenset()
    accepted: tuple[Ballot, Proposal] | None = None
    decided: bool = False


class Client(NamedTuple):
    awaiting: int | None
    ops: int


class Call(NamedTuple):
    """An op of a client: what was known to be over elsewhere when it began, and what came of it."""

    over: tuple[int, ...]
    f: str
    written: str | None
    returned: str | None = None


class State(NamedTuple):
    servers: tuple[Server, ...]
    clients: tuple[Client, ...]
    network: frozenset[tuple[Envelope, int]]
    """Each message and how often it is under way."""
    done: tuple[tuple[Call, ...], ...]
    """By client."""
    open: tuple[Call | None, ...]


class StaterightPaxos:
    """The model."""

    def initial(self) -> Iterator[State]:
        puts = [Envelope(c, c % 3, ("put", c, "AB"[c - 3])) for c in CLIENTS]
        clients = tuple(Client(c, 1) for c in CLIENTS)
        opened = tuple(Call((0, 0), "write", "AB"[c - 3]) for c in CLIENTS)
        yield State((Server(),) * 3, clients, frozenset((put, 1) for put in puts), ((), ()), opened)

    def successors(self, state: State) -> Iterator[tuple[Envelope, State]]:
        for envelope, _ in sorted(state.network, key=repr):
            after = deliver(state, envelope)
            if after is not None:
                yield envelope, after


def deliver(state: State, envelope: Envelope) -> State | None:
    """The state after a delivery; None if the receiver takes no notice."""
    at = envelope.receiver
    if at in SERVERS:
        heard = hear_as_server(at, state.servers[at], envelope.sender, envelope.message)
        if heard is None:
            return None
        server, sent = heard
        servers = (*state.servers[:at], server, *state.servers[at + 1 :])
        return state._replace(servers=servers, network=_moved(state.network, envelope, at, sent))
    return hear_as_client(state, envelope)


def hear_as_server(
    me: int, server: Server, sender: int, message: Message
) -> tuple[Server, list[tuple[int, Message]]] | None:
    """One step of a server, or None if it ignores the message."""
    others = [other for other in SERVERS if other != me]
    if server.decided:
        if message[0] != "get":
            return None
        assert server.accepted is not None
        return server, [(sender, ("get_ok", message[1], server.accepted[1][2]))]
    match message:
        case ("put", request, value) if server.proposal is None:
            ballot = (server.ballot[0] + 1, me)
            server = server._replace(
                ballot=ballot,
                proposal=(request, sender, value),
                prepared=((me, server.accepted),),
                accepts=frozenset(),
            )
            return server, [(other, ("prepare", ballot)) for other in others]
        case ("prepare", ballot) if server.ballot < ballot:
            return server._replace(ballot=ballot), [(sender, ("prepared", ballot, server.accepted))]
        case ("prepared", ballot, accepted) if ballot == server.ballot:
            prepared = tuple(sorted({**dict(server.prepared), sender: accepted}.items()))
            server = server._replace(prepared=prepared)
            if len(prepared) != QUORUM:
                return server, []
            votes = [vote for _, vote in prepared if vote is not None]
            proposal = max(votes)[1] if votes else server.proposal
            assert proposal is not None
            server = server._replace(
                proposal=proposal, accepted=(ballot, proposal), accepts=server.accepts | {me}
            )
            return server, [(other, ("accept", ballot, proposal)) for other in others]
        case ("accept", ballot, proposal) if server.ballot <= ballot:
            server = server._replace(ballot=ballot, accepted=(ballot, proposal))
            return server, [(sender, ("accepted", ballot))]
        case ("accepted", ballot) if ballot == server.ballot:
            server = server._replace(accepts=server.accepts | {sender})
            if len(server.accepts) != QUORUM:
                return server, []
            assert server.proposal is not None
            request, client, _ = server.proposal
            told: list[tuple[int, Message]] = [(o, ("decided", ballot, server.proposal)) for o in others]
            return server._replace(decided=True), [*told, (client, ("put_ok", request))]
        case ("decided", ballot, proposal):
            return server._replace(ballot=ballot, accepted=(ballot, proposal), decided=True), []
    return None


def hear_as_client(state: State, envelope: Envelope) -> State | None:
    """One step of a client, whose history grows by what it heard and what it asks next."""
    at = envelope.receiver - len(SERVERS)
    client, call = state.clients[at], state.open[at]
    match envelope.message:
        case ("put_ok", request) if client.awaiting == request and call is not None:
            done = _with(state.done, at, (*state.done[at], call))
            asked = (client.ops + 1) * envelope.receiver
            to = (envelope.receiver + client.ops) % len(SERVERS)
            over = tuple(0 if other == at else len(calls) for other, calls in enumerate(done))
            sent = [(to, ("get", asked))]
            return state._replace(
                clients=_with(state.clients, at, Client(asked, client.ops + 1)),
                network=_moved(state.network, envelope, envelope.receiver, sent),
                done=done,
                open=_with(state.open, at, Call(over, "read", None)),
            )
        case ("get_ok", request, value) if client.awaiting == request and call is not None:
            return state._replace(
                clients=_with(state.clients, at, Client(None, client.ops + 1)),
                network=_moved(state.network, envelope, envelope.receiver, []),
                done=_with(state.done, at, (*state.done[at], call._replace(returned=value))),
                open=_with(state.open, at, None),
            )
    return None


def is_linearizable(state: State) -> bool:
    """Whether some order of the calls explains what was read; open ones may be left out."""
    ended = [(at, number) for at, calls in enumerate(state.done) for number in range(len(calls))]
    opened = [(at, len(state.done[at])) for at, call in enumerate(state.open) if call is not None]
    calls = {(at, n): call for at, done in enumerate(state.done) for n, call in enumerate(done)}
    calls.update({(at, len(state.done[at])): call for at, call in enumerate(state.open) if call is not None})
    kept = [opened[:0], *([one] for one in opened), opened] if opened else [opened]
    return any(_explains(order, calls) for some in kept for order in permutations([*ended, *some]))


def _explains(order: tuple[tuple[int, int], ...], calls: dict[tuple[int, int], Call]) -> bool:
    value, passed = NOTHING, [0, 0]
    for at, number in order:
        call = calls[at, number]
        if passed[at] != number or any(passed[o] < n for o, n in enumerate(call.over) if o != at):
            return False
        passed[at] += 1
        if call.written is not None:
            value = call.written
        elif call.returned is not None and call.returned != value:
            return False
    return True


def has_chosen(state: State) -> bool:
    """Whether a get is about to be answered with a value."""
    return any(e.message[0] == "get_ok" and e.message[2] != NOTHING for e, _ in state.network)


def _moved(
    network: frozenset[tuple[Envelope, int]], taken: Envelope, sender: int, sent: list[tuple[int, Message]]
) -> frozenset[tuple[Envelope, int]]:
    counts = dict(network)
    counts[taken] -= 1
    for to, message in sent:
        envelope = Envelope(sender, to, message)
        counts[envelope] = counts.get(envelope, 0) + 1
    return frozenset((envelope, count) for envelope, count in counts.items() if count)


def _with(items: tuple[Any, ...], at: int, item: Any) -> tuple[Any, ...]:
    return (*items[:at], item, *items[at + 1 :])
