#!/usr/bin/env python3
"""A program that speaks Maelstrom's protocol, in variants that each stand for a kind of program.

primary        the first node keeps everything, and the others ask it
own            each node keeps its own
proxy          as primary, but a request is handed on in the client's name, so that the first node answers it
gossip SECONDS each node keeps its own set, and sends it to all others so often
starting       asks lin-tso before it answers `init`
service NAME   reads, writes and swaps are those of one of Maelstrom's services; identifiers are of lin-tso
lossy NUMBER   as proxy; of so many messages that are sent to a log, one is acknowledged and not kept
mute           never answers `init`
"""

from __future__ import annotations

import json
import select
import sys
import time
from typing import Any


class Node:
    """What a node knows."""

    def __init__(self, variant: str, argument: str) -> None:
        self.variant, self.argument = variant, argument
        self.me, self.first = "", ""
        self.all: list[str] = []
        self.store: dict[Any, Any] = {}
        self.seen: list[Any] = []
        self.logs: dict[str, list[list[Any]]] = {}
        self.committed: dict[str, int] = {}
        self.sends = 0
        self.is_counter, self.total = False, 0
        self.generated = 0
        self.asked = 0
        self.waiting: dict[int, tuple[str, int, str]] = {}

    def send(self, dest: str, body: dict[str, Any], src: str = "") -> None:
        """Print a message."""
        print(json.dumps({"src": src or self.me, "dest": dest, "body": body}), flush=True)

    def ask(self, dest: str, body: dict[str, Any], client: str, msg_id: int, kind: str) -> None:
        """Ask another for what a client wants to know."""
        self.asked += 1
        self.waiting[self.asked] = client, msg_id, kind
        self.send(dest, {**body, "msg_id": self.asked})

    def gossip(self) -> None:
        """Tell all others what is in the set."""
        for other in self.all:
            if other != self.me:
                self.send(other, {"type": "gossip", "seen": self.seen})

    def hear(self, src: str, body: dict[str, Any]) -> None:
        """Do what a message asks for, or let another do it."""
        kind, is_first = body["type"], self.me == self.first
        if kind == "init":
            if self.variant == "starting":
                self.me = body["node_id"]
                self.ask("lin-tso", {"type": "ts"}, src, body["msg_id"], kind)
            elif self.variant != "mute":
                self.me, self.all = body["node_id"], body["node_ids"]
                self.first = self.all[0]
                self.send(src, {"type": "init_ok", "in_reply_to": body["msg_id"]})
        elif body.get("in_reply_to") in self.waiting:
            client, asked, wanted = self.waiting.pop(body["in_reply_to"])
            answer = body["body"] if kind == "answer" else body
            if wanted == "init":
                answer = {"type": "init_ok"}
            elif wanted == "generate":
                answer = {"type": "generate_ok", "id": body["ts"]}
            self.send(client, {**answer, "in_reply_to": asked})
        elif kind == "gossip":
            self.seen += [element for element in body["seen"] if element not in self.seen]
        elif kind == "please":
            self.send(src, {"type": "answer", "in_reply_to": body["msg_id"], "body": self.do(body["body"])})
        elif self.variant == "service" and kind in ("read", "write", "cas"):
            self.ask(self.argument, body, src, body["msg_id"], kind)
        elif self.variant == "service" and kind == "generate":
            self.ask("lin-tso", {"type": "ts"}, src, body["msg_id"], kind)
        elif self.variant == "primary" and not is_first and kind not in ("topology", "echo"):
            self.ask(self.first, {"type": "please", "body": body}, src, body["msg_id"], kind)
        elif self.variant in ("proxy", "lossy") and not is_first:
            self.send(self.first, body, src=src)
        else:
            self.send(src, {**self.do(body), "in_reply_to": body["msg_id"]})

    def do(self, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a client's question."""
        match body:
            case {"type": "echo", "echo": value}:
                return {"type": "echo_ok", "echo": value}
            case {"type": "generate"}:
                self.generated += 1
                return {"type": "generate_ok", "id": self.generated}
            case {"type": "broadcast", "message": value} | {"type": "add", "element": value}:
                self.seen.append(value)
                return {"type": f"{body['type']}_ok"}
            case {"type": "add", "delta": value}:
                self.is_counter = True
                self.total += value
                return {"type": "add_ok"}
            case {"type": "write", "key": key, "value": value}:
                self.store[key] = value
                return {"type": "write_ok"}
            case {"type": "cas", "key": key, "from": old, "to": new}:
                if key not in self.store:
                    return {"type": "error", "code": 20, "text": "no such key"}
                if self.store[key] != old:
                    return {"type": "error", "code": 22, "text": f"it holds {self.store[key]}"}
                self.store[key] = new
                return {"type": "cas_ok"}
            case {"type": "read", "key": key}:
                if key not in self.store:
                    return {"type": "error", "code": 20, "text": "no such key"}
                return {"type": "read_ok", "value": self.store[key]}
            case {"type": "read"}:
                return {
                    "type": "read_ok",
                    "value": self.total if self.is_counter else self.seen,
                    "messages": self.seen,
                }
            case {"type": "txn", "txn": txn}:
                return {"type": "txn_ok", "txn": [self.micro_op(*micro_op) for micro_op in txn]}
            case {"type": "topology"}:
                return {"type": "topology_ok"}
        return self.do_log(body)

    def do_log(self, body: dict[str, Any]) -> dict[str, Any]:
        """The same, for logs of messages."""
        match body:
            case {"type": "send", "key": key, "msg": message}:
                self.sends += 1
                log = self.logs.setdefault(key, [])
                offset = log[-1][0] + 1 if log else 0
                is_lost = self.variant == "lossy" and self.sends % int(self.argument) == 0
                log.append([offset, None if is_lost else message])
                return {"type": "send_ok", "offset": offset}
            case {"type": "poll", "offsets": offsets}:
                return {
                    "type": "poll_ok",
                    "msgs": {key: self.read_log(key, at) for key, at in offsets.items()},
                }
            case {"type": "commit_offsets", "offsets": offsets}:
                self.committed.update(offsets)
                return {"type": "commit_offsets_ok"}
            case {"type": "list_committed_offsets", "keys": keys}:
                known = {key: self.committed[key] for key in keys if key in self.committed}
                return {"type": "list_committed_offsets_ok", "offsets": known}
        return {"type": "error", "code": 10, "text": f"no {body['type']} here"}

    def read_log(self, key: str, offset: int) -> list[list[Any]]:
        """Up to ten messages of a log, from an offset on."""
        kept = [entry for entry in self.logs.get(key, []) if entry[0] >= offset and entry[1] is not None]
        return kept[:10]

    def micro_op(self, f: str, key: Any, value: Any) -> list[Any]:
        """One step of a transaction, done."""
        if f == "append":
            self.store[key] = [*self.store.get(key, []), value]
        elif f == "w":
            self.store[key] = value
        else:
            value = self.store.get(key)
        return [f, key, value]


def main() -> None:
    """Read messages until there are no more."""
    node = Node(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
    period_s = float(node.argument) if node.variant == "gossip" else None
    gossip_at_s = time.monotonic() + (period_s or 0)
    while True:
        left_s = max(gossip_at_s - time.monotonic(), 0)
        if period_s is not None and not select.select([sys.stdin], [], [], left_s)[0]:
            gossip_at_s += period_s
            node.gossip()
            continue
        if not (line := sys.stdin.readline()):
            return
        message = json.loads(line)
        node.hear(message["src"], message["body"])


if __name__ == "__main__":
    main()
