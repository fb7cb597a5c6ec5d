"""The memory of hosts: a control group for each, with a limit below which the kernel kills a process.

A control group outlives the processes in it. A reaper, which is a shell in a session of its own, removes the
groups of a trial when its standard input ends: so they are removed after SIGKILL to the harness, too.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ostrakon.harness.plan import Plan

ROOTS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
"""Where the hierarchy with the memory controller may be mounted: version 1 first, then version 2."""
_REAP = """
read -r never_comes
tries=0
while [ $tries -lt 100 ]; do
  rmdir "$@" 2>/dev/null
  left=; for group; do [ -d "$group" ] && left=1; done
  [ -z "$left" ] && exit 0
  tries=$((tries + 1)); sleep 0.1
done
"""
_REAPED_S = 15.0


class NoControlGroups(Exception):
    """The memory of processes cannot be limited here; the message says what is missing."""


def needs_groups(plan: Plan) -> bool:
    """Whether a fault of the plan limits memory."""
    return any(fault.kind == "oom" for fault in plan.faults)


def hierarchy() -> Path:
    """The folder in which control groups with a limit of memory can be made. Raises: NoControlGroups."""
    for root in ROOTS:
        if not _has_memory(root):
            continue
        probe = root / f"ostrakon-{os.getpid()}-probe"
        try:
            probe.mkdir()
        except OSError as error:
            raise NoControlGroups(f"{root} cannot be written ({error.strerror}): run as root") from None
        probe.rmdir()
        return root
    raise NoControlGroups("no hierarchy of control groups here has the memory controller")


def _has_memory(root: Path) -> bool:
    if (root / "memory.limit_in_bytes").exists():
        return True
    with suppress(OSError):
        return "memory" in (root / "cgroup.subtree_control").read_text().split()
    return False


@contextmanager
def control_groups(names: Sequence[str], plan: Plan) -> Iterator[Mapping[str, str]]:
    """A control group for each node, as a folder by name, if a fault of the plan needs them.

    Raises: NoControlGroups.
    """
    if not needs_groups(plan):
        yield {}
        return
    root = hierarchy()
    groups = {name: root / f"ostrakon-{os.getpid()}-{name}" for name in names}
    folders = [str(group) for group in groups.values()]
    # Its input ends when this process does, however it ends.
    reaper = subprocess.Popen(
        ["sh", "-c", _REAP, "sh", *folders], stdin=subprocess.PIPE, start_new_session=True
    )
    assert reaper.stdin is not None
    try:
        for group in groups.values():
            group.mkdir()
        yield {name: str(group) for name, group in groups.items()}
    finally:
        reaper.stdin.close()
        reaper.wait(_REAPED_S)


class HostMemory:
    """The memory of one host: what `ostrakon.harness.faults` may limit."""

    def __init__(self, group: Path) -> None:
        """`group` is the folder of its control group, in which all its processes are."""
        self._group = group
        self._limits = 0
        is_first = (group / "memory.limit_in_bytes").exists()
        self._limit = group / ("memory.limit_in_bytes" if is_first else "memory.max")
        self._usage = group / ("memory.usage_in_bytes" if is_first else "memory.current")
        self._reclaim = group / ("memory.force_empty" if is_first else "memory.reclaim")
        self._counts = group / ("memory.oom_control" if is_first else "memory.events")
        self._no_limit = "-1" if is_first else "max"

    @property
    def procs(self) -> Path:
        """The file to which a process writes 0 to become one of the group."""
        return self._group / "cgroup.procs"

    @property
    def kills(self) -> int:
        """How many processes the kernel has killed because of the limit."""
        counts = dict(line.split() for line in self._counts.read_text().splitlines())
        return int(counts["oom_kill"])

    def limit(self) -> None:
        """Allow no more memory than is used now, once the page cache is given up."""
        self._limits += 1
        if self._limits > 1:
            return
        usage = self._usage.read_text().strip()
        with suppress(OSError):  # As far as it goes.
            self._reclaim.write_text("0" if self._reclaim.name == "memory.force_empty" else usage)
        # Meanwhile more may have come to be in use than version 1 lets the limit be.
        for percent in range(100, 200, 5):
            with suppress(OSError):
                self._limit.write_text(str(int(self._usage.read_text()) * percent // 100))
                return

    def lift(self) -> None:
        """End one limit; after the last there is none."""
        self._limits -= 1
        if not self._limits:
            self._limit.write_text(self._no_limit)
