"""A store with a primary and backups: the whole store is copied on each write. JSON lines over TCP.

The primary of an epoch is elected by a majority, and by nobody who has a newer copy. A write is acknowledged
when a majority has it on disk; a read, when a majority has said since that there is no newer primary.
"""

import json
import os
import random
from contextlib import suppress

import trio

PORT, BEAT_S, CALL_S = 7000, 0.1, 0.2
PATH = "/var/store.json"
BUGS = {
    "local-read": "a primary that was replaced still answers reads",
}


class Store:
    """One node."""

    def __init__(self, name, nodes, bug):
        self.name, self.nodes, self.bug = name, nodes, bug
        self.others, self.majority = [node for node in nodes if node != name], len(nodes) // 2 + 1
        self.epoch, self.copy, self.data = 0, [0, 0], {}
        """The newest epoch heard of; of which epoch and number the copy is; the copy."""
        if os.path.exists(PATH):
            with open(PATH) as file:
                self.epoch, self.copy, self.data = json.load(file)
        self.writing = trio.Lock()
        self.follow(self.epoch, None)

    def save(self):
        """Make epoch and copy durable, both or neither."""
        with open(PATH + ".new", "w") as file:
            json.dump([self.epoch, self.copy, self.data], file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(PATH + ".new", PATH)
        folder = os.open(os.path.dirname(PATH), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    async def handle(self, stream):
        """Answer the lines of a connection; none is the answer to what nobody knows the outcome of."""
        rest = b""
        with suppress(trio.BrokenResourceError):
            async for chunk in stream:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if (answer := await self.answer(json.loads(line))) is None:
                        return
                    await stream.send_all(json.dumps(answer).encode() + b"\n")

    async def answer(self, ask):
        """What to say to a client, or to another node."""
        match ask:
            case {"do": "vote", "epoch": epoch, "copy": copy}:
                if epoch <= self.epoch or copy < self.copy:
                    return {"ok": False, "epoch": self.epoch}
                self.follow(epoch, None)
                return {"ok": True}
            case {"do": "copy", "epoch": epoch, "from": primary, "copy": copy, "data": data}:
                if epoch < self.epoch:
                    return {"ok": False, "epoch": self.epoch}
                self.follow(epoch, primary)
                if copy > self.copy:
                    self.copy, self.data = copy, data
                    self.save()
                return {"ok": True}
        if self.primary == self.name:
            if self.bug == "local-read" and ask["do"] == "read":
                return {"value": [ask["value"][0], self.data.get(ask["value"][0])]}
            async with self.writing:
                return await self.serve_client(ask["do"], *ask["value"])
        if self.primary is None or ask.get("forwarded"):
            return {"error": "there is no primary here"}
        return await call(self.primary, {**ask, "forwarded": True}, 4 * CALL_S)

    def follow(self, epoch, primary):
        """Have another primary, or none yet."""
        if epoch > self.epoch:
            self.epoch = epoch
            self.save()
        self.primary, self.patient_until_s = primary, trio.current_time() + 0.4 + random.random() / 2

    async def serve_client(self, do, key, value):
        """Do what a client asks; the caller has the lock."""
        epoch = self.epoch
        if do == "read":
            return {"value": [key, self.data.get(key)]} if await self.copied(epoch) else None
        if self.primary != self.name or self.epoch != epoch:
            return None
        self.copy = [epoch, self.copy[1] + 1]
        self.data = {**self.data, key: value}
        self.save()
        is_done = await self.copied(epoch)
        return {"value": [key, value]} if is_done else None

    async def copied(self, epoch):
        """Whether a majority has our copy, and no newer primary, as of now."""
        copy = {"do": "copy", "epoch": epoch, "from": self.name, "copy": self.copy, "data": self.data}
        return await self.majority_agrees(copy) and self.epoch == epoch and self.primary == self.name

    async def majority_agrees(self, ask):
        """Ask all others at once."""
        agreed = 1

        async def one(node):
            nonlocal agreed
            answer = await call(node, ask, CALL_S) or {}
            agreed += bool(answer.get("ok"))
            if answer.get("epoch", 0) > self.epoch:
                self.follow(answer["epoch"], None)

        async with trio.open_nursery() as nursery:
            for node in self.others:
                nursery.start_soon(one, node)
        return agreed >= self.majority

    async def lead(self):
        """Send copies while primary; be elected when no primary is heard."""
        while True:
            await trio.sleep(BEAT_S)
            if self.primary == self.name:
                async with self.writing:
                    await self.copied(self.epoch)
            elif trio.current_time() > self.patient_until_s:
                self.follow(self.epoch + 1, None)
                epoch, ask = self.epoch, {"do": "vote", "epoch": self.epoch, "copy": self.copy}
                if await self.majority_agrees(ask) and self.epoch == epoch:
                    self.copy = [epoch, self.copy[1]]  # What was not acknowledged may be from now on.
                    self.save()
                    self.primary = self.name


async def call(node, ask, timeout_s):
    """One question, one answer; None if none comes."""
    try:
        with trio.fail_after(timeout_s):
            async with await trio.open_tcp_stream(node, PORT) as stream:
                await stream.send_all(json.dumps(ask).encode() + b"\n")
                line = b""
                while not line.endswith(b"\n"):
                    chunk = await stream.receive_some()
                    if not chunk:
                        return None
                    line += chunk
                return json.loads(line)
    except (OSError, trio.TooSlowError, trio.BrokenResourceError):
        return None


async def serve(name, nodes, bug=None):
    """Be one node."""
    store = Store(name, nodes, bug)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.lead)
        await trio.serve_tcp(store.handle, PORT, handler_nursery=nursery)
