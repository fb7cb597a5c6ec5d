"""Looks into a simulation while it stands still: who waits where, and with which variables."""

from __future__ import annotations

import cmd
import io
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Protocol

from ostrakon.harness.substrates.no_progress import Waiting

_VALUE_MAX = 200
"""Characters of a local variable that are shown."""


class Machine(Protocol):
    """What is asked of a simulated machine."""

    @property
    def state(self) -> str:
        """`running`, `paused`, `killed`, ..."""

    @property
    def process(self) -> Any:
        """What runs on it."""

    @property
    def disk(self) -> Any:
        """Its disk."""


class World(Protocol):
    """What is asked of the world that stands still."""

    @property
    def machines(self) -> Mapping[str, Machine]:
        """All machines by name."""

    @property
    def now_ns(self) -> int:
        """Virtual time."""

    @property
    def kernel(self) -> Any:
        """What knows what happens next."""

    def waiting(self) -> list[Waiting]:
        """Who waits for what."""

    def in_flight(self) -> Iterator[Any]:
        """The messages that have not arrived."""

    def call_at(self, at_ns: int, call: Callable[..., object], *args: Any) -> object:
        """Have something called when it is that time."""


class Inspector(cmd.Cmd):
    """A prompt in the middle of a trial; nothing of the world happens until a command lets it go on."""

    intro = ""

    def __init__(self, world: World, node: str | None, stdin: IO[str], stdout: IO[str]) -> None:
        super().__init__(stdin=stdin, stdout=stdout)
        self.use_rawinput = stdin is sys.stdin
        self._world, self._node = world, node

    def stop_here(self) -> None:
        """Say what there is, and take commands until one lets the world go on."""
        self.prompt = f"({self._world.now_ns / 1e9:.6f} s) "
        self.do_tasks("")
        self.cmdloop()

    def do_tasks(self, line: str) -> None:
        """tasks [NODE]: where each task waits."""
        for waiting in self._world.waiting():
            if self._is_asked_for(waiting.machine, line):
                self._say(str(waiting))

    def do_locals(self, line: str) -> None:
        """locals NODE: the local variables of each task of a node, innermost frame of its own code."""
        process = self._process(line)
        for _, task, frames in process.waits if process is not None else ():
            for frame, at in frames:
                if "ostrakon" not in frame.f_code.co_filename and "/trio/" not in frame.f_code.co_filename:
                    self._say(f"{task}: {frame.f_code.co_filename}:{at} in {frame.f_code.co_name}")
                    for variable, value in frame.f_locals.items():
                        self._say(f"    {variable} = {repr(value)[:_VALUE_MAX]}")

    def do_connections(self, line: str) -> None:
        """connections NODE: its open sockets."""
        process = self._process(line)
        for sock in process.sockets if process is not None else ():
            self._say(repr(sock))

    def do_messages(self, line: str) -> None:
        """messages [NODE]: what is in flight, from and to whom, and when it arrives."""
        count = 0
        for message in self._world.in_flight():
            if (line.strip() or self._node) in (None, "", message.sender, message.receiver):
                count += 1
                shown = repr(message.payload)[:_VALUE_MAX]
                self._say(
                    f"{message.sender} -> {message.receiver} at {message.arrives_ns / 1e9:.6f} s: {shown}"
                )
        if not count:
            self._say("no message is in flight")

    def do_files(self, line: str) -> None:
        """files NODE: its files, how much of each is durable, and whether its name is."""
        name = line.strip() or self._node or ""
        if name not in self._world.machines:
            self._process(line)  # Says which there are.
            return
        names = self._world.machines[name].disk.names
        for path, inode in sorted(names.files.items()):
            unsynced = f"{len(inode.unsynced)} writes not synced" if inode.unsynced else "synced"
            told = "" if names.is_durable(path) else ", its name not synced"
            self._say(f"/{path}: {len(inode.cached)} bytes, {unsynced}{told}")

    def _process(self, line: str) -> Any:
        """What runs on the node that is named, if there is one."""
        name = line.strip() or self._node or ""
        if name in self._world.machines:
            return self._world.machines[name].process
        self._say(f"there is no machine {name!r}; there are {', '.join(self._world.machines)}")
        return None

    def do_nodes(self, line: str) -> None:
        """nodes: the state of each machine."""
        for name, machine in self._world.machines.items():
            self._say(f"{name}: {machine.state}")

    def do_until(self, line: str) -> bool:
        """until TIME: go on, and stop at that time, such as 1.5 or 1.5s."""
        at_ns = time_ns(line)
        if at_ns is None or at_ns <= self._world.now_ns:
            self._say(
                f"until {line}: expected a time after {self._world.now_ns / 1e9:g} s, such as until 1.5s"
            )
            return False
        self._world.call_at(at_ns, self.stop_here)
        return True

    def do_step(self, line: str) -> bool:
        """step [MS]: go on for so many milliseconds, 1 if not given."""
        try:
            ms = float(line or 1)
        except ValueError:
            self._say(f"step {line}: expected milliseconds, such as step 5")
            return False
        self._world.call_at(self._world.now_ns + max(1, round(ms * 1e6)), self.stop_here)
        return True

    def do_next_event(self, line: str) -> bool:
        """next-event: go on to the next time at which anything happens."""
        at_ns = next(
            (at_ns for at_ns, *_ in self._world.kernel.upcoming() if at_ns > self._world.now_ns), None
        )
        if at_ns is None:
            self._say("nothing is going to happen any more")
            return False
        self._world.call_at(at_ns, self.stop_here)
        return True

    def precmd(self, line: str) -> str:
        """A command with a hyphen is a method with an underscore."""
        return line.replace("next-event", "next_event", 1) if line.startswith("next-event") else line

    def do_continue(self, line: str) -> bool:
        """continue: go on to the end."""
        return True

    do_c = do_q = do_quit = do_EOF = do_continue

    def emptyline(self) -> bool:
        """Nothing, where `cmd` would repeat the last command."""
        return False

    def default(self, line: str) -> None:
        """Say which commands there are."""
        commands = "tasks, locals, connections, messages, files, nodes, next-event, step, until, continue"
        self._say(f"there is no command {line.split()[0]!r}: {commands}")

    def _is_asked_for(self, machine: str, line: str) -> bool:
        name = line.strip() or self._node
        return name is None or machine == name

    def _say(self, text: str) -> None:
        self.stdout.write(text + "\n")


