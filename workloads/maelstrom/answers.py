"""Maelstrom's `echo` and `unique-ids`: each answer stands for itself."""

from __future__ import annotations

from collections.abc import Iterator

from ostrakon.checkers.collections.unique_ids import unique_ids
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.generator import OpRequest, numbered, repeat
from ostrakon.harness.history import History, Op
from ostrakon.workloads.maelstrom.client import asking, told
from ostrakon.workloads.maelstrom.cluster import maelstrom_workload, until_done
from ostrakon.workloads.maelstrom.message import Body

_GENERATE = repeat(OpRequest("generate"))


def echoes(history: History) -> Verdict:
    """What comes back is what was sent, each time."""
    answered = sum(1 for _ in history.where(f="echo", type="ok"))
    if not answered:
        return Verdict.unknown("nothing came back")
    return Verdict.of(_changed(history), answers=answered)


def _changed(history: History) -> Iterator[Anomaly]:
    for op in history.where(f="echo", type="ok"):
        sent = history.invocation(op)
        if sent is not None and sent.value != op.value:
            why = f"{sent.value!r} was sent, and {op.value!r} came back"
            yield Anomaly("changed echo", why, (sent, op))


def _ask(op: Op) -> Body:
    return {"type": op.f, "echo": op.value} if op.f == "echo" else {"type": op.f}


ECHO = maelstrom_workload(
    name="echo",
    about="Whether a program speaks the protocol at all: it returns what it is sent.",
    connect=asking(_ask, lambda op, body: told(body, "echo_ok", "echo")),
    ops=lambda plan, rng: numbered(lambda number: OpRequest("echo", f"please echo {number}")),
    final=until_done(lambda thread: [repeat(OpRequest("echo", "the last one"))]),
    checks=lambda plan, history: {"echo": lambda: echoes(history)},
)

UNIQUE_IDS = maelstrom_workload(
    name="unique-ids",
    about="Whether nodes ever give out the same identifier twice, however they are cut off.",
    connect=asking(_ask, lambda op, body: told(body, "generate_ok", "id")),
    ops=lambda plan, rng: _GENERATE,
    final=until_done(lambda thread: [_GENERATE]),
    checks=lambda plan, history: {"unique-ids": lambda: unique_ids(history)},
)
