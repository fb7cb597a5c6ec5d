"""A plan: everything needed to run a trial again, as data.

Hypothesis draws it, search draws it, shrinking shrinks it, `replay` runs it and a failing test saves it.
The default schedule of a plan is fixed by its seed; faults and deviations are what departs from it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import Any, Literal, get_type_hints

import msgspec

from ostrakon.harness.pointer import line_of

FORMAT = 1
"""Raised whenever an older plan would no longer run the same."""

Substrate = Literal["model", "sim", "live"]


RATE_MAX = 1_000_000
"""Operations a second that clients can be asked for."""
NODES_MAX, CONCURRENCY_MAX, LATENCY_MAX_MS = 99, 10_000, 1e9
"""What a trial can still be run with."""


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""A workload's name, which is also the name of a folder."""


class BadPlan(Exception):
    """A plan cannot be read or run; the message names file, field and what would be right."""


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a message takes on a link, in milliseconds.

    `constant`: always `low_ms`. `uniform`: from `low_ms` to `high_ms`. `exponential`: at least `low_ms`,
    and `high_ms` on average. `lognormal`: half of all below `high_ms`, and a heavy tail (sigma 1).
    """

    kind: Literal["constant", "uniform", "exponential", "lognormal"] = "uniform"
    low_ms: float = 0.5
    high_ms: float = 2.5


class Fault(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One fault: what, when, for how long, and to whom.

    `kind` is the name of a `harness.faults.FaultKind`, which need not be installed where a plan is only
    read. It says which of the other fields count: `grudge` for partitions; `links`, `probability` and `ms`
    for faults of messages (delay, reorder, drop, duplicate, throttle, corrupt), which `message`, `most` and
    `after` narrow down; `links` for those of connections (clog, reset); `nodes` for faults of machines,
    with `after` for those that wait for their moment (crash_at_sync, crash_at_await), `rate` or `ms` for
    those of clocks, `ms` for slow disks and `probability` for those that spoil data or cut reads short.
    With a `target`, whom it strikes is found out when it begins.
    """

    kind: str
    at_ms: int
    """When it begins, in milliseconds of virtual time since the workload's start."""
    for_ms: int
    """How long it lasts."""
    nodes: tuple[str, ...] = ()
    grudge: Mapping[str, tuple[str, ...]] = {}
    """Receiver -> the senders whose messages it does not get."""
    links: tuple[tuple[str, str], ...] = ()
    """(Sender, receiver) pairs; none given means all links between nodes."""
    probability: float = 0.0
    ms: float = 0.0
    """How late messages are, and just that where `most` is given, else on average; how long each KiB takes on
    a throttled link, or a slow disk to sync; how far a clock is set forward or back."""
    rate: float = 1.0
    """Seconds that pass on a skewed clock in one second."""
    after: int = 0
    """How many syncs, or turns of its tasks, a node still gets before it crashes; how many messages are
    spared before one is struck."""
    message: str = ""
    """Only messages of this kind are struck, by the name that the workload has for it; empty for all."""
    most: int = 0
    """No more messages than these are struck; 0 for no limit."""
    target: str = ""
    """Whom it strikes, by a name that the workload knows: "leader", "quorum", ..."""
    shape: str = ""
    """The name of the topology that the grudge or the nodes were drawn from, for people."""
    asked: str = ""
    """The name that it was asked for by, where that is not its kind: "halves", "swizzle", ..."""
    options: Mapping[str, Any] = {}
    """What a kind of fault of another package wants to know beyond this."""


