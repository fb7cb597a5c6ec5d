"""The interface between the harness and a system under test.

A workload is data: the program of each node, how to open a client, the operations of clients, and the
checker of the history. Any package can offer workloads through the entry point group `ostrakon.workloads`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ostrakon.harness.cell import Cell
from ostrakon.harness.faults.moment import Moment
from ostrakon.harness.faults.target import Target
from ostrakon.harness.generator import Generator
from ostrakon.harness.history import Event, History, Op, Trace
from ostrakon.harness.plan import BadPlan, Plan
from ostrakon.harness.substrates.framing import Framing
from ostrakon.harness.substrates.runtime import Runtime, UnknownRuntime, runtime_of
from ostrakon.harness.user_code import place_of_caller

if TYPE_CHECKING:
    from ostrakon.harness.hosts.system import System
    from ostrakon.harness.model import Explore
    from ostrakon.harness.recording import Recording
    from ostrakon.harness.resolution import ResolvedPlan
    from ostrakon.harness.store import RunFolder


class Refused(Exception):
    """The operation definitely did not take effect. The op becomes `fail`, not `info`."""


class Unavailable(Refused):
    """The operation did not take effect, because no node was available that could perform it.

    The op becomes `fail`, as for `Refused`. In a trial of liveness it does not count as progress.
    """


class AdapterFailed(Exception):
    """The code that runs or connects the system under test failed, and not the system.

    A program raises it. The trial is then `unknown`, because its recording says nothing about the system.
    """


class Disk(Protocol):
    """The files of a node: bytes by path. Data that is not synced may be lost when the machine loses
    power."""

    async def read(self, path: str) -> bytes:
        """The whole file. Raises: FileNotFoundError."""

    async def append(self, path: str, data: bytes) -> None:
        """Append data to a file; create the file if it does not exist."""

    async def sync(self, path: str) -> None:
        """Wait until the content and the name of the file are durable."""

    async def replace(self, path: str, data: bytes) -> None:
        """Replace the content of a file atomically. The new content is durable on return."""

    async def truncate(self, path: str, size: int) -> None:
        """Truncate the file to `size` bytes."""

    async def remove(self, path: str) -> None:
        """Remove the file. Raises: FileNotFoundError."""

    async def list(self) -> Sequence[str]:
        """The paths of all files, sorted."""


Record = Callable[[Any], None]
"""Records a trace event of a node: any object with the fields of `harness.history.Event` except `time`."""


@dataclass(frozen=True, slots=True)
class Site:
    """The host of a program, and all that the harness gives to the program."""

    name: str
    """The name of this host; other hosts connect to it by this name."""
    nodes: tuple[str, ...]
    """The names of all nodes of the cluster. The name of a client's host is not among them."""
    disk: Disk
    """The files of this node behind the storage port. Ordinary file functions use the same files."""
    rng: random.Random
    """The random numbers of this host."""
    record: Record | None = None
    """Records trace events; None if they are not recorded."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The plan's options."""
    breakage: Any = None
    """The breakage of the plan's seeded bug; None if the plan has no bug."""
    shared: Any = None
    """What the workload's `shared` opened for all clients of the trial; None for nodes."""


class Client(Protocol):
    """The connection of one client process to the system."""

    async def apply(self, op: Op) -> Op:
        """Perform an invoked op and return the completed op.

        Raises: Refused, if the operation definitely did not take effect; OSError, EOFError or Trio's errors
        of broken streams, if the connection is lost, which makes the op `info`. Any other exception counts
        as a mistake in the client's code.
        """


Program = Callable[[Site], Awaitable[None]]
"""The program of a node: an async function for Trio or for asyncio.

The program runs until it is cancelled. If it returns or raises, the node has ended by itself.
`ostrakon.harness.substrates.runtime` says how Trio and asyncio programs are distinguished.
"""

Connect = Callable[[Site, int], AbstractAsyncContextManager[Client]]
"""Opens the client of the process with this number. It is for Trio or for asyncio, like a program."""


