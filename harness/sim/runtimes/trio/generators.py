"""The async generators of simulated processes: each belongs to the run that first iterated it.

Python has one pair of hooks for async generators in a thread, and a world has many runs in one. Ours stand in
for all of them and ask the run at work for its own, which are Trio's.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

import trio._core._asyncgens as _asyncgens
import trio._core._run as _run

_CONTEXT: Any = _run.GLOBAL_RUN_CONTEXT
_Hooks = tuple[Any, Any]
_outer_hooks: _Hooks = (None, None)
"""The hooks of whoever runs the world."""
others_hooks: _Hooks | None = None
"""The hooks of the event loop that is at work and is none of Trio's."""
_owners: dict[int, _Hooks] = {}
"""The hooks of the run that each async generator was first iterated in, by its id."""


class AsyncGenerators(_asyncgens.AsyncGenerators):
    """Trio's, which begin to exist when the first one is iterated."""

    __slots__ = ("hooks",)

    def __init__(self) -> None:
        super().__init__(alive=set())  # Trio's would be weak, which takes longer to make than all the rest.
        self.hooks: _Hooks | None = None
        """This run's own; None as long as its program has not iterated any."""

    def hooks_of(self, runner: Any) -> _Hooks:
        """This run's own, which are made if need be."""
        if self.hooks is None:
            self.alive = weakref.WeakSet()
            shared = sys.get_asyncgen_hooks()
            sys.set_asyncgen_hooks(*_outer_hooks)
            self.install_hooks(runner)
            # Not as `sys` hands them out: Python's garbage collector does not look inside of that.
            first_iteration, finalize = sys.get_asyncgen_hooks()
            self.hooks = first_iteration, finalize
            sys.set_asyncgen_hooks(*shared)
        return self.hooks

    def close(self) -> None:
        """Forget them; the hooks of the thread stay as they are."""
        if self.hooks is not None:
            forget_hooks(self.hooks)


def forget_hooks(hooks: _Hooks) -> None:
    """An event loop has ended, and with it what it keeps of async generators."""
    for generator in [generator for generator, owner in _owners.items() if owner is hooks]:
        del _owners[generator]


@contextmanager
def generators_apart() -> Iterator[None]:
    """Let every run look after its own async generators, and no run after those that surround it."""
    global _outer_hooks
    outer, here = _outer_hooks, sys.get_asyncgen_hooks()
    _outer_hooks = here.firstiter, here.finalizer
    sys.set_asyncgen_hooks(_first_iteration, _finalize)
    try:
        yield
    finally:
        _outer_hooks = outer
        sys.set_asyncgen_hooks(*here)


def _first_iteration(generator: AsyncGenerator[Any, Any]) -> None:
    runner = _CONTEXT.__dict__.get("runner")
    hooks = runner.asyncgens.hooks_of(runner) if runner is not None else others_hooks or _outer_hooks
    _owners[id(generator)] = hooks
    if hooks[0] is not None:
        hooks[0](generator)


def _finalize(generator: AsyncGenerator[Any, Any]) -> None:
    _, finalize = _owners.pop(id(generator), _outer_hooks)
    if finalize is not None:
        finalize(generator)
