"""The substrate `hosts`, as the process of the command sees it: what it refuses, and the child that runs a
plan.

The child is the first process of new namespaces. It ends when its standard input does, which the kernel
closes when this process ends; and it is killed with `unshare`, which is killed with this process. So
nothing outlives a harness that was interrupted, was killed or has crashed.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from ostrakon.harness.catalogue import UnknownName, find_workload
from ostrakon.harness.faults import can_act, kinds_on
from ostrakon.harness.history import read_history, read_trace
from ostrakon.harness.hosts.clock import NoClocks, require_clocks
from ostrakon.harness.hosts.job import REPORT, Job, Report
from ostrakon.harness.hosts.memory import NoControlGroups, control_groups, hierarchy, needs_groups
from ostrakon.harness.hosts.switch import DEVICE, needs_switch
from ostrakon.harness.hosts.system import System, SystemPackage, TellsTime, missing, versions
from ostrakon.harness.plan import BadPlan, Plan
from ostrakon.harness.recording import Finding, Recording
from ostrakon.harness.resolution import ResolvedPlan
from ostrakon.harness.store import RunFolder
from ostrakon.harness.substrate import Substrate
from ostrakon.harness.volume.mounted import VOLUME_FAULTS, NoFuse, require_fuse

TOOLS = (
    SystemPackage("unshare", "util-linux"),
    SystemPackage("nsenter", "util-linux"),
    SystemPackage("ip", "iproute2", ("-V",)),
    SystemPackage("ss", "iproute2"),
    SystemPackage("nft", "nftables", ("--version",)),
)
"""What every trial on hosts needs beside the system itself."""
_SIM_ONLY = ("deviations", "liveness_s", "buggify", "bug")
_WHY_NOT = {
    "clock_skew": "on hosts the clocks that a program reads could run faster, but not the kernel's time-outs "
    "in which it sleeps; wall clocks can be set by clock_jump",
    "suspend": "on hosts a monotonic clock cannot stop for one node alone; processes can by pause",
}
"""Faults of clocks that cannot be what they are in simulation, each with the reason."""
_NAMESPACES = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation=private")
_ENDING_S = 10.0
"""How long the child may take to write down what it has when it is told to end, in seconds."""


class _HostsSubstrate:
    """The substrate `hosts`."""

    def require(self, plan: ResolvedPlan) -> None:
        """Refuse a plan that this machine cannot run, or that nobody can on hosts. Raises: BadPlan."""
        system = plan.workload.system
        if system is None:
            raise BadPlan(f"{plan.plan.workload!r} has no programs to start on hosts: run it on sim or live")
        for number, fault in enumerate(plan.plan.faults):
            if fault.message:
                raise BadPlan(
                    f"faults[{number}] is about messages of one kind; on hosts there are packets only"
                )
            if fault.kind in VOLUME_FAULTS:
                try:
                    require_fuse()
                except NoFuse as missed:
                    raise BadPlan(f"faults[{number}] is a {fault.kind}: {missed}") from None
            elif fault.kind in _WHY_NOT:
                raise BadPlan(f"faults[{number}] is a {fault.kind}: {_WHY_NOT[fault.kind]}")
            elif fault.kind == "clock_jump":
                _require_clocks(number, system)
            elif not can_act(fault, "hosts"):
                raise BadPlan(
                    f"faults[{number}] is a {fault.kind}, which cannot be done on hosts; there are "
                    f"{', '.join((*kinds_on('hosts'), *sorted(VOLUME_FAULTS)))}"
                )
        for name in _SIM_ONLY:
            if getattr(plan.plan, name):
                raise BadPlan(
                    f"{name} is for simulation: on hosts, nothing counts messages or takes branches"
                )
        if (plan.plan.latency.low_ms, plan.plan.latency.high_ms) != (0, 0):
            raise BadPlan("latency: on hosts packets take as long as the kernel needs; use the fault `delay`")
        _require_importable(plan)
        if absent := [*missing(TOOLS), *missing(system.packages, system.libraries)]:
            raise BadPlan("; ".join(absent))
        _require_namespaces()
        if needs_groups(plan.plan):
            try:
                hierarchy()
            except NoControlGroups as missed:
                raise BadPlan(f"the fault oom limits memory by control groups: {missed}") from None
        if needs_switch(plan.plan) and not os.access(DEVICE, os.R_OK | os.W_OK):
            raise BadPlan(
                f"faults of single packets need a switch in user space, and this user may not open {DEVICE}: "
                f"run as root, or chmod 666 {DEVICE}"
            )

    def run(self, plan: ResolvedPlan, folder: RunFolder | None, *, watch: bool) -> Recording:
        """Run a plan in namespaces of its own; it never stops early.

        Raises: BadPlan, when the system does not come up; RuntimeError, when the harness itself has failed.
        """
        if folder is not None:
            return _run(plan, folder.path)
        with tempfile.TemporaryDirectory() as place:
            return _run(plan, Path(place))


SUBSTRATE: Substrate = _HostsSubstrate()


def _require_clocks(number: int, system: System) -> None:
    """Raises: BadPlan, when clocks cannot be set here, or nobody would see it."""
    if not isinstance(system, TellsTime):
        raise BadPlan(
            f"faults[{number}] is a clock_jump, and {system.name} tells nobody what time it is: whether the "
            "fault acts could not be seen. An adapter that has `now` and `time_resolution_s` can have it"
        )
    try:
        require_clocks()
    except NoClocks as missed:
        raise BadPlan(f"faults[{number}] is a clock_jump: {missed}") from None


def _require_importable(plan: ResolvedPlan) -> None:
    """The child looks the workload up by its name."""
    try:
        known = find_workload(plan.plan.reference)
    except UnknownName:
        known = None
    if known is not plan.workload:
        raise BadPlan(
            f"a trial on hosts is a process of its own, and must be able to import its workload: give "
            f"{plan.plan.workload!r} a name at the top level of a module, or an entry point in the group "
            "ostrakon.workloads"
        )


def _require_namespaces() -> None:
    """Raises: BadPlan, when this user may not make namespaces."""
    tried = subprocess.run([*unshare(), "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        raise BadPlan(
            "hosts need namespaces for networks, processes and mounts, and this user may not make them "
            f"({tried.stderr.strip()}): run as root, or allow user namespaces "
            "(sysctl kernel.unprivileged_userns_clone=1 or user.max_user_namespaces)"
        )


def unshare() -> Sequence[str]:
    """The beginning of a command that runs in new namespaces; without root, in a user namespace too."""
    rootless = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    return ("unshare", *rootless, *_NAMESPACES, "--")


def _run(resolved: ResolvedPlan, place: Path) -> Recording:
    place = place.absolute()
    with control_groups(resolved.plan.names, resolved.plan) as groups:
        report = _report(resolved.plan, place, groups)
    if report.refused:
        raise BadPlan(report.refused)
    system = resolved.workload.system
    assert system is not None
    return Recording(
        read_history(place / "history.jsonl"),
        read_trace(place / "trace.jsonl"),
        report.effects,
        tuple(msgspec.convert(finding, Finding) for finding in report.findings),
        report.network,
        report.crashes,
        report.real_s,
        versions={**versions((*TOOLS, *system.packages), system.libraries), "kernel": os.uname().release},
    )


def _report(plan: Plan, place: Path, groups: Mapping[str, str]) -> Report:
    """Run the child to its end. Raises: RuntimeError, when it did not come to its end."""
    parent, libc = os.getpid(), ctypes.CDLL(None)
    job = msgspec.json.encode(Job(plan, str(place), dict(groups))) + b"\n"
    (place / "log").mkdir(exist_ok=True)
    log = place / "log" / "harness.log"
    with log.open("wb") as errors:
        child = subprocess.Popen(
            [*unshare(), sys.executable, "-m", "ostrakon.harness.hosts.trial"],
            stdin=subprocess.PIPE,
            stdout=errors,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for this process, which tells the child.
            preexec_fn=lambda: _die_with(parent, libc),
        )
    assert child.stdin is not None
    try:
        with suppress(BrokenPipeError):
            child.stdin.write(job)
            child.stdin.flush()
        status = child.wait()
    finally:
        child.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            child.wait(_ENDING_S)
        child.kill()  # With it the first process of the namespaces is killed, and so all others.
        child.wait()
        shutil.rmtree(place / "nodes", ignore_errors=True)
    try:
        report = msgspec.json.decode((place / REPORT).read_bytes(), type=Report)
    except FileNotFoundError:
        told = log.read_text(errors="replace")[-4000:]
        raise RuntimeError(f"the process of the trial ended with status {status}:\n{told}") from None
    (place / REPORT).unlink()
    if not log.read_bytes():
        log.unlink()
    return report


def _die_with(parent: int, libc: ctypes.CDLL) -> None:
    """Have the kernel kill this process when its parent ends."""
    pr_set_pdeathsig = 1
    libc.prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # It has ended already.