class Deviation(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One message between nodes, counted from 0 in the order of sending, fares otherwise than scheduled."""

    message: int
    action: Literal["delay", "drop", "duplicate"]
    ms: float = 0.0
    """How much later it (or its copy) arrives."""


class PlannedOp(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One operation of a client that a plan asks for itself."""

    at_ms: float
    """When it begins, in milliseconds of virtual time, or as soon after that as the client is free."""
    client: int
    """Which of the concurrent clients does it, counted from 0."""
    f: str
    value: Any = None


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything a trial depends on."""

    format: int = FORMAT
    code: str = ""
    """The version of this project that made the plan."""
    substrate: Substrate = "sim"
    workload: str
    source: str | msgspec.UnsetType = msgspec.UNSET
    """Where the workload is found if no entry point offers it: `package.module:NAME` or `file.py::NAME`."""
    bug: str | None = None
    """The seeded bug that the nodes are given."""
    seed: int
    nodes: int = 5
    concurrency: int = 5
    """How many client processes act at once."""
    rate: float = 20.0
    """Operations that clients start per second of virtual time, all together."""
    time_limit_s: float = 5.0
    """How long clients act before the final phase begins."""
    ops: tuple[PlannedOp, ...] | msgspec.UnsetType = msgspec.UNSET
    """The operations of all clients, in the place of those that the workload's generators make."""
    options: Mapping[str, Any] = {}
    """What the workload wants to know beyond this."""
    latency: Latency = Latency()
    nemesis: tuple[str, ...] = ()
    """The kinds of fault that were asked for by name. One that then has no effect leaves the trial
    `unknown`, whatever else happened."""
    faults: tuple[Fault, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    liveness_s: float | None = None
    """If given, a trial of liveness: after the time limit a quorum is well for good and others are not, and
    within so much virtual time clients must succeed."""
    buggify: float = 0.0
    """The chance of each rare branch that the programs offer to be at work (`ostrakon.sometimes`)."""

    @property
    def reference(self) -> str:
        """What `find_workload` finds the workload by."""
        return self.workload if self.source is msgspec.UNSET else self.source

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the cluster's nodes, n1 to n5 when there are five."""
        return node_names(self.nodes)


@lru_cache(maxsize=64)
def node_names(count: int) -> tuple[str, ...]:
    """The names of the nodes of a cluster of this size."""
    return tuple(f"n{number}" for number in range(1, count + 1))


def encode_plan(plan: Plan) -> bytes:
    """The plan as the text of a `plan.json`."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n"


def plan_digest(plan: Plan) -> str:
    """A hash that tells one plan from another."""
    return hashlib.blake2b(encode_plan(plan), digest_size=8).hexdigest()


def decode_plan(text: bytes, source: str = "the plan") -> Plan:
    """The inverse of `encode_plan`; `source` names the text in errors.

    Raises: BadPlan.
    """
    try:
        raw = msgspec.json.decode(text)
        if isinstance(raw, dict) and isinstance(raw.get("format"), int) and raw["format"] != FORMAT:
            raise BadPlan(
                f"{source} is of format {raw['format']}, this version runs format {FORMAT}: "
                f"replay it with the version that wrote it ({raw.get('code') or 'not recorded'})"
            )
        plan = msgspec.convert(raw, Plan)
    except msgspec.ValidationError as error:
        line = line_of(text.decode(), str(error).rpartition("`")[0].rpartition("`")[2])
        raise BadPlan(f"{source} is not a plan, line {line}: {error}") from None
    except msgspec.DecodeError as error:
        raise BadPlan(f"{source} is damaged, not JSON{_place(text)}: {error}") from None
    if problems := [f"line {line_of(text.decode(), problem)}: {problem}" for problem in _problems(plan)]:
        raise BadPlan(f"{source} cannot be run: {'; '.join(problems)}")
    return plan


def read_plan(path: Path | str) -> Plan:
    """The plan in a file, or in the `plan.json` of a run folder.

    Raises: BadPlan, OSError.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "plan.json"
    return decode_plan(path.read_bytes(), str(path))


def _place(text: bytes) -> str:
    """Where a text stops being JSON, as the standard library tells it and ours does not."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f", line {error.lineno}, column {error.colno}"
    except UnicodeDecodeError as error:
        return f", byte {error.start}"
    return ""


def require_sense(plan: Plan) -> None:
    """Refuse a plan that cannot be run, telling everything that is wrong with it.

    Raises: BadPlan.
    """
    if problems := list(_problems(plan)):
        raise BadPlan(f"the plan cannot be run: {'; '.join(problems)}")


def _problems(plan: Plan) -> Iterator[str]:
    """What is wrong, each sentence beginning with the field that it is about."""
    if wrong := list(mistyped({name: getattr(plan, name) for name in Plan.__struct_fields__})):
        yield from wrong
        return
    yield from _nonsense(plan)
    yield from _misplaced_faults(plan)
    yield from _misplaced_deviations(plan)


def is_name(name: object) -> bool:
    """Whether a workload can have this name: a folder of the store has it too."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def mistyped(fields: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the types of these fields of a plan, a sentence each; others are passed over."""
    for name, value in fields.items():
        if name in (types := _types()) and value is not msgspec.UNSET:
            try:
                msgspec.convert(value, types[name])
            except msgspec.ValidationError as error:
                told = str(error).replace("`", "")
                yield f"{name} is {value!r}: {told[:1].lower()}{told[1:]}"


@lru_cache(maxsize=1)
def _types() -> dict[str, Any]:
    return get_type_hints(Plan)


def _nonsense(plan: Plan) -> Iterator[str]:
    if plan.seed < 0:
        yield f"seed is {plan.seed}, expected 0 or more"
    if not is_name(plan.workload):
        yield (
            f"workload is {plan.workload!r}, expected a name of letters, digits, '-', '_' and '.' that "
            "begins with a letter or digit: a folder of the store has this name"
        )
    for field, most in (("nodes", NODES_MAX), ("concurrency", CONCURRENCY_MAX)):
        if not 1 <= (count := getattr(plan, field)) <= most:
            yield f"{field} is {count}, expected 1 to {most}"
    if not 0 < plan.rate <= RATE_MAX:
        yield f"rate is {plan.rate}, expected a number above 0, and {RATE_MAX:,} at most"
    if not 0 < plan.time_limit_s < inf:
        yield f"time_limit_s is {plan.time_limit_s}, expected a number above 0"
    for number, op in enumerate(plan.ops if plan.ops is not msgspec.UNSET else ()):
        if not 0 <= op.at_ms < inf:
            yield f"ops[{number}].at_ms is {op.at_ms}, expected 0 or more"
        if not 0 <= op.client < plan.concurrency:
            yield f"ops[{number}].client is {op.client}, expected 0 to {plan.concurrency - 1}"
    if plan.liveness_s is not None and not 0 < plan.liveness_s < inf:
        yield f"liveness_s is {plan.liveness_s}, expected more than 0, or none at all"
    if not 0 <= plan.buggify <= 1:
        yield f"buggify is {plan.buggify}, expected a probability, 0 to 1"
    latency = plan.latency
    if not 0 <= latency.low_ms < LATENCY_MAX_MS or not 0 <= latency.high_ms < LATENCY_MAX_MS:
        yield f"latency is {latency.low_ms} to {latency.high_ms} ms, expected 0 to {LATENCY_MAX_MS:g}"
    elif latency.kind in ("uniform", "exponential") and latency.low_ms > latency.high_ms:
        yield f"latency.low_ms is {latency.low_ms}, above latency.high_ms, which is {latency.high_ms}"


def _misplaced_faults(plan: Plan) -> Iterator[str]:
    for number, fault in enumerate(plan.faults):
        if strangers := [node for node in _nodes_of(fault) if node not in plan.names]:
            yield f"faults[{number}] names {', '.join(strangers)}, not a node of this cluster"
        if fault.at_ms < 0 or fault.for_ms < 0:
            yield f"faults[{number}] lies in the past or lasts less than nothing"
        if not -LATENCY_MAX_MS < fault.ms < LATENCY_MAX_MS:
            yield f"faults[{number}].ms is {fault.ms}, expected less than {LATENCY_MAX_MS:g}"
        if not 0 <= fault.probability <= 1:
            yield f"faults[{number}] has the probability {fault.probability}, expected 0 to 1"
        if fault.rate <= 0 or fault.after < 0 or fault.most < 0:
            yield f"faults[{number}] has a clock that stands still or goes back, or counts below 0"
        if fault.target and (fault.nodes or fault.grudge or fault.links):
            yield f"faults[{number}] has a target, and says itself whom it strikes: expected one of these"


def _misplaced_deviations(plan: Plan) -> Iterator[str]:
    for number, deviation in enumerate(plan.deviations):
        if deviation.message < 0:
            yield f"deviations[{number}] is of message {deviation.message}; messages count from 0"
        if not 0 <= deviation.ms < LATENCY_MAX_MS:
            yield f"deviations[{number}].ms is {deviation.ms}, expected 0 to {LATENCY_MAX_MS:g}"


def _nodes_of(fault: Fault) -> list[str]:
    senders = [node for dropped in fault.grudge.values() for node in dropped]
    named = {*fault.nodes, *fault.grudge, *senders, *(node for link in fault.links for node in link)}
    return sorted(named)
