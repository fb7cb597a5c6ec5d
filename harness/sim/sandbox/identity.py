"""What a simulated process is told of itself and its host, and the signals it handles and sends.

A process has number 1000 on a host with one processor, the next incarnation the next number. The host's
name is the machine's.
"""

from __future__ import annotations

import errno
import gc
import os
import platform
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ostrakon.harness.sim.disk.open_file import fail
from ostrakon.harness.sim.kernel.errors import NotSimulated, refusal

if TYPE_CHECKING:
    from ostrakon.harness.sim.sandbox.host import Resident

_FIRST_NUMBER = 1000
_ENDS = "raise SystemExit, or let the nemesis kill it"
_TIMERS = "use trio.move_on_after() or trio.sleep()"


def replacements(simulated: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """The replacements for functions that describe a process and its host; `sandbox.py` installs them."""
    for owner, name, ours in (
        (os, "getpid", _number),
        (os, "getppid", lambda process: 1),
        (os, "uname", _uname),
        (gc, "isenabled", lambda process: process.collects_garbage),
        (gc, "enable", lambda process: setattr(process, "collects_garbage", True)),
        (gc, "disable", lambda process: setattr(process, "collects_garbage", False)),
        *((os, name, lambda process: 1) for name in ("cpu_count", "process_cpu_count") if hasattr(os, name)),
        (os, "sched_getaffinity", lambda process, pid: {0}),
        (os, "getloadavg", lambda process: (0.0, 0.0, 0.0)),
        (os, "times", _times),
        (os, "getpgrp", _number),
        (os, "getpgid", lambda process, pid: _number(process)),
        (os, "getsid", lambda process, pid: _number(process)),
        (resource, "getrusage", _usage),
        (os, "kill", _kill),
        (os, "_exit", refusal("os._exit()", _ENDS)),
        (platform, "node", _host),
        (platform, "uname", _platform),
        (platform, "platform", lambda process, aliased=False, terse=False: _platform_name(terse)),
        (platform, "libc_ver", lambda process, *_, **__: _LIBC),
        (os, "sysconf", _sysconf),
        (os, "getpriority", lambda process, which, who: 0),
        *((os, name, _no_child) for name in ("wait", "wait3", "wait4", "waitpid", "waitid")),
        (os, "closerange", _close_range),
        (signal, "sigpending", lambda process: set()),
        (signal, "getitimer", lambda process, which: (0.0, 0.0)),
        (signal, "siginterrupt", lambda process, number, flag: None),
        (socket, "gethostname", _host),
        (socket, "getfqdn", lambda process, name="": name or _host(process)),
        (signal, "signal", _install),
        (signal, "getsignal", _handler),
        (signal, "raise_signal", _raise),
        (signal, "alarm", refusal("a timer's signal", _TIMERS)),
        (signal, "setitimer", refusal("a timer's signal", _TIMERS)),
    ):
        yield owner, name, simulated(getattr(owner, name), ours)


def _number(process: Resident) -> int:
    return _FIRST_NUMBER + process.incarnation


def _host(process: Resident) -> str:
    return process.machine.name


def _uname(process: Resident) -> os.uname_result:
    return os.uname_result(("Linux", _host(process), "6.0.0", "#1", "x86_64"))


def _platform(process: Resident) -> platform.uname_result:
    made = platform.uname_result("Linux", _host(process), "6.0.0", "#1", "x86_64")
    made.__dict__["processor"] = ""  # What the property would ask the program `uname` for.
    return made


_LIBC = ("glibc", "2.36")


def _platform_name(terse: bool) -> str:
    return "Linux-6.0.0" if terse else f"Linux-6.0.0-x86_64-with-{''.join(_LIBC)}"


_sysconf_of_host = os.sysconf
_OF_ONE_PROCESSOR = {"SC_NPROCESSORS_ONLN": 1, "SC_NPROCESSORS_CONF": 1}
_PAGES = {"SC_PHYS_PAGES": 1 << 20, "SC_AVPHYS_PAGES": 1 << 19}
"""4 GiB of memory, half of it free."""
_SYSCONF = {os.sysconf_names[name]: value for name, value in (_OF_ONE_PROCESSOR | _PAGES).items()}


def _sysconf(process: Resident, name: str | int) -> int:
    return _SYSCONF.get(os.sysconf_names.get(name, -1) if isinstance(name, str) else name) or (
        _sysconf_of_host(name)
    )


def _no_child(process: Resident, *_: Any) -> None:
    raise ChildProcessError(errno.ECHILD, os.strerror(errno.ECHILD))


def _close_range(process: Resident, low: int, high: int) -> None:
    """Of the program's own: those below belong to whoever runs the simulation."""
    for descriptor in [one for one in process.files if low <= one < high]:
        with suppress(OSError):
            os.close(descriptor)


def _times(process: Resident) -> os.times_result:
    """All the time there was, as `time.process_time` tells it."""
    now = process.machine.clock.current_time()
    return os.times_result((now, 0.0, 0.0, 0.0, now))


def _usage(process: Resident, who: int) -> resource.struct_rusage:
    now = process.machine.clock.current_time() if who == resource.RUSAGE_SELF else 0.0
    # 64 MiB of memory, as a small program of Python has, and nothing else counted.
    return resource.struct_rusage((now, 0.0, 65_536, *(0 for _ in range(13))))


def _install(process: Resident, number: int, handler: Any) -> Any:
    """`Machine.stop` calls the one for SIGTERM."""
    _require_signal(number)
    if not (callable(handler) or handler in (signal.SIG_IGN, signal.SIG_DFL)):
        raise TypeError("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object")
    if number in (signal.SIGKILL, signal.SIGSTOP):
        fail(errno.EINVAL)
    before = _handler(process, number)
    process.signal_handlers[number] = handler
    return before


def _require_signal(number: int) -> None:
    if not 0 < number < signal.NSIG:
        raise ValueError("signal number out of range")


_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)
"""Signals that Python ignores from its start on."""
_HARMLESS = (*_IGNORED, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT)
"""Signals that have no effect without a handler."""


def _handler(process: Resident, number: int) -> Any:
    _require_signal(number)
    return process.signal_handlers.get(number, signal.SIG_IGN if number in _IGNORED else signal.SIG_DFL)


def _kill(process: Resident, number: int, sent: int) -> None:
    if number != _number(process):
        fail(errno.ESRCH)  # It is the only one on its machine.
    if sent:
        _raise(process, sent)


def _raise(process: Resident, sent: int) -> None:
    handler = _handler(process, sent)
    if callable(handler):
        handler(int(sent), None)
    elif handler != signal.SIG_IGN and sent not in _HARMLESS:
        raise NotSimulated(
            f"{process.name} sent itself {signal.Signals(sent).name} without a handler for it: {_ENDS}"
        )
