"""Runs to report on, made by hand: a decree that two clients were told differently, and its like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Event, History, Journal, Op, OpType, Trace

MS = 1_000_000

INVOKED_AND_DONE: tuple[tuple[int, OpType], ...] = ((0, "invoke"), (1, "ok"))
"""The two ops of an operation that succeeds: the order of each, and its type."""

PARTITION = {
    "kind": "partition",
    "at_ms": 12,
    "for_ms": 30,
    "grudge": {"n1": ["n3"], "n2": ["n3"], "n3": ["n1", "n2"]},
    "shape": "minority",
}
PLAN: dict[str, Any] = {
    "format": 1,
    "code": "0.1.0",
    "substrate": "sim",
    "workload": "decree",
    "bug": "amnesiac",
    "seed": 7,
    "nodes": 3,
    "concurrency": 2,
    "rate": 20.0,
    "time_limit_s": 1.0,
    "latency": {"kind": "uniform", "low_ms": 0.5, "high_ms": 2.5},
    "faults": [PARTITION, {"kind": "kill", "at_ms": 20, "for_ms": 2, "nodes": ["n2"]}],
    "deviations": [{"message": 3, "action": "drop"}],
}


def ops(*entries: tuple[int, str, int | str, str, Any]) -> History:
    """A history of (milliseconds, type, process, f, value)."""
    return History(
        Op(index=n, time=ms * MS, type=type_, process=process, f=f, value=value)  # type: ignore[arg-type]
        for n, (ms, type_, process, f, value) in enumerate(entries)
    )


def trace(*entries: tuple[int, str, str, Mapping[str, Any]]) -> Trace:
    """A trace of (milliseconds, node, event, further fields), with sequence numbers by node."""
    seqs: dict[str, int] = {}
    made = []
    for ms, node, event, fields in entries:
        seqs[node] = seqs.get(node, -1) + 1
        made.append(
            msgspec.convert(
                {
                    "time": ms * MS,
                    "node": node,
                    "incarnation": 0,
                    "seq": seqs[node],
                    "event": event,
                    **fields,
                },
                Event,
            )
        )
    return tuple(made)


SPLIT = ops(
    (1, "invoke", 0, "propose", "x"),
    (2, "invoke", 1, "propose", "y"),
    (10, "ok", 0, "propose", "x"),
    (12, "info", "nemesis", "start-partition", {"id": 0, **PARTITION}),
    (12, "info", "nemesis", "start-partition", {"id": 0, **PARTITION}),
    (20, "info", "nemesis", "start-kill", {"id": 1, "kind": "kill", "nodes": ["n2"]}),
    (22, "info", "nemesis", "stop-kill", {"id": 1, "stopped": ["n2"]}),
    (40, "ok", 1, "propose", "y"),
    (42, "info", "nemesis", "stop-partition", {"id": 0, "messages": 9}),
    (50, "invoke", 0, "get", None),
    (55, "fail", 0, "get", None),
    (60, "invoke", 1, "get", None),
    (90, "info", 1, "get", None),
    (91, "invoke", 3, "get", None),
)
"""Two clients, two decrees, one op that failed, one that nobody knows of and one that never ended."""

DUEL = trace(
    (0, "n1", "restart", {}),
    (3, "n1", "prepare_sent", {"ballot": [1, 1], "message": "a", "to": ["n1", "n2", "n3"]}),
    (4, "n2", "promise_sent", {"ballot": [1, 1], "message": "b", "cause": "a", "to": ["n1"]}),
    (
        5,
        "n1",
        "propose_sent",
        {"ballot": [1, 1], "value": "x", "message": "c", "cause": "b", "to": ["n1", "n2", "n3"], "slot": 0},
    ),
    (
        6,
        "n2",
        "accept_sent",
        {"ballot": [1, 1], "value": "x", "message": "d", "cause": "c", "to": ["n1"], "slot": 0},
    ),
    (7, "n1", "learned", {"ballot": [1, 1], "value": "x", "cause": "d", "slot": 0, "how": "votes"}),
    (21, "n2", "restart", {"incarnation": 1, "seq": 0}),
    (25, "n3", "prepare_sent", {"ballot": [2, 3], "message": "e", "to": ["n1", "n2", "n3"]}),
    (
        26,
        "n2",
        "promise_sent",
        {"ballot": [2, 3], "message": "f", "cause": "e", "to": ["n3"], "incarnation": 1, "seq": 1},
    ),
    (30, "n3", "learned", {"ballot": [2, 3], "value": "y", "slot": 0, "how": "votes"}),
)
"""n2 votes for x, is killed, and promises the next ballot as if it had not."""


def split_decision() -> Verdict:
    """The verdict on `SPLIT` and `DUEL`."""
    told, other = SPLIT[2], SPLIT[7]
    story = [{"event": msgspec.to_builtins(event), "after": []} for event in DUEL[3:]]
    blame = {"class": "C", "rule": "P8", "guilty": ["n2"], "why": "n2 forgot its vote", "story": story}
    return Verdict.compose(
        {
            "consensus": Verdict.compose(
                {
                    "agreement": Verdict.of(
                        [
                            Anomaly(
                                "split decision",
                                "process 0 was told 'x', process 1 was told 'y'",
                                (told, other),
                                details={"slot": 0, "blame": blame},
                            )
                        ]
                    ),
                    "P8": Verdict.of(
                        [
                            Anomaly(
                                "vote hidden",
                                "n2 hid its vote at 1.1 when it promised 2.3",
                                (DUEL[4], DUEL[8]),
                                property="P8",
                                latent=True,
                            )
                        ]
                    ),
                    "stats": Verdict.passed(by_f={"get": {"ok": 0}, "propose": {"ok": 2}}),
                }
            ),
            "termination": Verdict.passed(nodes=3),
        }
    )


def write_run(
    folder: Path,
    history: Sequence[Op] = SPLIT,
    events: Trace = DUEL,
    *,
    verdict: Verdict | None = None,
    plan: Mapping[str, Any] = PLAN,
    **results: Any,
) -> Path:
    """A run folder as the harness leaves it; `results` adds to its results."""
    folder.mkdir(parents=True, exist_ok=True)
    verdict = verdict if verdict is not None else split_decision()
    (folder / "plan.json").write_bytes(msgspec.json.encode(plan))
    for name, entries in (("history.jsonl", history), ("trace.jsonl", events)):
        with Journal(folder / name, flush_every=10_000) as journal:
            for entry in entries:
                journal.write(entry)
    said = verdict.to_json()
    base = {
        "valid": said["valid"],
        "why": said["why"],
        "verdict": said,
        "replay": "ostrakon replay store/decree/seed-7",
        "seed": 7,
        "workload": "decree",
        "faults": [{"kind": "partition", "messages": 9, "inert": False}],
        "network": {"sent": 120, "dropped": 9},
        "virtual_s": 0.091,
        "wall_s": 0.004,
        "version": "0.1.0",
    }
    (folder / "results.json").write_bytes(msgspec.json.encode({**base, **results}))
    return folder
