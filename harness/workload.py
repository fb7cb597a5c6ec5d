"""What a system under test and its users look like to the harness.

A workload is data: which program each node runs, how a client speaks to it, what clients do, and which
checkers judge the outcome. Anyone's package can offer workloads through the entry point group
`ostrakon.workloads`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ostrakon.harness.faults.target import Target
from ostrakon.harness.generator import Generator
from ostrakon.harness.history import Event, History, Op, Trace
from ostrakon.harness.history.suggestion import suggestion
from ostrakon.harness.plan import BadPlan, Plan, is_name, mistyped
from ostrakon.harness.substrates.framing import Framing
from ostrakon.harness.substrates.runtime import RUNTIMES, Runtime, UnknownRuntime, runtime_of
from ostrakon.harness.user_code import at, place_of

if TYPE_CHECKING:
    from ostrakon.harness.model import Explore
    from ostrakon.harness.recording import Recording
    from ostrakon.harness.resolution import ResolvedPlan
    from ostrakon.harness.store import RunFolder


class BadWorkload(BadPlan):
    """A workload is not what it must be; the message says which part, where it is and what would be right."""


class Refused(Exception):
    """The system definitely did not do what it was asked; the op is `fail`, not `info`."""


class Unavailable(Refused):
    """As `Refused`, and not because of what was asked: nobody was there who could have done it.

    Where a system must make progress, this is no answer.
    """


class Disk(Protocol):
    """A node's files: bytes by path. What is not synced may be lost when power fails."""

    async def read(self, path: str) -> bytes:
        """The whole file. Raises: FileNotFoundError."""

    async def append(self, path: str, data: bytes) -> None:
        """Write at the end of the file, which is made if it is not there."""

    async def sync(self, path: str) -> None:
        """Return when the file, and its name, are durable."""

    async def replace(self, path: str, data: bytes) -> None:
        """Put a file in place of another, atomically; durable on return."""

    async def truncate(self, path: str, size: int) -> None:
        """Cut the file to `size` bytes."""

    async def remove(self, path: str) -> None:
        """Let there be no such file. Raises: FileNotFoundError."""

    async def list(self) -> Sequence[str]:
        """The paths of all files, sorted."""


Record = Callable[[Any], None]
"""Takes a trace event of a node, any object with the fields of `harness.history.Event` except time."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a program runs and what it is given."""

    name: str
    """This host's name; other hosts reach it by that name."""
    nodes: tuple[str, ...]
    """All nodes of the cluster, this one too if it is one of them."""
    disk: Disk
    rng: random.Random
    """The host's own stream of randomness."""
    record: Record | None = None
    """Where trace events go; None when nobody wants them."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The plan's options."""
    breakage: Any = None
    """What the plan's seeded bug breaks, for this node to have; None for none."""


class Client(Protocol):
    """One client process's access to the system."""

    async def apply(self, op: Op) -> Op:
        """Do what an invoked op says and return it completed.

        Raises: Refused, when it definitely did not happen; OSError, EOFError or Trio's errors of broken
        streams, which are taken for silence. Anything else is a fault of the client's own code.
        """


Program = Callable[[Site], Awaitable[None]]
"""What a node runs; it returns only when it is done for good, and raises only when it crashes.

An async function for Trio or for asyncio; see `ostrakon.harness.substrates.runtime` for how that is told.
"""

Connect = Callable[[Site, int], AbstractAsyncContextManager[Client]]
"""Opens a client for a process of this number; for Trio or for asyncio, as a program is."""


class Judgement(Protocol):
    """What the harness needs to know of a verdict; `ostrakon.checkers.verdict.Verdict` is one."""

    @property
    def valid(self) -> str:
        """`valid`, `unknown` or `invalid`."""

    @property
    def why(self) -> str:
        """The reason, in one sentence."""

    def to_json(self) -> dict[str, Any]:
        """All of it, as plain data."""


class Monitor(Protocol):
    """Looks on while a trial runs; either method returns what is wrong, in a sentence, or None.

    What it says stops the trial. It only looks: what is recorded up to then is the same as without it, and
    the verdict is the checkers'.
    """

    def event(self, event: Event) -> str | None:
        """A node reported this; events come in the order of true time."""

    def op(self, op: Op) -> str | None:
        """A client or the nemesis began or ended this; ops come in the order of the history."""


@dataclass(frozen=True, slots=True)
class SeededBug:
    """One rule broken on purpose, to show that the checkers notice."""

    name: str
    about: str
    """What is wrong, in a clause."""
    breakage: Any
    """What a node is given to have the bug; the workload's program knows what to do with it."""
    convicted_by: tuple[str, ...] = ()
    """The properties that may fire first."""
    plan: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `Plan` that it takes to see it, where others are not asked for."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The kinds of messages between nodes."""

    kinds: tuple[str, ...]
    """By the names they have in the protocol."""
    kind_of: Callable[[Any], str]
    """Of which kind a message is: a frame, as the workload's framing has them, or what bare nodes send. Any
    other name, as "", for what is none of these."""


@dataclass(frozen=True, slots=True)
class Leeway:
    """How far plans that are drawn by search may depart from what suits a workload."""

    ops: tuple[int, int] = (3, 16)
    """How many operations clients begin while faults come and go, from and to."""
    time_limit_s_min: float = 0.0
    """Sooner than this nothing worth watching has happened."""
    latency_ms_max: float = math.inf
    """Where messages usually take longer than this, its own time-outs are too short for it to get anywhere,
    and that it does not is no fault."""


