"""A plan: all data that is needed to run a trial again.

Hypothesis and search draw plans, shrinking makes them smaller, `replay` runs them, and a failing test saves
one. The seed of a plan fixes the default schedule. Faults and deviations change that schedule.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import msgspec

from ostrakon.harness.pointer import line_of

FORMAT = 1
"""The version of the plan format. It goes up when an older plan would no longer run in the same way."""

Substrate = Literal["model", "sim", "live", "hosts"]


RATE_MAX = 1_000_000
"""The highest rate that a plan may have, in operations per second."""
NODES_MAX, CONCURRENCY_MAX, LATENCY_MAX_MS = 99, 10_000, 1e9
"""The most nodes, the most client processes and the highest latency that a plan may have."""


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What the name of a workload looks like: it is also the name of a folder."""


class BadPlan(Exception):
    """A plan cannot be read or run; the message names the file and the field and says what is right."""


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a message takes on a link, in milliseconds.

    `constant`: always `low_ms`. `uniform`: from `low_ms` to `high_ms`. `exponential`: at least `low_ms`,
    and `high_ms` on average. `lognormal`: half of all below `high_ms`, and a heavy tail (sigma 1).
    """

    kind: Literal["constant", "uniform", "exponential", "lognormal"] = "uniform"
    """The distribution."""
    low_ms: float = 0.5
    """The shortest latency."""
    high_ms: float = 2.5
    """The longest latency, the mean or the median, depending on the distribution."""


class Fault(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One fault: its kind, when it begins, how long it lasts, and which nodes or links it affects.

    `kind` is the name of a `harness.faults.FaultKind`. The package of that kind need not be installed where a
    plan is only read. The kind decides which of the other fields are used:

    - partitions use `grudge`;
    - faults of messages (delay, reorder, drop, duplicate, throttle, corrupt) use `links`, `probability` and
      `ms`, and `message`, `most` and `after` to select messages;
    - faults of connections (clog, reset) use `links`;
    - faults of machines use `nodes`. Crash points (crash_at_sync, crash_at_await) also use `after`, faults of
      clocks `rate` or `ms`, slow disks `ms`, and faults that damage data or cut reads short `probability`.

    A fault with a `target` selects its nodes when it begins.
    """

    kind: str
    """The name of the kind: "kill", "partition", "drop", ..."""
    at_ms: int
    """When the fault begins, in milliseconds of virtual time since the start of the workload."""
    for_ms: int
    """How long the fault lasts, in milliseconds; 0 if it is an event without a duration."""
    nodes: tuple[str, ...] = ()
    """The affected nodes, for faults of machines."""
    grudge: Mapping[str, tuple[str, ...]] = {}
    """For each receiver, the senders whose messages it does not get."""
    links: tuple[tuple[str, str], ...] = ()
    """Pairs of a sender and a receiver; empty for all links between nodes."""
    probability: float = 0.0
    """The probability that a matching message or operation is affected."""
    ms: float = 0.0
    """Milliseconds. For messages, the delay: exactly this where `most` is given, else the mean. For a
    throttled link, the time of each KiB. For a slow disk, the time of a sync. For a clock, the size of its
    step, which may be negative."""
    rate: float = 1.0
    """Seconds that a skewed clock advances in one second."""
    after: int = 0
    """For a crash point, the number of syncs or task steps before the crash. For faults of messages, the
    number of matching messages that pass before the first one is affected."""
    message: str = ""
    """The only kind of message that is affected, by its name in the workload's vocabulary; empty for all."""
    most: int = 0
    """The largest number of messages that are affected; 0 for no limit."""
    target: str = ""
    """The name of a target of the workload ("leader", "quorum", ...) that selects the nodes."""
    shape: str = ""
    """The topology that the grudge or the nodes were drawn from, as reports show it."""
    asked: str = ""
    """The name that the user gave, where it is not the kind: "halves", "swizzle", ..."""
    options: Mapping[str, Any] = {}
    """Further options, for kinds of fault of other packages."""
    when: str = ""
    """The moment that it waits for from `at_ms` on, by a name that the workload knows: see
    `harness.faults.moment`. Empty: it begins at `at_ms`."""
    passed: int = 0
    """How many such moments pass before it begins."""
    lasts_ms: int = 0
    """How long it lasts once its moment has come; 0: until its time is over."""


