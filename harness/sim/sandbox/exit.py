"""What a process does when its program has ended: functions of `atexit`, and finalizers of `weakref`.

They run at the end of the program, in its process. A process that is killed runs none of them. The
interpreter, at its own end, has no part in them: it would call them outside of the simulation, where
`os.unlink` deletes a real file.
"""

from __future__ import annotations

import atexit
import functools
import sys
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ostrakon.harness.sim.sandbox.host import Resident


class ExitFunctions:
    """The exit functions of one process."""

    def __init__(self) -> None:
        self._functions: list[Callable[[], object]] = []
        self._finalizers: list[weakref.finalize[Any, Any]] = []

    def register(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        """As `atexit.register`."""
        self._functions.append(functools.partial(function, *args, **kwargs))

    def unregister(self, function: Callable[..., Any]) -> None:
        """As `atexit.unregister`."""
        self._functions = [one for one in self._functions if one.func != function]  # type: ignore[attr-defined]

    def clear(self) -> None:
        """As `atexit._clear`."""
        self._functions.clear()

    def add_finalizer(self, finalizer: weakref.finalize[Any, Any]) -> None:
        """Let it run at the end of the program, if its object lives so long."""
        self._finalizers.append(finalizer)

    def run(self) -> None:
        """Call them, the newest first. What one raises is shown, and the next one is called."""
        while self._functions:
            _call(self._functions.pop())
        while self._finalizers:
            finalizer = self._finalizers.pop()
            if finalizer.alive and finalizer.atexit:
                _call(finalizer)

    def forget(self) -> None:
        """Forget all functions, because the process has ended; none of them is called."""
        self._functions.clear()
        while self._finalizers:
            self._finalizers.pop().detach()


# The first finalizer of an interpreter registers all of them with `atexit`: not to happen in a process.
weakref.finalize(ExitFunctions, int).detach()


def _call(function: Callable[[], object]) -> None:
    try:
        function()
    except Exception as error:
        sys.unraisablehook(
            SimpleNamespace(
                exc_type=type(error),
                exc_value=error,
                exc_traceback=error.__traceback__,
                err_msg="Exception ignored in a function that is called at exit",
                object=function,
            )
        )


def replacements(simulated: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """The replacements for functions of `atexit` and `weakref`; `sandbox.py` installs them."""

    def register(process: Resident, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        process.exit_functions.register(function, args, kwargs)
        return function

    yield atexit, "register", simulated(atexit.register, register)
    for name, ours in (
        ("unregister", lambda process, function: process.exit_functions.unregister(function)),
        ("_clear", lambda process: process.exit_functions.clear()),
        ("_run_exitfuncs", lambda process: process.exit_functions.run()),
    ):
        yield atexit, name, simulated(getattr(atexit, name), ours)
    kind: Any = weakref.finalize
    real = kind.__init__

    def make(process: Resident, finalizer: Any, *args: Any, **kwargs: Any) -> None:
        real(finalizer, *args, **kwargs)
        process.exit_functions.add_finalizer(finalizer)

    answer = simulated(real, make)

    def init(*args: Any, **kwargs: Any) -> None:
        answer(*args, **kwargs)

    yield kind, "__init__", init
