#!/usr/bin/env python3
"""A program that speaks Maelstrom's protocol: the first node keeps everything, or each keeps its own.

node.py {primary|own}
"""

from __future__ import annotations

import json
import sys
from typing import Any


class Node:
    """What a node knows."""

    def __init__(self, is_shared: bool) -> None:
        self.is_shared = is_shared
        self.me, self.first = "", ""
        self.store: dict[Any, Any] = {}
        self.seen: list[Any] = []
        self.is_counter, self.total = False, 0
        self.generated = 0
        self.asked = 0
        self.waiting: dict[int, tuple[str, int]] = {}

    def send(self, dest: str, body: dict[str, Any]) -> None:
        """Print a message."""
        print(json.dumps({"src": self.me, "dest": dest, "body": body}), flush=True)

    def hear(self, src: str, body: dict[str, Any]) -> None:
        """Do what a message asks for, or let the first node do it."""
        if body["type"] == "init":
            self.me, self.first = body["node_id"], body["node_ids"][0]
            self.send(src, {"type": "init_ok", "in_reply_to": body["msg_id"]})
        elif body["type"] == "answer":
            dest, asked = self.waiting.pop(body["in_reply_to"], (None, 0))
            if dest is not None:
                self.send(dest, {**body["body"], "in_reply_to": asked})
        elif body["type"] == "please":
            self.send(src, {"type": "answer", "in_reply_to": body["msg_id"], "body": self.do(body["body"])})
        elif self.is_shared and self.me != self.first and body["type"] not in ("topology", "echo"):
            self.asked += 1
            self.waiting[self.asked] = src, body["msg_id"]
            self.send(self.first, {"type": "please", "msg_id": self.asked, "body": body})
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
        return {"type": "error", "code": 10, "text": f"no {body['type']} here"}

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
    node = Node(is_shared=sys.argv[1] == "primary")
    for line in sys.stdin:
        message = json.loads(line)
        node.hear(message["src"], message["body"])


if __name__ == "__main__":
    main()