class Deviation(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A change to the delivery of one message between nodes; messages are counted from 0 in order of
    sending."""

    message: int
    """The number of the message."""
    action: Literal["delay", "drop", "duplicate"]
    """What happens to it."""
    ms: float = 0.0
    """How much later the message (or its copy) arrives, in milliseconds."""


class PlannedOp(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One operation of a client that the plan itself contains."""

    at_ms: float
    """When the operation begins, in milliseconds of virtual time; later if the client is still busy then."""
    client: int
    """The client that performs it; the concurrent clients are counted from 0."""
    f: str
    """The kind of operation, as in `Op.f`."""
    value: Any = None
    """The argument, as in `Op.value`."""
    final: bool = False
    """Whether it belongs to the final phase, which begins when all other operations have ended and all faults
    are healed."""


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that a trial depends on.

    kill = Fault("kill", at_ms=500, for_ms=300, nodes=("n1",))
    Plan(workload="register", seed=7, nodes=3, nemesis=("kill",), faults=(kill,))
    """

    format: int = FORMAT
    """The version of the plan format."""
    code: str = ""
    """The version of Ostrakon that made the plan."""
    substrate: Substrate = "sim"
    """The substrate that runs the plan."""
    workload: str
    """The name of the workload."""
    source: str | msgspec.UnsetType = msgspec.UNSET
    """A reference to the workload, `package.module:NAME` or `file.py::NAME`, if no entry point offers it."""
    bug: str | None = None
    """The name of the seeded bug that the nodes run with; None for the correct program."""
    seed: int
    """The seed of all random choices of the trial."""
    nodes: int = 5
    """The number of nodes."""
    first_node: int | msgspec.UnsetType = msgspec.UNSET
    """The number of the first node; 1 if not given, so that three nodes are n1, n2 and n3."""
    concurrency: int = 5
    """The number of concurrent client processes."""
    rate: float = 20.0
    """Operations that all clients together begin per second of virtual time."""
    time_limit_s: float = 5.0
    """How long clients run before the final phase begins, in seconds of virtual time."""
    ops: tuple[PlannedOp, ...] | msgspec.UnsetType = msgspec.UNSET
    """The operations of all clients; if given, they replace those of the workload's generators."""
    options: Mapping[str, Any] = {}
    """Options of the workload, by name; see `Workload.options`."""
    latency: Latency = Latency()
    """The latency of all links."""
    nemesis: tuple[str, ...] = ()
    """The kinds of fault that the user requested by name. If one of them has no effect, the verdict of a
    trial
    that would be `valid` is `unknown`."""
    faults: tuple[Fault, ...] = ()
    """All faults of the trial."""
    deviations: tuple[Deviation, ...] = ()
    """Changes to the delivery of single messages."""
    liveness_s: float | None = None
    """If given, the trial tests liveness. After the time limit, a quorum has no more faults and the other
    nodes
    stay faulty; clients must then succeed within this time, in seconds of virtual time."""
    buggify: float = 0.0
    """The probability that a rare branch of the programs (`ostrakon.sometimes`) is enabled in this trial."""

    @property
    def reference(self) -> str:
        """The name or reference that `find_workload` takes."""
        return self.workload if self.source is msgspec.UNSET else self.source

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the nodes: n1 to n5 if there are five."""
        return node_names(self.nodes, 1 if self.first_node is msgspec.UNSET else self.first_node)


@lru_cache(maxsize=64)
def node_names(count: int, first: int = 1) -> tuple[str, ...]:
    """The names of the nodes of a cluster of this size."""
    return tuple(f"n{number}" for number in range(first, first + count))


def encode_plan(plan: Plan) -> bytes:
    """The plan as JSON, in the form of a `plan.json`."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n"


def plan_digest(plan: Plan) -> str:
    """A hash that identifies the plan."""
    return hashlib.blake2b(encode_plan(plan), digest_size=8).hexdigest()


def decode_plan(text: bytes, source: str = "the plan") -> Plan:
    """Decode what `encode_plan` returned. Errors call the text by the name `source`.

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
    """The place where a text stops being JSON. msgspec does not report it, the standard library does."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f", line {error.lineno}, column {error.colno}"
    except UnicodeDecodeError as error:
        return f", byte {error.start}"
    return ""


def require_sense(plan: Plan) -> None:
    """Refuse a plan that cannot be run. The error lists all problems.

    Raises: BadPlan.
    """
    if problems := list(_problems(plan)):
        raise BadPlan(f"the plan cannot be run: {'; '.join(problems)}")


def _problems(plan: Plan) -> Iterator[str]:
    """One sentence for each problem; it begins with the name of the field."""
    if wrong := list(mistyped({name: getattr(plan, name) for name in Plan.__struct_fields__})):
        yield from wrong
        return
    yield from _nonsense(plan)
    yield from _misplaced_faults(plan)
    yield from _misplaced_deviations(plan)


def is_name(name: object) -> bool:
    """Whether a workload can have this name: it is also the name of a folder of the store."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def mistyped(fields: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each of these fields of a plan whose type is wrong; unknown fields are ignored."""
    for name, value in fields.items():
        if name not in (types := _types()) or value is msgspec.UNSET:
            continue
        if stranger := _not_a_struct(name, value):
            yield stranger
            continue
        try:
            # As plain data: what is in a Fault or a Latency was not looked at when that was made.
            msgspec.convert(msgspec.to_builtins(value), types[name])
        except msgspec.ValidationError as error:
            told, _, path = str(error).replace("`", "").partition(" - at $")
            yield f"{name}{path} is {_in_python(told, name + path, _at_path(value, path))}"
        except (TypeError, ValueError) as error:
            yield f"{name} is {value!r}: a plan is written as JSON, and this cannot be: {error}"


_STRUCTS: dict[str, type] = {
    "latency": Latency,
    "faults": Fault,
    "deviations": Deviation,
    "ops": PlannedOp,
}
"""The fields of a plan that are, or consist of, values of a class."""
_CHOICES: dict[str, Any] = {
    "substrate": Substrate,
    "latency.kind": get_type_hints(Latency)["kind"],
    "deviations.action": get_type_hints(Deviation)["action"],
}
"""The fields that have one of a few values."""


def _not_a_struct(name: str, value: Any) -> str:
    """What is wrong with a field that must be of a class, or a tuple of such values; empty if nothing is."""
    if (struct := _STRUCTS.get(name)) is None:
        return ""
    if name == "latency":
        return "" if isinstance(value, struct) else f"latency is {value!r}, expected a Latency"
    if not isinstance(value, tuple | list):
        return f"{name} is {value!r}, expected a tuple of {struct.__name__}"
    strangers = (f"{name}[{at}] is {one!r}, expected a {struct.__name__}" for at, one in enumerate(value))
    return next((told for told, one in zip(strangers, value, strict=True) if not isinstance(one, struct)), "")


def _at_path(value: Any, path: str) -> Any:
    """What is at a path as msgspec tells it, such as `[0].at_ms`; as much of it as can be followed."""
    for index, name in re.findall(r"\[(\d+)\]|\.(\w+)", path):
        try:
            value = value[int(index)] if index else getattr(value, name)
        except (AttributeError, LookupError, TypeError):
            break
    return value


def _in_python(told: str, field: str, value: Any) -> str:
    """A value, and what msgspec says is wrong with it, in the words of Python."""
    if choices := get_args(_CHOICES.get(re.sub(r"\[\d+\]", "", field))):
        return f"{value!r}, expected {', '.join(choices)}"
    expected = told.partition(", got ")[0]
    for theirs, ours in (("object", "dict"), ("array", "tuple"), ("null", "None")):
        expected = re.sub(rf"\b{theirs}\b", ours, expected)
    return f"{value!r}: {expected[:1].lower()}{expected[1:]}, got {type(value).__name__}"


@lru_cache(maxsize=1)
def _types() -> dict[str, Any]:
    return get_type_hints(Plan)


def _nonsense(plan: Plan) -> Iterator[str]:
    if plan.format != FORMAT:
        yield f"format is {plan.format}, expected {FORMAT}: leave it out"
    if plan.seed < 0:
        yield f"seed is {plan.seed}, expected 0 or more"
    if not is_name(plan.workload):
        yield (
            f"workload is {plan.workload!r}, expected a name of letters, digits, '-', '_' and '.' that "
            "begins with a letter or digit: a folder of the store has this name"
        )
    if plan.first_node is not msgspec.UNSET and not 0 <= plan.first_node <= NODES_MAX:
        yield f"first_node is {plan.first_node}, expected 0 to {NODES_MAX}"
    for field, most in (("nodes", NODES_MAX), ("concurrency", CONCURRENCY_MAX)):
        if not 1 <= (count := getattr(plan, field)) <= most:
            yield f"{field} is {count}, expected 1 to {most}"
    if not 0 < plan.rate <= RATE_MAX:
        yield f"rate is {plan.rate}, expected a number above 0 and at most {RATE_MAX:,}"
    if not 0 < plan.time_limit_s < inf:
        yield f"time_limit_s is {plan.time_limit_s}, expected a number above 0"
    for number, op in enumerate(plan.ops if plan.ops is not msgspec.UNSET else ()):
        if not 0 <= op.at_ms < inf:
            yield f"ops[{number}].at_ms is {op.at_ms}, expected 0 or more"
        if not 0 <= op.client < plan.concurrency:
            yield f"ops[{number}].client is {op.client}, expected 0 to {plan.concurrency - 1}"
    if plan.liveness_s is not None and not 0 < plan.liveness_s < inf:
        yield f"liveness_s is {plan.liveness_s}, expected a number above 0, or null"
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
            yield f"faults[{number}] names {', '.join(strangers)}; the nodes are {', '.join(plan.names)}"
        if fault.at_ms < 0 or fault.for_ms < 0:
            yield f"faults[{number}] has at_ms {fault.at_ms} and for_ms {fault.for_ms}, expected 0 or more"
        if not -LATENCY_MAX_MS < fault.ms < LATENCY_MAX_MS:
            yield f"faults[{number}].ms is {fault.ms}, expected less than {LATENCY_MAX_MS:g}"
        if not 0 <= fault.probability <= 1:
            yield f"faults[{number}] has the probability {fault.probability}, expected 0 to 1"
        if fault.rate <= 0:
            yield f"faults[{number}] has the rate {fault.rate}, expected a number above 0"
        for field in ("after", "most", "passed", "lasts_ms"):
            if (count := getattr(fault, field)) < 0:
                yield f"faults[{number}] has {field} {count}, expected 0 or more"
        if (fault.passed or fault.lasts_ms) and not fault.when:
            yield f"faults[{number}] has `passed` or `lasts_ms` but no `when`: it waits for no moment"
        if fault.target and (fault.nodes or fault.grudge or fault.links):
            yield f"faults[{number}] has a `target` and also `nodes`, `links` or a `grudge`: expected one"


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
