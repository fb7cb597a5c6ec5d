"""Transactions over several nodes by two-phase commit, with locks; JSON lines over TCP.

Each node has the lists of its keys, and is the coordinator of what its clients ask. A node that has prepared
a transaction keeps its locks until it knows the decision. Without a decision on its disk a coordinator that
was started again has not committed ("presumed abort", Mohan et al., 1986).
"""

import json
import os
import zlib
from contextlib import aclosing, suppress

import trio

PORT, CALL_S, ASK_AGAIN_S = 7200, 0.2, 0.3
FOLDER = "/var/commit"
LOG, NEW, DECIDED = f"{FOLDER}/log", f"{FOLDER}/new", f"{FOLDER}/decided"
BUGS = {
    "decision-not-synced": "a decision is told before it is on disk",
    "prepared-forgotten": "a node that is started again knows nothing of what it had prepared",
    "unilateral-abort": "a node that waits too long for a decision aborts alone",
    "name-not-synced": "the file of a decision is on disk, and its name in the folder is not",
}


class Node:
    """Coordinator and participant."""

    def __init__(self, name, nodes, bug, nursery):
        self.nursery = nursery
        """Where participants are told of decisions while clients are answered."""
        self.name, self.nodes, self.bug = name, nodes, bug
        self.active, self.prepared, self.lists, self.count = set(), {}, {}, 0
        os.makedirs(DECIDED, exist_ok=True)
        for folder in ("/var", FOLDER, DECIDED):
            sync_folder(folder)
        text = b""
        if os.path.exists(LOG):
            with open(LOG, "rb") as file:
                text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        # Anew, for after a failed sync what is read here may be in the cache alone (Rebello et al., 2020).
        put(LOG, whole)
        self.log = os.open(LOG, os.O_WRONLY | os.O_APPEND)
        for line in whole.splitlines():
            self.replay(*json.loads(line))

    def replay(self, what, tx, ops):
        """Do what a line of the log says."""
        if what == "prepared":
            if self.bug != "prepared-forgotten":
                self.prepared[tx] = ops
        elif self.prepared.pop(tx, None) is not None and what == "committed":
            for f, key, value in ops:
                if f == "append":
                    self.lists.setdefault(key, []).append(value)

    def note(self, what, tx, ops):
        """Write a line of the log, durably, and do what it says."""
        os.write(self.log, json.dumps([what, tx, ops]).encode() + b"\n")
        os.fsync(self.log)
        if what == "prepared":
            self.prepared[tx] = ops
        else:
            self.replay(what, tx, ops)

    async def transact(self, ops):
        """Run a transaction: `["append", key, value]` and `["r", key, null]`."""
        self.count += 1
        tx = f"{self.name}-{self.count}-{trio.current_time()}"
        self.active.add(tx)
        shares, answers = {}, {}
        for op in ops:
            shares.setdefault(self.owner(op[1]), []).append(op)

        async def prepare(node, share):
            answers[node] = await call(node, {"do": "prepare", "tx": tx, "ops": share})

        async with trio.open_nursery() as nursery:
            for node, share in shares.items():
                nursery.start_soon(prepare, node, share)
        is_commit = all(answer is not None and "ops" in answer for answer in answers.values())
        if is_commit:
            self.decide(tx)
        self.active.discard(tx)
        for node in shares:
            self.nursery.start_soon(call, node, {"do": "decided", "tx": tx, "commit": is_commit})
        if not is_commit:
            return {"error": "aborted"}
        return {"value": [answers[self.owner(op[1])]["ops"].pop(0) for op in ops]}

    def decide(self, tx):
        """Commit, from the moment at which this is durable."""
        is_synced = self.bug != "decision-not-synced"
        put(f"{DECIDED}/{tx}", b"", is_synced=is_synced, is_named=is_synced and self.bug != "name-not-synced")

    def owner(self, key):
        """The node that has a key."""
        return self.nodes[zlib.crc32(str(key).encode()) % len(self.nodes)]

    def prepare(self, tx, ops):
        """Promise to commit, unless somebody has a lock on one of the keys."""
        keys = [op[1] for op in ops]
        if any(key in keys for held in self.prepared.values() for _, key, _ in held):
            return {"error": "locked"}
        lists, done = {key: list(self.lists.get(key, [])) for key in keys}, []
        for f, key, value in ops:
            if f == "append":
                lists[key].append(value)
            done.append([f, key, value if f == "append" else list(lists[key])])
        self.note("prepared", tx, ops)
        return {"ops": done}

    async def answer(self, ask):
        """What to say to a client or another node."""
        match ask:
            case {"do": "prepare", "tx": tx, "ops": ops}:
                return self.prepare(tx, ops)
            case {"do": "decided", "tx": tx, "commit": is_commit}:
                self.end(tx, is_commit=is_commit)
                return {"ok": True}
            case {"do": "outcome", "tx": tx}:
                return {"commit": None if tx in self.active else os.path.exists(f"{DECIDED}/{tx}")}
            case {"do": "txn", "value": ops}:
                return await self.transact(ops)

    def end(self, tx, *, is_commit):
        """Do what was decided, once."""
        if tx in self.prepared:
            self.note("committed" if is_commit else "aborted", tx, self.prepared[tx])

    async def resolve(self):
        """Ask coordinators about what is prepared and was not decided for a while."""
        before = set()
        while True:
            await trio.sleep(ASK_AGAIN_S)
            for tx in [tx for tx in self.prepared if tx in before]:
                told = await call(tx.partition("-")[0], {"do": "outcome", "tx": tx})
                if told is not None and told["commit"] is not None:
                    self.end(tx, is_commit=told["commit"])
                elif told is None and self.bug == "unilateral-abort":
                    self.end(tx, is_commit=False)
            before = set(self.prepared)

    async def handle(self, stream):
        """Answer the lines of a connection."""
        with suppress(trio.BrokenResourceError):
            async with aclosing(lines(stream)) as asked:
                async for ask in asked:
                    await stream.send_all(json.dumps(await self.answer(ask)).encode() + b"\n")


async def lines(stream):
    """What the lines of a stream say."""
    rest = b""
    async for chunk in stream:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield json.loads(line)


def put(path, content, *, is_synced=True, is_named=True):
    """Put a file in the place of another, durably unless told otherwise."""
    with open(NEW, "wb") as file:
        file.write(content)
        file.flush()
        if is_synced:
            os.fsync(file.fileno())
    os.replace(NEW, path)
    if is_named:
        sync_folder(os.path.dirname(path))


def sync_folder(path):
    """Make the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


async def call(node, ask):
    """One question, one answer; None if none comes."""
    with suppress(OSError, trio.BrokenResourceError), trio.move_on_after(CALL_S):
        async with await trio.open_tcp_stream(node, PORT) as stream:
            await stream.send_all(json.dumps(ask).encode() + b"\n")
            async with aclosing(lines(stream)) as answers:
                return await anext(answers, None)


async def serve(name, nodes, bug=None):
    """Be one node."""
    async with trio.open_nursery() as nursery:
        node = Node(name, nodes, bug, nursery)
        nursery.start_soon(node.resolve)
        await trio.serve_tcp(node.handle, PORT, handler_nursery=nursery)