class Judgement(Protocol):
    """The part of a verdict that the harness uses; `ostrakon.checkers.verdict.Verdict` has it."""

    @property
    def valid(self) -> str:
        """`valid`, `unknown` or `invalid`."""

    @property
    def why(self) -> str:
        """The reason, in one sentence."""

    def to_json(self) -> dict[str, Any]:
        """The whole verdict as plain data."""


class Monitor(Protocol):
    """Observes a trial while it runs, so that the trial can stop at the first violation.

    Each method returns the violation in one sentence, or None. A violation stops the trial. A monitor only
    observes: the recording up to that moment is the same without it, and the checkers decide the verdict.
    """

    def event(self, event: Event) -> str | None:
        """A node reported an event. Events come in order of true time."""

    def op(self, op: Op) -> str | None:
        """A client or the nemesis began or completed an op. Ops come in the order of the history."""


@dataclass(frozen=True, slots=True)
class SeededBug:
    """A bug that is built in on purpose, to show that the checkers find it."""

    name: str
    """The name for `--bug`."""
    about: str
    """What the bug does, in a clause."""
    breakage: Any
    """The value that the program gets as `Site.breakage`; the program decides what it means."""
    convicted_by: tuple[str, ...] = ()
    """The properties of which one is violated first."""
    plan: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `Plan` that the bug needs to show itself, used where the user gives no others."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The kinds of messages between nodes."""

    kinds: tuple[str, ...]
    """The names of the kinds in the protocol."""
    kind_of: Callable[[Any], str]
    """Returns the kind of a message. The message is a frame of the workload's framing, or an object that a
    bare
    node sent. Returns a name that is not in `kinds`, such as "", if the message has none of these kinds."""


@dataclass(frozen=True, slots=True)
class Leeway:
    """Limits of the plans that search draws for a workload."""

    ops: tuple[int, int] = (3, 16)
    """The least and the greatest number of operations that clients begin before the final phase."""
    time_limit_s_min: float = 0.0
    """The shortest time limit, in seconds."""
    latency_ms_max: float = math.inf
    """The highest typical latency. With a higher one, the time-outs of the system are too short for progress,
    and a lack of progress would show nothing."""


