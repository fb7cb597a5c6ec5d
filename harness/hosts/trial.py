"""The child process of a trial on hosts: it makes the network, starts the system, and runs clients and
nemesis.

It is the first process of its namespaces. When its standard input ends, it ends, and so does everything
else in them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import trio

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.effects import inert_faults, told_effects
from ostrakon.harness.faults import TRAFFIC, Nemesis
from ostrakon.harness.history import Event, Journal, Op
from ostrakon.harness.hosts.asyncio_guest import AsyncioClient, on_asyncio, run_on_asyncio
from ostrakon.harness.hosts.bridge import Bridge
from ostrakon.harness.hosts.job import REPORT, Job, Report
from ostrakon.harness.hosts.machine import DidNotStart, HostMachine, owner_of
from ostrakon.harness.hosts.memory import HostMemory
from ostrakon.harness.hosts.role import gained, given_up
from ostrakon.harness.hosts.switch import Switch, needs_switch
from ostrakon.harness.hosts.system import Service, System, TellsTime
from ostrakon.harness.hosts.topology import (
    Command,
    Host,
    addresses,
    bridge,
    everyone,
    hosts_file,
    hosts_of,
    namespaces,
)
from ostrakon.harness.interpreter import Interpretation, client_crashes, interpret
from ostrakon.harness.live.machine import Exit
from ostrakon.harness.plan import Plan
from ostrakon.harness.recording import Finding
from ostrakon.harness.resolution import ResolvedPlan, resolve
from ostrakon.harness.script import FINAL_PHASE_S, script
from ostrakon.harness.substrates.errors import root_cause
from ostrakon.harness.substrates.seeds import stream_seed, substream
from ostrakon.harness.volume.mounted import VOLUME_FAULTS, Mounted, NoFuse, mount
from ostrakon.harness.workload import Client

_T = TypeVar("_T")
UP_S = 30.0
"""How long a system gets to come up, in seconds."""
_UP_AGAIN_S = 10.0
"""How long a host that was down gets to serve again before the nemesis goes on, in seconds."""
_ANSWER_S = 1.0
"""How long a host may take to say whether it serves and what its roles are, in seconds."""
_LOOK_S = 0.2
"""How often hosts are asked for their roles, and looked at whether their processes are still there."""
_RETRY_S = 0.05


class DidNotComeUp(Exception):
    """The system does not serve; the message names the hosts and the last lines of their logs."""


def main() -> None:
    """Run the job that standard input has, and leave a report in the run folder."""
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    place = Path(job.place)
    resolved = resolve(job.plan, find_workload(job.plan.reference))
    hosts = hosts_of(job.plan.names)
    try:
        make_folders(hosts, place)
        report = _Trial(resolved, hosts, place, job.groups).run()
    except (DidNotComeUp, DidNotStart, NoFuse) as error:
        report = Report(refused=str(error))
    aside = place / f".{REPORT}"
    aside.write_bytes(msgspec.json.encode(report, enc_hook=str))
    aside.replace(place / REPORT)
    sys.stdout.flush()
    os._exit(0)  # Threads that wait for standard input would keep the interpreter.


def make_folders(hosts: Sequence[Host], place: Path) -> None:
    """Make the folders and the names of these hosts, in the namespaces of this process."""
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    names = Path("/run/hosts")
    names.write_text(hosts_file(hosts))
    _run("mount", "--bind", str(names), "/etc/hosts")
    for host in hosts:
        kept, seen = place / "nodes" / host.name, Path(host.folder)
        (kept / "data").mkdir(parents=True, exist_ok=True)
        seen.mkdir(parents=True)
        _run("mount", "--bind", str(kept), str(seen))


@contextmanager
def network_of(hosts: Sequence[Host], plan: Plan) -> Iterator[Bridge | Switch]:
    """Make the network of these hosts; a switch only where a fault needs one, for a bridge is faster."""
    for command, text in namespaces(hosts):
        _run(*command, text=text)
    if needs_switch(plan):
        switch = Switch(hosts, lambda *link: substream(plan.seed, "faults", *link))
        switch.attach(everyone(hosts))
        joined: Iterable[Command] = addresses(hosts)
    else:
        switch, joined = None, (*bridge(hosts), *addresses(hosts))
    for command, text in joined:
        _run(*command, text=text)
    if switch is None:
        yield Bridge(hosts)
        return
    with switch:
        yield switch


@contextmanager
def volumes_of(services: Mapping[Host, Sequence[Service]], plan: Plan) -> Iterator[Mapping[Host, Mounted]]:
    """Mount a volume at the data folder of each of these hosts, if a fault of the plan needs them.

    Raises: NoFuse.
    """
    if not any(fault.kind in VOLUME_FAULTS for fault in plan.faults):
        yield {}
        return
    with ExitStack() as stack, ThreadPoolExecutor() as pool:

        def mounted(host: Host) -> Mounted:
            seed = stream_seed(plan.seed, "volume", host.name)
            volume = mount(Path(host.data), seed=seed, owner=owner_of(services[host][0]))
            stack.callback(volume.unmount)
            return volume

        # Together, because most of the time is that in which their processes start.
        yield dict(zip(services, pool.map(mounted, services), strict=True))


def _run(*command: str, text: str = "") -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} with {text!r} failed: {done.stderr.strip()}")


class _Trial:
    """One plan in these namespaces."""

    def __init__(
        self, resolved: ResolvedPlan, hosts: Sequence[Host], place: Path, groups: Mapping[str, str]
    ) -> None:
        """`groups` are the control groups of nodes, as folders; empty if no fault limits memory."""
        assert resolved.workload.system is not None
        self._resolved, self._plan, self._workload = resolved, resolved.plan, resolved.workload
        self._system: System = resolved.workload.system
        self._hosts, self._place = hosts, place
        self._lost: tuple[type[Exception], ...] = (OSError, EOFError, *self._system.lost)
        self._begin_ns = time.monotonic_ns()
        self._machines: dict[str, HostMachine] = {}
        self._memories = {name: HostMemory(Path(group)) for name, group in groups.items()}
        self._events: list[Event] = []
        self._roles: dict[str, frozenset[str]] = {}
        self._interpretation: Interpretation | None = None

    def run(self) -> Report:
        """Run to the end. Raises: DidNotComeUp, DidNotStart, NoFuse."""
        with ExitStack() as stack:
            links = stack.enter_context(network_of(self._hosts, self._plan))
            options, logs = self._plan.options, self._place / "log"
            services = {host: self._system.services(host, self._hosts, options) for host in self._hosts}
            disks = stack.enter_context(volumes_of(services, self._plan))
            for host in self._hosts:
                self._machines[host.name] = HostMachine(
                    host,
                    services[host],
                    logs,
                    self._begin_ns,
                    disks.get(host),
                    self._memories.get(host.name),
                )
                stack.callback(self._machines[host.name].kill)  # No volume is unmounted under a program.
            self._nemesis = self._resolved.nemesis(links, self._machines, self._events)
            self._history = stack.enter_context(Journal(self._place / "history.jsonl", flush_every=32))
            self._trace = stack.enter_context(Journal(self._place / "trace.jsonl"))
            try:
                if self._system.runtime == "asyncio":
                    run_on_asyncio(self._run)
                else:
                    trio.run(self._run)
            except BaseExceptionGroup as group:
                raise root_cause(group) from group
            network = {"messages": links.messages}
        exits = [left for machine in self._machines.values() for left in machine.exits]
        findings = [
            *client_crashes(self._interpretation, self._system.connect),
            *[_ended(left.machine, left.told, left.status) for left in exits if not _is_excused(left)][:1],
            *self._no_progress(),
            *inert_faults(self._plan, self._nemesis.applied),
        ]
        return Report(
            effects=told_effects(self._nemesis.applied),
            findings=tuple(msgspec.to_builtins(finding) for finding in findings),
            network=network,
            crashes=tuple(
                {
                    "node": left.machine,
                    "incarnation": left.incarnation,
                    "time": left.time_ns,
                    "inflicted": _is_excused(left),
                    "error": f"ended with status {left.status}",
                    "traceback": left.told,
                }
                for left in exits
            ),
            real_s=self._now_ns() / 1e9,
        )

    async def _run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_end_with_input)
            for machine in self._machines.values():
                machine.restart()
            await self._wait_up()
            # Time 0 is when the system serves: how long it took to come up is no part of the trial.
            self._begin_ns = time.monotonic_ns()
            for machine in self._machines.values():
                machine.begin_ns = self._begin_ns
                self._tell(machine.host, "restart")
            nursery.start_soon(self._look_after)
            await self._interpret()
            nursery.cancel_scope.cancel()

    async def _wait_up(self) -> None:
        """Raises: DidNotComeUp."""
        waiting = {host.name for host in self._hosts}
        with trio.move_on_after(UP_S):
            async with trio.open_nursery() as nursery:
                for host in self._hosts:
                    nursery.start_soon(self._wait_ready, host, waiting)
                while waiting and all(machine.is_running for machine in self._machines.values()):
                    await trio.sleep(_RETRY_S)
                nursery.cancel_scope.cancel()
        if waiting:
            told = (f"{name} ({self._machines[name].last_words()})" for name in sorted(waiting))
            raise DidNotComeUp(
                f"{self._system.name} did not come up within {UP_S:g} s on {', '.join(told)}; the logs "
                f"are in {self._place / 'log'}"
            )

    async def _wait_ready(self, host: Host, waiting: set[str]) -> None:
        while not await self._is_ready(host):
            await trio.sleep(_RETRY_S)
        waiting.discard(host.name)

    async def _is_ready(self, host: Host) -> bool:
        with trio.move_on_after(_ANSWER_S):
            try:
                await self._on_loop(self._system.ready(host, self._hosts))
            except self._lost:
                return False
            return True
        return False

    def _on_loop(self, work: Coroutine[Any, Any, _T]) -> Awaitable[_T]:
        return on_asyncio(work) if self._system.runtime == "asyncio" else work

    async def _look_after(self) -> None:
        """Ask for roles and look for processes that have ended, again and again."""
        while True:
            for machine in self._machines.values():
                machine.look()
                machine.clock.follow()
                if machine.revive():
                    self._tell(machine.host, "restart")
            await self._ask_roles()
            await trio.sleep(_LOOK_S)

    async def _ask_roles(self) -> None:
        """Record an event for each role that a host has newly got or lost."""
        async with trio.open_nursery() as nursery:
            for host in self._hosts:
                machine = self._machines[host.name]
                if machine.is_running and not machine.is_paused:
                    nursery.start_soon(self._ask_role, host)

    async def _ask_time(self) -> None:
        """Ask the hosts whose clocks were set what time it is."""
        async with trio.open_nursery() as nursery:
            for host in self._hosts:
                machine = self._machines[host.name]
                if machine.clock.offset_ns and machine.is_running and not machine.is_paused:
                    nursery.start_soon(self._ask_time_of, host)

    async def _ask_time_of(self, host: Host) -> None:
        assert isinstance(self._system, TellsTime)
        clock = self._machines[host.name].clock
        with trio.move_on_after(_ANSWER_S), suppress(*self._lost):
            clock.follow()
            before = time.time()
            told = await self._on_loop(self._system.now(host, self._hosts))
            clock.compare(told, before, time.time(), self._system.time_resolution_s)

    async def _ask_role(self, host: Host) -> None:
        with trio.move_on_after(_ANSWER_S):
            try:
                now = frozenset(await self._on_loop(self._system.roles(host, self._hosts)))
            except self._lost:
                return
            before = self._roles.get(host.name, frozenset())
            self._roles[host.name] = now
            for role in sorted(now - before):
                self._tell(host, gained(role))
            for role in sorted(before - now):
                self._tell(host, given_up(role))

    def _tell(self, host: Host, event: str) -> None:
        machine = self._machines[host.name]
        told = Event(self._now_ns(), host.name, max(0, machine.incarnation), len(self._events), event)
        self._events.append(told)
        self._trace.write(told)

    async def _interpret(self) -> None:
        plan, workload = self._plan, self._workload
        with self._nemesis:
            self._interpretation = await interpret(
                script(self._resolved, substream(plan.seed, "workload")),
                connect=self._connect,
                concurrency=plan.concurrency,
                record=self._history.write,
                now_ns=self._now_ns,
                timeout_s=workload.timeout_s,
                nemesis=_Informed(self._nemesis, self._ask_roles, self._ask_time, self._until_up_again),
                deadline_s=plan.time_limit_s + FINAL_PHASE_S,
            )

    def _connect(self, process: int) -> AbstractAsyncContextManager[Client]:
        home = self._hosts[process % len(self._hosts)]
        opened = self._system.connect(home, self._hosts, self._plan.options)
        return AsyncioClient(opened, self._system.lost) if self._system.runtime == "asyncio" else opened

    async def _until_up_again(self, names: Iterable[str]) -> None:
        """Wait until hosts that were started anew serve, or have had enough time to."""
        with trio.move_on_after(_UP_AGAIN_S):
            for name in names:
                machine = self._machines[name]
                self._tell(machine.host, "restart")
                while machine.is_running and not machine.is_paused and not await self._is_ready(machine.host):
                    await trio.sleep(_RETRY_S)

    def _now_ns(self) -> int:
        return time.monotonic_ns() - self._begin_ns

    def _no_progress(self) -> list[Finding]:
        if self._interpretation is not None and self._interpretation.ended == "done":
            return []
        why = f"not over {FINAL_PHASE_S:.0f} s after the time limit"
        return [Finding("no progress", "unknown", why)]


class _Informed:
    """A nemesis that knows the roles of this moment, asks clocks that were set, and waits until what it had
    stopped serves again.
    """

    def __init__(
        self,
        nemesis: Nemesis,
        ask_roles: Callable[[], Awaitable[None]],
        ask_time: Callable[[], Awaitable[None]],
        until_up_again: Callable[[Iterable[str]], Awaitable[None]],
    ) -> None:
        self._nemesis, self._until_up_again = nemesis, until_up_again
        self._ask_roles, self._ask_time = ask_roles, ask_time

    async def apply(self, op: Op) -> Op:
        before = len(self._nemesis.restarted)
        if op.f.startswith("start-") and (target := op.value.get("target")) and target not in TRAFFIC:
            await self._ask_roles()
        if not op.f.startswith("start-"):
            await self._ask_time()  # Before clocks that were set are set right.
        ended = await self._nemesis.apply(op)
        await self._until_up_again(self._nemesis.restarted[before:])
        return ended


def _is_excused(left: Exit) -> bool:
    """Whether a fault of its disk or memory ended a process, or it may have refused damaged data."""
    return left.inflicted or left.is_disk_damaged


def _ended(name: str, told: str, status: int) -> Finding:
    last = next(iter(told.splitlines()[-1:]), "") or f"it ended with status {status}"
    return Finding("node crashed", "invalid", f"{name} failed by itself (status {status}): {last}")


async def _end_with_input() -> None:
    """End this process, and with it all others of the namespaces, when nobody waits for it any more."""
    await trio.to_thread.run_sync(sys.stdin.buffer.read, abandon_on_cancel=True)
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        os._exit(130)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
