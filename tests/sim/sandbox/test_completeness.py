"""Functions of Python that reach the operating system are simulated, refused, or known to be harmless."""

from __future__ import annotations

import _thread
import fcntl
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from types import ModuleType

import pytest
import trio

from ostrakon.harness.sim import World


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Names of functions that are the same in a process and outside of it, by the reason.
PURE = _words(
    "fsdecode fsencode fspath major minor makedev strerror get_exec_path device_encoding confstr "
    "WCOREDUMP WEXITSTATUS WIFCONTINUED WIFEXITED WIFSIGNALED WIFSTOPPED WSTOPSIG WTERMSIG "
    "waitstatus_to_exitcode sched_get_priority_max sched_get_priority_min sched_rr_get_interval "
    "CMSG_LEN CMSG_SPACE htonl htons ntohl ntohs inet_aton inet_ntoa inet_ntop inet_pton strsignal "
    "valid_signals default_int_handler clock_getres get_clock_info mktime strptime getpagesize "
    "getprotobyname getservbyname getservbyport "
)
OF_THE_USER = _words(
    "getuid geteuid getgid getegid getgroups getgrouplist getresuid getresgid getlogin getrlimit "
    "sched_getparam sched_getscheduler sched_yield ctermid "
)
"""Who runs the simulation runs the programs."""
ENVIRONMENT = {"getenv", "getenvb", "putenv", "unsetenv", "tzset", "register_at_fork"}
"""Shared by all processes, as the guide says."""
BUILT_ON_OTHERS = _words(
    "makedirs removedirs renames walk fwalk fdopen popen get_terminal_size create_connection "
    "create_server has_dualstack_ipv6 fromfd send_fds recv_fds "
)
"""Written in Python, from functions that are simulated or refused."""
BY_AUDIT = _words(
    "execl execle execlp execlpe execv execve execvp execvpe forkpty posix_spawn posix_spawnp spawnl "
    "spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe killpg pthread_kill "
)
"""Refused by the audit hook."""
BY_DESCRIPTOR = _words(
    "eventfd_read eventfd_write tcgetpgrp tcsetpgrp login_tty splice close dup ptsname grantpt unlockpt "
    "posix_openpt setns timerfd_settime timerfd_settime_ns timerfd_gettime timerfd_gettime_ns "
)
"""They need a descriptor, and a process is given none that is real."""
SETTINGS = _words(
    "setdefaulttimeout getdefaulttimeout stack_size setprofile settrace getprofile gettrace "
    "setprofile_all_threads settrace_all_threads daemon_threads_allowed "
)
"""Of the interpreter, which all processes share."""
KNOWN = PURE | OF_THE_USER | ENVIRONMENT | BUILT_ON_OTHERS | BY_AUDIT | BY_DESCRIPTOR | SETTINGS
SAME_OBJECT_UNDERNEATH = {
    "_thread": _words("allocate allocate_lock exit exit_thread get_ident get_native_id RLock lock"),
    "threading": _words("activeCount currentThread excepthook Lock RLock"),
}
"""What Python's own `threading` is made of, which is replaced above it; and names that are deprecated."""


@pytest.mark.parametrize(
    "module",
    [os, socket, signal, time, resource, fcntl, select, threading, _thread],
    ids=lambda m: m.__name__,
)
def test_no_function_reaches_the_operating_system_unseen(module: ModuleType) -> None:
    if sys.version_info >= (3, 14):
        pytest.skip("its new functions have not been looked at")
    known = KNOWN | SAME_OBJECT_UNDERNEATH.get(module.__name__, frozenset())
    real = {name: value for name, value in vars(module).items() if _is_function(value)}
    unseen: list[str] = []

    async def program() -> None:
        await trio.lowlevel.checkpoint()
        unseen.extend(name for name, value in real.items() if vars(module)[name] is value)

    with World(1) as world:
        world.machine("m").start(program)
        world.run()

    assert len(real) > 1, "vacuous"
    assert sorted(name for name in unseen if name not in known and not name.startswith("_")) == []


def _is_function(value: object) -> bool:
    return callable(value) and not isinstance(value, type)