@dataclass(frozen=True, slots=True)
class Quiescence:
    """A period after the last operation in which nodes that are behind can catch up."""

    most_s: float
    """The longest duration of the period, in seconds; a correct system needs less."""
    is_over: Callable[[Plan, Sequence[Event]], bool]
    """Whether all nodes have caught up, judged by the events so far."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A system under test, the operations of its clients, and the checker of the outcome.

    The first five fields are required; the first ten minutes need no others::

        Workload(
            name="my-register",
            program=lambda site: serve(4000),
            connect=lines_to(4000, ask=lambda op: f"{op.f} {op.value}", answer=int),
            generator=reads_and_writes,
            check=lambda plan, history, trace: linearizable(history, models.register(initial=0)),
        )
    """

    name: str
    """The name of the workload, which is also the name of its folder in the store."""
    program: Program
    """The program of each node."""
    connect: Connect
    """Opens the client of a process."""
    generator: Callable[[Plan, random.Random], Generator]
    """Makes the operations of clients for the time with faults."""
    check: Callable[[Plan, History, Trace], Judgement]
    """Judges a trial by its plan, its history and its trace."""
    about: str = ""
    """What the workload can find, in one sentence."""
    final: Callable[[Plan, random.Random], Generator] | None = None
    """Makes the operations of clients for the final phase, after all faults are healed."""
    quiescence: Quiescence | None = None
    """The period after the final phase in which nodes can catch up; None for no such period."""
    framing: Framing | None = None
    """How to split the byte streams between nodes into messages, so that faults can drop, duplicate or
    reorder single messages. Without it, these faults only delay data, as loss does under TCP."""
    describe: Callable[[bytes], str] | None = None
    """A message in a few words, for message diagrams: `lambda frame: frame.decode()`. It gets the content of
    a frame between nodes, and what a client sends or receives at a time; it may raise for bytes that it
    cannot decode. Without it, diagrams show text as it is, and other bytes in hex."""
    bugs: Mapping[str, SeededBug] = field(default_factory=dict)
    """Seeded bugs by name."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Values for fields of `Plan` that the user does not give."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The options that a plan for this workload can have: name and meaning. Other options are refused."""
    drawn_options: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Values from which search draws an option for each plan, by the option's name; None for none."""
    option_problems: Callable[[Mapping[str, Any]], Iterator[str]] | None = None
    """The problems of the values of a plan's options, one sentence each; None if any value will do."""
    leeway: Leeway | None = None
    """Limits of the plans that search draws; None for plans about as large as `defaults` make them."""
    busy_s: float = math.inf
    """Seconds from the start in which faults can have an effect; all faults begin within this time."""
    timeout_s: float = 1.0
    """Seconds that a client waits for an answer before the op becomes `info`."""
    model: Callable[[ResolvedPlan, RunFolder | None], Recording] | None = None
    """Runs a plan on bare nodes and saves the run in the folder, if one is given; None if the workload has no
    bare nodes. Raises: BadPlan."""
    explore: Explore | None = None
    """Explores all executions of a small cluster; None if the workload cannot."""
    targets: Mapping[str, Target] = field(default_factory=dict)
    """Targets of faults by name: pure functions from the events so far to nodes. Every workload also has the
    targets by traffic (`busiest`, `sender`, `latest-restarted`). See `faults.latest`; Paxos has
    `faults.TARGETS`."""
    moments: Mapping[str, Moment] = field(default_factory=dict)
    """What a fault can wait for: predicates over what nodes report, by name; see `faults.moment`. Search
    draws faults that wait for these."""
    cells: Mapping[str, Cell] = field(default_factory=dict)
    """A matrix of combinations of faults by name; see `harness.cell`. Search draws variations of them."""
    vocabulary: Vocabulary | None = None
    """The kinds of messages, so that faults can select messages by kind; None if kinds are not known."""
    points: tuple[str, ...] = ()
    """The names of the rare branches in its programs (`ostrakon.sometimes`), so that coverage can list those
    that
    were never reached."""
    detects: tuple[type[Exception], ...] = ()
    """Exceptions by which its programs report damaged files. A node that ends with one of them after a fault
    damaged its disk behaves correctly and does not count as failed."""
    shared: Callable[[Plan, Site], AbstractAsyncContextManager[Any]] | None = None
    """Opens what all clients of a trial share; each client's `site.shared` is the opened object. It is open
    for as long as clients run. Only for workloads with `is_live_only`; None if clients share nothing."""
    datagrams: bool = False
    """Whether each message between nodes travels alone: later messages may overtake it and a partition loses
    it. A message to or from a client has no latency. Without it, messages travel as on TCP. It needs a
    `framing`, and is only for workloads with `is_live_only`."""
    is_live_only: bool = False
    """Whether the nodes can run only on the substrate `live`."""
    system: System | None = None
    """The programs that the substrate `hosts` starts, and no other can run; None if there are none. See
    `ostrakon.harness.hosts.system.system_workload`."""
    steady_s: float | None = None
    """How long each fault lasts, and the calm before it, where nothing else is asked for; None for faults
    that come at random and overlap."""
    judges_liveness: bool = True
    """Whether the checkers accept nodes that stay faulty until the end."""
    watch: Callable[[Plan], Monitor] | None = None
    """Makes the monitor that can stop a trial at the first violation; None for no monitor."""
    runtime: Runtime | None = None
    """The event loop of `program`; None to find it out from its code."""
    client_runtime: Runtime | None = None
    """The event loop of `connect`; None to find it out from its code."""
    place: str = field(init=False, repr=False, compare=False)
    """The line that made it, such as `tests/test_bank.py:12`; empty for our own workloads."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", place_of_caller())

    @property
    def node_loop(self) -> Runtime:
        """The event loop of nodes. Raises: BadPlan, if it is not given and the code does not show it."""
        return self.runtime or self._told_by(self.program, "runtime")

    @property
    def client_loop(self) -> Runtime:
        """The event loop of clients. Raises: BadPlan, if it is not given and the code does not show it."""
        return self.client_runtime or self._told_by(self.connect, "client_runtime")

    def _told_by(self, function: object, where: str) -> Runtime:
        try:
            return runtime_of(function)
        except UnknownRuntime as error:
            raise BadPlan(f"workload {self.name!r}: {error} ({where} of the workload)") from error