def time_ns(text: str) -> int | None:
    """A time of a trial as people write it, `1.29s` or `1.29`; None if it is none."""
    try:
        return round(float(text.strip().removesuffix("s")) * 1e9)
    except ValueError:
        return None


@contextmanager
def printing(node: str, where: Callable[[], tuple[str | None, int]], out: IO[str]) -> Iterator[None]:
    """While the body runs, pass on what one node prints and logs, each line with its virtual time.

    `where()` says on which machine code runs now, None for none, and what time it is there.
    """
    real = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_Lines(node, where, out) for _ in range(2))
    handler = _Handler(node, where, out)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        sys.stdout, sys.stderr = real


class _Lines(io.TextIOBase):
    """A stream that passes on the whole lines of one node, and drops what others write."""

    def __init__(self, node: str, where: Callable[[], tuple[str | None, int]], out: IO[str]) -> None:
        self._node, self._where, self._out = node, where, out
        self._begun = ""

    def write(self, text: str) -> int:
        machine, now_ns = self._where()
        if machine == self._node:
            *lines, self._begun = (self._begun + text).split("\n")
            for line in lines:
                self._out.write(f"{now_ns / 1e9:.6f} s  {line}\n")
        return len(text)


class _Handler(logging.Handler):
    """Passes on the records that one node logs."""

    def __init__(self, node: str, where: Callable[[], tuple[str | None, int]], out: IO[str]) -> None:
        super().__init__()
        self._node, self._of, self._out = node, where, out

    def emit(self, record: logging.LogRecord) -> None:
        machine, now_ns = self._of()
        if machine == self._node:
            level, text = record.levelname.lower(), record.getMessage()
            self._out.write(f"{now_ns / 1e9:.6f} s  {level} {record.name}: {text}\n")
