"""Where a simulated machine differs from Linux, each with the reason or the way out; the guide prints this.

python -m tests.sim.linux.differences    (writes the tables of docs/simulation.md anew)
"""

from __future__ import annotations

import _thread
import fcntl
import mmap
import multiprocessing
import os
import pathlib
import re
import select
import socket
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.sim.linux import asyncio_programs, files, sockets, threads

GUIDE = pathlib.Path(__file__).parents[3] / "docs" / "simulation.md"


@dataclass(frozen=True)
class Difference:
    """Something that a program sees otherwise than on Linux, and how to look at it."""

    what: str
    here: str
    why: str
    look: Callable[[], Any] | None = None
    """None where it cannot be looked at in one call."""


def _file(path: str = "/dev/null", flags: int = os.O_RDWR) -> int:
    return os.open(path, flags)


def _number() -> bool:
    descriptor = _file()
    os.close(descriptor)
    return descriptor < 1_000_000


def _kind(family: int, kind: int) -> int:
    with socket.socket(family, kind) as sock:
        return sock.type


REFUSED = (
    Difference(
        "`sqlite3.connect(file)`",
        "`NotSimulated`",
        "SQLite writes by its own system calls. A file served by `deserialize` would have no journal and no "
        "sync, so that a power loss could never show what it does to a database: kinder than Linux, which is "
        'worse than nothing. Use `":memory:"`, or run it live',
        lambda: sqlite3.connect("/tmp/difference.db"),
    ),
    Difference(
        "`mmap` of a file",
        "`NotSimulated`",
        "stores into memory cannot be seen, nor lost. Read and write",
        lambda: mmap.mmap(_file(), 1),
    ),
    Difference("symbolic links", "`NotSimulated`", "use hard links", lambda: os.symlink("/a", "/b")),
    Difference("`os.chdir`", "`NotSimulated`", "give whole paths", lambda: os.chdir("/")),
    Difference(
        "`dir_fd=`, `os.fwalk`",
        "`NotSimulated`",
        "give whole paths",
        lambda: os.stat("x", dir_fd=_file("/tmp", os.O_RDONLY)),
    ),
    Difference(
        "pipes, FIFOs", "`NotSimulated`", "use channels, queues, sockets", lambda: os.mkfifo("/tmp/fifo")
    ),
    Difference(
        "locks of parts of files (`lockf`, `F_SETLK`)",
        "`NotSimulated`",
        "use `fcntl.flock`",
        lambda: fcntl.lockf(_file(), fcntl.LOCK_EX),
    ),
    Difference(
        "extended attributes",
        "`NotSimulated`",
        "use a file",
        lambda: os.setxattr("/tmp", "user.x", b"1"),
    ),
    Difference(
        "`_thread.start_new_thread`",
        "`NotSimulated`",
        "use `threading.Thread`",
        lambda: _thread.start_new_thread(print, ()),
    ),
    Difference("processes", "`NotSimulated`", "start another machine", lambda: os.system("true")),
    Difference(
        "`multiprocessing`, shared memory",
        "`NotSimulated`",
        "use threads, or other machines",
        lambda: multiprocessing.Lock(),
    ),
    Difference(
        "setting the clock or the name of the host",
        "`NotSimulated`",
        "the nemesis sets clocks, the world gives names",
        lambda: time.clock_settime(time.CLOCK_REALTIME, 0),
    ),
    Difference(
        "`select`, `poll`, `trio.lowlevel.wait_readable`",
        "`NotSimulated`",
        "use sockets and streams",
        lambda: select.select([], [], [], 0),
    ),
    Difference(
        "`dup`, `detach` of a socket, ancillary data, `socketpair`",
        "`NotSimulated`",
        "there are no descriptors to hand on",
        lambda: socket.socketpair(),
    ),
)
SEEN = (
    Difference(
        "`ATTACH` and `VACUUM INTO` of a file, in SQLite",
        "`sqlite3.DatabaseError`: not authorized",
        "as for `sqlite3.connect(file)`; SQLite lets nothing else through a callback",
    ),
    Difference(
        "processors and memory",
        "one processor; 4 GiB",
        "they must be the same in every run",
        lambda: (os.sysconf("SC_NPROCESSORS_ONLN"), os.sysconf("SC_AVPHYS_PAGES")),
    ),
    Difference(
        "AF_NETLINK, AF_PACKET, raw sockets",
        "EAFNOSUPPORT, EPROTONOSUPPORT",
        "machines exchange TCP and UDP",
    ),
    Difference(
        "numbers of descriptors",
        "from 1,000,000 on",
        "no real descriptor may be meant by accident",
        _number,
    ),
    Difference(
        "`/proc`, `/sys`, files of the distribution",
        "not there; `/dev/null`, `zero`, `full`, `random`, `urandom` are",
        "they describe the real machine",
        lambda: os.path.exists("/proc/self"),
    ),
    Difference(
        "IPv6",
        "EAFNOSUPPORT, as where the kernel was told `ipv6.disable=1`",
        "machines have IPv4 addresses only",
        lambda: _kind(socket.AF_INET6, socket.SOCK_STREAM),
    ),
    Difference(
        "SOCK_SEQPACKET",
        "EPROTONOSUPPORT",
        "no program was met that uses it",
        lambda: _kind(socket.AF_UNIX, socket.SOCK_SEQPACKET),
    ),
    Difference(
        "the number of a process",
        "1000 and one more for each restart",
        "it must be the same in every run",
        lambda: os.getpid() == 1000,
    ),
    Difference(
        "permissions",
        "kept and shown, and never the reason to refuse, as for root",
        "a second user is not simulated",
    ),
    Difference(
        "names that no machine has",
        "`gaierror` names the machine that was looked for",
        "it helps",
        lambda: _message(lambda: socket.getaddrinfo("no-such-machine.invalid", 1)),
    ),
    Difference(
        "`import` of a module that the program wrote",
        "`ModuleNotFoundError`",
        "Python imports from the real disk; what all machines import is the same",
    ),
    Difference(
        "inode numbers",
        "are not used again",
        "ext4 may; a program that relies on either is wrong",
    ),
)


def _message(call: Callable[[], Any]) -> str:
    try:
        return str(call())
    except OSError as error:
        return str(error)


def tables() -> str:
    """The tables as the guide has them."""
    lines = ["| programs that are run on both, and see the same | what they look at |", "|---|---|"]
    for module in (files, sockets, threads, asyncio_programs):
        names = ", ".join(f"`{case.__name__}`" for case in module.CASES)
        lines.append(
            f"| {names} | {(module.__doc__ or '').removeprefix('Programs that look at ').strip('. ')} |"
        )
    lines += ["", "| differs | here | why, and what to do |", "|---|---|---|"]
    lines += [f"| {one.what} | {one.here} | {one.why} |" for one in (*REFUSED, *SEEN)]
    return "\n".join(lines)


def in_guide(text: str) -> str:
    """The guide with these tables in it."""
    return re.sub(
        r"(<!-- tables of tests/sim/linux -->\n\n).*?(\n\n<!-- end -->)",
        lambda found: found[1] + tables() + found[2],
        text,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    GUIDE.write_text(in_guide(GUIDE.read_text()))
