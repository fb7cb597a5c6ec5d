"""A live node: `python -m ostrakon.harness.live.node`, started with a job on its standard input."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import msgspec
import trio

from ostrakon.harness.catalogue import find_bug, find_workload
from ostrakon.harness.history.trace import stamped
from ostrakon.harness.live.disk import LiveDisk
from ostrakon.harness.live.job import ADAPTER_FAILED, NodeJob, decode_job
from ostrakon.harness.live.sockets import install
from ostrakon.harness.note import Notes, report_to
from ostrakon.harness.requirements import started
from ostrakon.harness.substrates.seeds import substream
from ostrakon.harness.workload import AdapterFailed, Site, Workload

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Read the job and run that node until the program or the harness ends."""
    _be_woken_when_orphaned(os.getppid())
    job = decode_job(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_harness, daemon=True).start()
    workload = find_workload(job.workload)
    breakage = find_bug(workload, job.bug).breakage if job.bug is not None else None
    folder = Path(job.folder)
    tracer, notes = _Tracer(folder / "trace.jsonl", job.begin_ns), Notes()
    report_to(lambda event, fields: tracer.record(notes.event(job.name, job.incarnation, event, fields)))
    site = Site(
        job.name,
        job.nodes,
        LiveDisk(folder / "data"),
        substream(job.seed, "site", job.name, job.incarnation),
        tracer.record,
        job.options,
        breakage,
    )
    try:
        trio.run(_serve, workload, site, job)
    except* AdapterFailed:
        traceback.print_exc()
        sys.exit(ADAPTER_FAILED)


async def _serve(workload: Workload, site: Site, job: NodeJob) -> None:
    install(job.name, job.nodes, job.proxy_port)
    await started(workload, site)


def _end_with_the_harness() -> None:
    """End when the input ends, together with all processes of the group that the program started."""
    while os.read(0, 4096):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _be_woken_when_orphaned(parent: int) -> None:
    """Ask the system to continue this process when the harness ends, because a stopped node cannot notice
    it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGCONT)
        if os.getppid() != parent:
            os._exit(0)


class _Tracer:
    """Writes each event of the node immediately and completely, so that SIGKILL loses none."""

    def __init__(self, path: Path, begin_ns: int) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._begin_ns = begin_ns
        self._encode = msgspec.json.Encoder().encode

    def record(self, told: Any) -> None:
        event = stamped(told, time.monotonic_ns() - self._begin_ns)
        os.write(self._fd, self._encode(event) + b"\n")


if __name__ == "__main__":
    main()
