"""Raft (Ongaro and Ousterhout, 2014) for a small key-value store, on one file and JSON lines over TCP.

Every operation of a client is an entry of the log, reads too. Followers pass operations on to the leader.
"""

import json
import os
import random
from contextlib import aclosing, suppress

import trio

from ostrakon import note

PORT, BEAT_S, CALL_S = 7100, 0.1, 0.15
PATH = "/var/raft.json"
BUGS = {
    "local-read": "the leader answers reads from its own state",
    "vote-not-saved": "a vote is not on disk when it is given",
    "no-log-match": "entries are taken whatever precedes them",
    "anonymous-acks": "acknowledgements are counted without their sender",
}


class Raft:
    """One node. Terms, indexes from 1, and names are the paper's."""

    def __init__(self, name, nodes, bug):
        self.name, self.peers, self.bug = name, [node for node in nodes if node != name], bug
        self.majority = len(nodes) // 2 + 1
        self.term, self.vote, self.log = 0, None, []
        if os.path.exists(PATH):
            with open(PATH) as file:
                self.term, self.vote, self.log = json.load(file)
        self.role, self.leader, self.heard_s = "follower", None, trio.current_time()
        self.commit, self.applied, self.state, self.results = 0, 0, {}, {}
        self.match, self.next, self.acks = {}, {}, {}
        self.changed = trio.Event()

    def save(self):
        """Term, vote and log: durable when this returns."""
        with open(PATH + ".new", "w") as file:
            json.dump([self.term, None if self.bug == "vote-not-saved" else self.vote, self.log], file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(PATH + ".new", PATH)
        folder = os.open(os.path.dirname(PATH), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def wake(self):
        """Have everyone who waits look again."""
        self.changed.set()
        self.changed = trio.Event()

    def step_down(self, term, leader=None):
        """Be a follower, in this term."""
        if term > self.term:
            self.term, self.vote = term, None
            self.save()
        self.role, self.leader = "follower", leader
        self.wake()

    def last(self):
        """Term and index of the last entry."""
        return [self.log[-1][0] if self.log else 0, len(self.log)]

    async def answer(self, ask):
        """What to say to a peer or a client; None if nobody knows what became of it."""
        match ask:
            case {"do": "vote", "term": term, "from": candidate, "last": last}:
                if term > self.term:
                    self.step_down(term)
                is_given = term == self.term and self.vote in (None, candidate) and last >= self.last()
                if is_given:
                    self.vote, self.heard_s = candidate, trio.current_time()
                    self.save()
                return {"term": self.term, "ok": is_given}
            case {"do": "append", "term": term}:
                return self.append(term, ask)
        if self.role == "leader":
            return await self.serve_client(ask["do"], *ask["value"])
        if self.leader is None or ask.get("forwarded"):
            return {"error": "no leader is known"}
        return await call(self.leader, {**ask, "forwarded": True}, 0.9)

    def append(self, term, ask):
        """AppendEntries."""
        if term < self.term:
            return {"term": self.term, "ok": False}
        self.step_down(term, ask["from"])
        self.heard_s = trio.current_time()
        prev_term, prev = ask["prev"]
        is_match = len(self.log) >= prev and (prev == 0 or self.log[prev - 1][0] == prev_term)
        if not is_match and self.bug != "no-log-match":
            return {"term": self.term, "ok": False}
        for at, entry in enumerate(ask["entries"], start=prev):
            if at < len(self.log) and self.log[at][0] != entry[0]:
                del self.log[at:]
            if at >= len(self.log):
                self.log.append(entry)
        if ask["entries"]:
            self.save()
        self.advance(min(ask["commit"], prev + len(ask["entries"])))
        return {"term": self.term, "ok": True, "match": prev + len(ask["entries"])}

    def advance(self, commit):
        """Apply what is committed."""
        self.commit = max(self.commit, min(commit, len(self.log)))
        while self.applied < self.commit:
            _, command = self.log[self.applied]
            self.applied += 1
            if command is not None:
                self.results[self.applied] = self.apply(*command)
        self.wake()

    def apply(self, do, key, value):
        """What a command answers when it takes effect."""
        if do == "write":
            self.state[key] = value
        return {"value": [key, self.state.get(key)]}

    async def serve_client(self, do, key, value):
        """Put an operation into the log, and wait until it is applied."""
        if do == "read" and self.bug == "local-read":
            return self.apply(do, key, value)
        term, index = self.term, len(self.log) + 1
        self.log.append([term, [do, key, value]])
        self.save()
        self.wake()
        while self.applied < index and self.role == "leader" and self.term == term:
            await self.changed.wait()
        is_ours = len(self.log) >= index and self.log[index - 1][0] == term
        return self.results.get(index) if self.applied >= index and is_ours else None

    async def elect(self):
        """Stand for election when no leader is heard."""
        while True:
            await trio.sleep(0.3 + random.random() * 0.3)
            if self.role == "leader" or trio.current_time() - self.heard_s < 0.3:
                continue
            self.term, self.vote, self.role, self.leader = self.term + 1, self.name, "candidate", None
            self.save()
            term, votes = self.term, [self.name]
            request = {"do": "vote", "term": term, "from": self.name, "last": self.last()}

            async def ask(peer, request=request, votes=votes):
                told = await call(peer, request, CALL_S)
                if told is not None and told["term"] > self.term:
                    self.step_down(told["term"])
                elif told is not None and told["ok"]:
                    votes.append(peer)

            async with trio.open_nursery() as nursery:
                for peer in self.peers:
                    nursery.start_soon(ask, peer)
            if self.role == "candidate" and self.term == term and len(votes) >= self.majority:
                self.lead()

    def lead(self):
        """Begin to lead this term, with an entry that commits what earlier terms left (section 5.4.2)."""
        note("leading", term=self.term)
        self.role, self.leader, self.acks = "leader", self.name, {}
        self.match = dict.fromkeys(self.peers, 0)
        self.next = dict.fromkeys(self.peers, len(self.log) + 1)
        self.log.append([self.term, None])
        self.save()
        self.count()
        self.wake()

    async def replicate(self, peer):
        """Keep one follower's log like ours, while leader."""
        while True:
            with trio.move_on_after(BEAT_S):
                await self.changed.wait()
            if self.role != "leader":
                continue
            term, prev = self.term, self.next[peer] - 1
            before = [self.log[prev - 1][0] if prev else 0, prev]
            ask = {"do": "append", "term": term, "from": self.name, "prev": before, "commit": self.commit}
            told = await call(peer, {**ask, "entries": self.log[prev:]}, CALL_S)
            if told is None or self.role != "leader" or self.term != term:
                continue
            if told["term"] > self.term:
                self.step_down(told["term"])
            elif told["ok"]:
                self.match[peer], self.next[peer] = told["match"], told["match"] + 1
                for index in range(self.commit + 1, told["match"] + 1):
                    self.acks[index] = self.acks.get(index, 0) + 1
                self.count()
            else:
                self.next[peer] = max(1, self.next[peer] - 1)

    def count(self):
        """Commit what a majority has, if it is of this term."""
        for index in range(len(self.log), self.commit, -1):
            acks = sum(match >= index for match in self.match.values())
            if self.bug == "anonymous-acks":
                acks = self.acks.get(index, 0)
            if self.log[index - 1][0] == self.term and 1 + acks >= self.majority:
                self.advance(index)
                return

    async def handle(self, stream):
        """Answer the lines of a connection."""
        with suppress(trio.BrokenResourceError):
            async with aclosing(lines(stream)) as asked:
                async for ask in asked:
                    if (answer := await self.answer(ask)) is None:
                        return
                    await stream.send_all(json.dumps(answer).encode() + b"\n")


async def lines(stream):
    """What the lines of a stream say."""
    rest = b""
    async for chunk in stream:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield json.loads(line)


async def call(node, ask, timeout_s):
    """One question, one answer; None if none comes."""
    with suppress(OSError, trio.BrokenResourceError), trio.move_on_after(timeout_s):
        async with await trio.open_tcp_stream(node, PORT) as stream:
            await stream.send_all(json.dumps(ask).encode() + b"\n")
            async with aclosing(lines(stream)) as answers:
                return await anext(answers, None)


async def serve(name, nodes, bug=None):
    """Be one node."""
    raft = Raft(name, nodes, bug)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(raft.elect)
        for peer in raft.peers:
            nursery.start_soon(raft.replicate, peer)
        await trio.serve_tcp(raft.handle, PORT, handler_nursery=nursery)
