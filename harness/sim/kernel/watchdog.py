"""Ends a program that computes for ever. In virtual time such a program would stop the whole world.

The watchdog counts CPU time, so the load of the machine does not matter. It does not end a call into C that
never returns, and it does not work for a world that runs outside of the main thread.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ostrakon.harness.sim.kernel.signals import handled

if TYPE_CHECKING:
    from ostrakon.harness.sim.kernel.kernel import Kernel

LIMIT_S = 10.0
"""CPU seconds that a process may compute without waiting once; it is ended between one and two of them."""


class EndlessLoop(BaseException):
    """A program computes without waiting for anything. Raised inside it, where it happens to be."""


@contextmanager
def watching(kernel: Kernel, limit_s: float = LIMIT_S) -> Iterator[None]:
    """While the body runs the kernel, raise EndlessLoop in a process that never waits."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen: tuple[object, int] | None = None

    def look(number: int, frame: Any) -> None:
        nonlocal seen
        process = kernel.current
        now = None if process is None else (process, process.passes)
        if process is not None and now == seen:
            raise EndlessLoop(
                f"{process.name} has computed for {limit_s:g} s of CPU time without waiting once; "
                "in virtual time no time has passed"
            )
        seen = now

    with handled(signal.SIGVTALRM, look):
        signal.setitimer(signal.ITIMER_VIRTUAL, limit_s, limit_s)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
