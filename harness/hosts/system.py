"""What an adapter says of a system: which programs each host runs, when they serve, and how a client
connects.

    class Etcd:
        name = "etcd"
        runtime = "asyncio"
        packages = (SystemPackage("etcd", "etcd-server", ("--version",)),)
        libraries = ("aiohttp",)
        lost = (aiohttp.ClientError,)

        def services(self, host, hosts, options):
            return (Service("etcd", ("etcd", "--name", host.name, "--data-dir", str(host.data), ...)),)

        async def ready(self, host, hosts): ...          # raises one of `lost` as long as it does not serve
        def connect(self, host, hosts, options): ...     # an async context manager that gives a client
        async def roles(self, host, hosts): ...          # what the host says that it is: ("leader",)

The coroutines of an adapter and its clients run on asyncio, or on Trio: `runtime` says which.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Literal, Protocol, runtime_checkable

from ostrakon.harness.generator import Generator
from ostrakon.harness.history import History, Trace
from ostrakon.harness.hosts.role import holder_of
from ostrakon.harness.hosts.topology import Host
from ostrakon.harness.plan import Latency, Plan
from ostrakon.harness.workload import Client, Judgement, Site, Workload

_VERSION_S = 10.0
"""How long a program may take to say which version it is."""


@dataclass(frozen=True, slots=True)
class SystemPackage:
    """A program that must be installed, and the package of the distribution that has it."""

    program: str
    """Its name, found as a shell would find it; or a path, which must exist."""
    package: str
    """What `apt-get install` calls it."""
    version: tuple[str, ...] = ()
    """The arguments with which it tells its version; empty if it cannot."""

    @property
    def path(self) -> str | None:
        """Where it is; None if it is not installed."""
        # Programs for administrators are not on everyone's path.
        path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
        if "/" in self.program:
            return self.program if os.path.exists(self.program) else None
        return shutil.which(self.program, path=path)

    @property
    def told_version(self) -> str:
        """The first line that it prints when asked for its version; else its package's version, if known."""
        if self.path is not None and self.version:
            return _first_line(self.path, *self.version)
        return _first_line("dpkg-query", "--show", "--showformat=${Version}\\n", self.package)


@dataclass(frozen=True, slots=True)
class Service:
    """One process of a host."""

    name: str
    """Its log is `log/<host>.<name>.log`."""
    command: tuple[str, ...]
    """The program and its arguments; it starts in the host's folder, and must stay in the foreground."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Configuration, by path below the host's folder. It is written before the first start only, because some
    programs keep their state in these files."""
    prepare: tuple[tuple[str, ...], ...] = ()
    """Commands that run to their end on the host before the first start."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of the environment beside those of the harness."""
    user: str = ""
    """The user that it runs as when the harness is root; empty for the harness's own."""


class System(Protocol):
    """A system that a trial starts on hosts; see the module for an example."""

    @property
    def name(self) -> str:
        """The system's name."""

    @property
    def runtime(self) -> Literal["asyncio", "trio"]:
        """The event loop that its coroutines and clients are for."""

    @property
    def packages(self) -> Sequence[SystemPackage]:
        """What must be installed."""

    @property
    def libraries(self) -> Sequence[str]:
        """The client libraries that must be there to be imported; import them where they are needed only."""

    @property
    def lost(self) -> tuple[type[Exception], ...]:
        """What its client library raises when a connection failed or was silent: these become `info`."""

    def services(self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]) -> Sequence[Service]:
        """The processes of a host, in the order in which they are started."""

    async def ready(self, host: Host, hosts: Sequence[Host]) -> None:
        """Return if the host serves. Raises: OSError or one of `lost` as long as it does not."""

    def connect(
        self, host: Host, hosts: Sequence[Host], options: Mapping[str, Any]
    ) -> AbstractAsyncContextManager[Client]:
        """A client whose home is this host; one that must find the leader begins there."""

    async def roles(self, host: Host, hosts: Sequence[Host]) -> Collection[str]:
        """The roles that the host says it has: "leader", "primary". Raises: OSError or one of `lost`."""


@runtime_checkable
class TellsTime(Protocol):
    """A system whose hosts tell what time it is, so that faults of clocks are seen to have acted."""

    @property
    def time_resolution_s(self) -> float:
        """How exactly it tells the time, in seconds."""

    async def now(self, host: Host, hosts: Sequence[Host]) -> float:
        """The wall clock of the host, in Unix seconds, as its program reads it. Raises: OSError or one of
        `lost`.
        """


def system_workload(
    system: System,
    *,
    about: str,
    generator: Callable[[Plan, random.Random], Generator],
    check: Callable[[Plan, History, Trace], Judgement],
    roles: Collection[str] = (),
    defaults: Mapping[str, Any] = MappingProxyType({}),
    **fields: Any,
) -> Workload:
    """A workload whose nodes are the hosts of a system; `fields` are further ones of `Workload`.

    `roles` are the roles that the adapter tells, for faults to be aimed at: `kill:leader`.
    """
    latency = Latency("constant", 0.0, 0.0)
    return Workload(
        name=system.name,
        about=about,
        program=_runs_on_hosts,
        connect=lambda site, process: _runs_on_hosts(site),
        generator=generator,
        check=check,
        targets={role: holder_of(role) for role in roles},
        defaults={"substrate": "hosts", "latency": latency, **defaults},
        is_live_only=True,
        system=system,
        runtime="trio",
        client_runtime=system.runtime,
        **fields,
    )


def _runs_on_hosts(site: Site) -> Any:
    raise AssertionError(
        "a system of other programs runs on the substrate hosts alone, which starts them itself"
    )


def _first_line(*command: str) -> str:
    """What a command prints first, also on its standard error; empty if there is no such program."""
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_VERSION_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next(iter((told.stdout or told.stderr).splitlines()), "").strip() if told.returncode == 0 else ""


def missing(packages: Iterable[SystemPackage], libraries: Iterable[str] = ()) -> Iterator[str]:
    """A sentence for each package and library that is not installed, with the line that installs it."""
    for package in packages:
        if package.path is None:
            yield f"{package.program} is not installed: apt-get install {package.package}"
    for library in libraries:
        if find_spec(library) is None:
            yield f"the library {library} is not installed: pip install 'ostrakon[systems]'"


def versions(packages: Iterable[SystemPackage], libraries: Iterable[str] = ()) -> dict[str, str]:
    """What each program and library says of its version, by its name."""
    told = {os.path.basename(package.program): package.told_version for package in packages}
    told |= {library: version(library) for library in libraries}
    return {name: of for name, of in told.items() if of}
