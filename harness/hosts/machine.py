"""A host's processes: started, paused and killed as a whole.

The processes of a host are those in its network namespace, whoever started them: programs such as PostgreSQL
have workers in process groups of their own, which no signal to a group would reach.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from ostrakon.harness.hosts.clock import HostClock
from ostrakon.harness.hosts.memory import HostMemory
from ostrakon.harness.hosts.system import Service
from ostrakon.harness.hosts.topology import Host, on_host
from ostrakon.harness.live.machine import Exit
from ostrakon.harness.volume.mounted import Mounted

_TOLD_MAX = 8_000
"""Characters of a log's end that are told when a process ends by itself."""
PREPARE_S = 60.0
"""How long a command that prepares a host may take, in seconds."""
_GONE_S = 10.0
"""How long killed processes may take to be gone, in seconds."""
_REVIVE_S = 1.0
"""How long a service that a fault has ended stays down, in seconds; then it is started anew."""


class DidNotStart(Exception):
    """A command that prepares a host failed; the message has the end of what it printed."""


class HostMachine:
    """One host and its processes."""

    def __init__(
        self,
        host: Host,
        services: Sequence[Service],
        logs: Path,
        begin_ns: int,
        disk: Mounted | None = None,
        memory: HostMemory | None = None,
    ) -> None:
        """The machine of a host; what its processes print goes to files in `logs`.

        `disk` is the volume that its data folder lies on; None for the files of the system.
        `memory` is its control group; None if its memory is never limited.
        """
        self.host, self.disk, self.memory = host, disk, memory
        self.clock = HostClock(self._pids, lambda: self._is_paused)
        self._inflicted = 0
        self._revivals: dict[str, float] = {}
        """The services that a fault has ended, and when each is to be started anew."""
        self._services, self._logs = services, logs
        self.begin_ns = begin_ns
        """The trial's time 0 by the monotonic clock."""
        self._network = Path(f"/run/netns/{host.name}")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._is_paused = False
        self._are_ended = False
        """Whether the end of the processes was asked for."""
        self.incarnation = -1
        self.exits: list[Exit] = []

    @property
    def is_running(self) -> bool:
        """Whether it has a process, even a stopped one."""
        return any(process.poll() is None for process in self._processes.values())

    @property
    def is_paused(self) -> bool:
        """Whether it has processes and they are stopped."""
        return self.is_running and self._is_paused

    def restart(self) -> None:
        """Start all services, as new processes. Raises: DidNotStart."""
        self.look()
        self._kill_all()  # Those that a service has left behind.
        if self.incarnation < 0:
            self._prepare()
            if self.disk is not None:
                self.disk.commit()  # The trial begins with a system that was installed long ago.
        self.incarnation += 1
        self._is_paused = self._are_ended = False
        self._revivals.clear()
        for service in self._services:
            self._start(service)

    def revive(self) -> bool:
        """Start services anew that a fault has ended a while ago, as a supervisor would; say if there were.

        One that refuses to run because its data are damaged is not among them: it has done what it should.
        """
        if self._are_ended or self._is_paused:
            return False
        now_s = time.monotonic()
        due = [one for one in self._services if self._revivals.get(one.name, now_s + 1) <= now_s]
        self.incarnation += bool(due)
        for service in due:
            del self._revivals[service.name]
            self._start(service)
        return bool(due)

    def pause(self) -> None:
        """SIGSTOP to each process, until none is left that could start another."""
        stopped: set[int] = set()
        while new := [pid for pid in self._pids() if pid not in stopped]:
            _signal(new, signal.SIGSTOP)
            stopped.update(new)
        self._is_paused = True

    def resume(self) -> None:
        """SIGCONT."""
        _signal(list(self._pids()), signal.SIGCONT)
        self._is_paused = False

    def stop(self) -> None:
        """SIGTERM to each service."""
        self._are_ended = True
        _signal([process.pid for process in self._processes.values()], signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait until all are gone."""
        self.look()
        self._are_ended = True
        self._kill_all()

    def power_off(self) -> None:
        """Kill, and lose what was not synced; without a volume, all written data stays."""
        self.kill()
        if self.disk is not None:
            self.disk.lose_power()

    def look(self) -> None:
        """See whether a process has ended by itself, and keep how."""
        if self._are_ended:
            return
        for service in self._services:
            process = self._processes.get(service.name)
            if process is None or (status := process.poll()) is None:
                continue
            del self._processes[service.name]
            now_ns = time.monotonic_ns() - self.begin_ns
            said = f"{service.name}: {self.last_lines(service)}"
            is_damaged, inflicted = self.disk is not None and self.disk.is_damaged, self._is_inflicted()
            self.exits.append(
                Exit(self.host.name, self.incarnation, now_ns, status, said, is_damaged, inflicted)
            )
            if inflicted:
                self._revivals[service.name] = time.monotonic() + _REVIVE_S

    def _is_inflicted(self) -> bool:
        """Whether a fault has refused an operation of the disk, or memory, since this was asked last."""
        before = self._inflicted
        self._inflicted = self.disk.refusals if self.disk is not None else 0
        self._inflicted += self.memory.kills if self.memory is not None else 0
        return self._inflicted > before

    def _start(self, service: Service) -> None:
        procs = str(self.memory.procs) if self.memory is not None else os.devnull
        with self._log(service).open("ab") as log:
            self._processes[service.name] = subprocess.Popen(
                on_host(self.host, _as_user(service, service.command), procs),
                cwd=self.host.folder,
                env={**os.environ, **service.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def last_words(self) -> str:
        """The last line that each service has printed."""
        return "; ".join(
            f"{service.name}: {next(iter(self.last_lines(service).splitlines()[-1:]), 'nothing')}"
            for service in self._services
        )

    def last_lines(self, service: Service) -> str:
        """The end of a service's log."""
        if not (log := self._log(service)).exists():
            return ""
        return log.read_bytes().decode(errors="replace")[-_TOLD_MAX:].strip()

    def _log(self, service: Service) -> Path:
        return self._logs / f"{self.host.name}.{service.name}.log"

    def _prepare(self) -> None:
        """Write the configuration, and run what must run once."""
        self._own(Path(self.host.data), self._services[0])
        for service in self._services:
            for name, text in service.files.items():
                path = Path(self.host.folder / name)
                path.write_text(text)
                self._own(path, service)
            for command in service.prepare:
                with self._log(service).open("ab") as log:
                    status = self._run_once(_as_user(service, command), log, service.environment)
                if status != 0:
                    how = f"ended with status {status}" if status is not None else f"ran for {PREPARE_S:g} s"
                    raise DidNotStart(
                        f"{shlex.join(command)} on {self.host.name} {how}: {self.last_lines(service)[-500:]}"
                    )

    def _run_once(self, command: Sequence[str], log: IO[bytes], environment: Mapping[str, str]) -> int | None:
        """Run a command on the host to its end; None if it took too long."""
        try:
            return subprocess.run(
                on_host(self.host, command),
                cwd=self.host.folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=PREPARE_S,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            self._kill_all()
            return None

    def _own(self, path: Path, service: Service) -> None:
        if owner := owner_of(service):
            os.chown(path, *owner)
            os.chown(path.parent, *owner)

    def _kill_all(self) -> None:
        deadline = time.monotonic() + _GONE_S
        while pids := list(self._pids()):
            assert time.monotonic() < deadline, (
                f"SIGKILL did not end the processes {pids} of {self.host.name}"
            )
            _signal(pids, signal.SIGKILL)
            time.sleep(0.001)

    def _pids(self) -> Iterator[int]:
        """The processes of this host that are alive."""
        # One that was started a moment ago may not have entered the network yet.
        yield from (process.pid for process in self._processes.values() if process.poll() is None)
        network = self._network.stat().st_ino
        for name in os.listdir("/proc"):
            if name.isdecimal():
                with suppress(OSError):  # It has ended meanwhile; a zombie has no namespaces any more.
                    if os.stat(f"/proc/{name}/ns/net").st_ino == network:
                        yield int(name)


def _signal(pids: Collection[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _as_user(service: Service, command: Sequence[str]) -> Sequence[str]:
    if not service.user or not _is_root():
        return command
    user = ("setpriv", f"--reuid={service.user}", f"--regid={service.user}", "--clear-groups")
    return (*user, *command)


def owner_of(service: Service) -> tuple[int, int] | None:
    """The user and the group that a service runs as, by number; None for those of the harness."""
    import pwd

    if not service.user or not _is_root():
        return None
    entry = pwd.getpwnam(service.user)
    return entry.pw_uid, entry.pw_gid


def _is_root() -> bool:
    """Whether it is root of the machine: in a user namespace of one user there is nobody else to become."""
    return os.getuid() == 0 and Path("/proc/self/uid_map").read_text().split()[1:] == ["0", "4294967295"]