@dataclass(frozen=True, slots=True)
class Quiescence:
    """The time after the last operation in which nodes that are behind can catch up."""

    most_s: float
    """After so long it ends, whoever is behind: what is sound needs no more."""
    is_over: Callable[[Plan, Sequence[Event]], bool]
    """Whether, by what nodes have reported so far, nobody is behind any more."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A system under test, what is done to it, and how the outcome is judged."""

    name: str
    program: Program
    connect: Connect
    generator: Callable[[Plan, random.Random], Generator]
    """What clients do while faults come and go."""
    check: Callable[[Plan, History, Trace], Judgement]
    about: str = ""
    """One sentence: what it can catch."""
    final: Callable[[Plan, random.Random], Generator] | None = None
    """What clients do when all faults are healed."""
    quiescence: Quiescence | None = None
    """How long nodes are left alone after that; None if not at all."""
    framing: Framing | None = None
    """How to tell messages apart on connections between nodes, so that faults can drop, duplicate or
    reorder single ones. Without it such faults are what TCP makes of them: delay."""
    bugs: Mapping[str, SeededBug] = field(default_factory=dict)
    """Seeded bugs by name."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `Plan` that suit it when nothing else is asked for."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The options of a plan that it knows, by name, each with what it means; others are refused."""
    leeway: Leeway | None = None
    """How far search may depart from the usual; None: plans are about as large as `defaults` make them."""
    busy_s: float = math.inf
    """For how long from the start there is something for faults to strike; they begin within that time."""
    timeout_s: float = 1.0
    """How long a client waits for an answer before it calls it silence."""
    model: Callable[[ResolvedPlan, RunFolder | None], Recording] | None = None
    """Runs a plan on bare nodes, and keeps the run in the folder if there is one; None if there are no bare
    nodes. Raises: BadPlan."""
    explore: Explore | None = None
    """Tries everything that can happen in a small world; None if there is none."""
    targets: Mapping[str, Target] = field(default_factory=dict)
    """What a fault can be aimed at when it begins, besides the targets by traffic that every workload has
    (`busiest`, `sender`, `latest-restarted`): pure functions of what nodes have reported, by name. See
    `faults.latest`; Paxos has `faults.TARGETS`."""
    vocabulary: Vocabulary | None = None
    """What kinds of messages there are, so that faults can be aimed at these; None if it cannot tell."""
    points: tuple[str, ...] = ()
    """The rare branches that its programs offer (`ostrakon.sometimes`), so that those never reached can be
    told."""
    detects: tuple[type[Exception], ...] = ()
    """Errors by which its programs say that their disk is damaged. A node that ends with one after a fault
    has damaged its disk has done what it should, and did not fail by itself."""
    is_live_only: bool = False
    """Whether its nodes are programs that no simulation can run."""
    judges_liveness: bool = True
    """Whether its checkers allow for nodes that are never well again."""
    watch: Callable[[Plan], Monitor] | None = None
    """Looks on while a trial runs, so that it can be stopped at the first violation; None if nothing can."""
    runtime: Runtime | None = None
    """The event loop that `program` is for; None if its code tells."""
    client_runtime: Runtime | None = None
    """The event loop that `connect` is for; None if its code tells."""

    @property
    def node_loop(self) -> Runtime:
        """The event loop that nodes run on. Raises: BadPlan if it is not told."""
        return self.runtime or self._told_by(self.program, "runtime")

    @property
    def client_loop(self) -> Runtime:
        """The event loop that clients run on. Raises: BadPlan if it is not told."""
        return self.client_runtime or self._told_by(self.connect, "client_runtime")

    def _told_by(self, function: object, where: str) -> Runtime:
        try:
            return runtime_of(function)
        except UnknownRuntime as error:
            raise BadPlan(f"workload {self.name!r}: {error} ({where} of the workload)") from error


def require_workload(workload: Workload) -> None:
    """Nothing, if every part of the workload is of the kind that it must be.

    Raises: BadWorkload, naming all that are not.
    """
    if not isinstance(workload, Workload):
        raise BadWorkload(
            f"{workload!r} is a {type(workload).__name__}; expected a Workload or the name of one"
        )
    if problems := list(_problems(workload)):
        place = next(filter(None, map(place_of, (workload.program, workload.generator))), "")
        raise BadWorkload(at(place, f"the workload {workload.name!r}: {'; '.join(problems)}"))


def _problems(workload: Workload) -> Iterator[str]:
    if not is_name(workload.name):
        yield (
            f"name is {workload.name!r}, expected letters, digits, '-', '_' and '.', the first a letter or "
            "digit: a folder of the store has this name"
        )
    for part in ("program", "connect", "generator", "check"):
        if not callable(value := getattr(workload, part)):
            yield f"{part} is {value!r}, expected a function"
    fields = Plan.__struct_fields__
    for name in workload.defaults:
        if name not in fields:
            yield f"defaults has {name!r}, which is no field of a plan; {suggestion(name, fields)}"
    yield from (f"defaults: {problem}" for problem in mistyped(workload.defaults))
    for part in ("runtime", "client_runtime"):
        if (value := getattr(workload, part)) not in (None, *RUNTIMES):
            yield f"{part} is {value!r}; {suggestion(str(value), RUNTIMES)}"
    if not workload.timeout_s > 0:
        yield f"timeout_s is {workload.timeout_s!r}, expected seconds, more than 0"
