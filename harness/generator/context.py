"""The context of a generator: the time, and the threads and processes that are free."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from ostrakon.harness.history import NEMESIS, Process

Thread = Process
"""A client thread, counted from 0, or the nemesis.

A thread acts as one process at a time. When an op of its process ends as `info`, that process never acts
again and the thread continues as a new process: thread t of n acts as process t, t + n, t + 2n, ...
"""


class Context(msgspec.Struct, frozen=True, gc=False):
    """A moment of a trial, as a generator sees it."""

    time_ns: int
    """Nanoseconds since the generator began."""
    processes: tuple[int, ...]
    """The process that each client thread acts as."""
    threads: tuple[Thread, ...]
    """The threads that a generator may use."""
    free: tuple[Thread, ...]
    """The idle threads; the one that has been idle longest is first, so that taking the first is fair."""

    @classmethod
    def start(cls, concurrency: int, *, nemesis: bool = False) -> Context:
        """The first moment of a trial, when all threads are idle."""
        clients = tuple(range(concurrency))
        threads: tuple[Thread, ...] = (*clients, NEMESIS) if nemesis else clients
        return cls(0, clients, threads, threads)

    @property
    def concurrency(self) -> int:
        """The number of client threads."""
        return len(self.processes)

    @property
    def all_free(self) -> bool:
        """Whether all threads are idle."""
        return len(self.free) == len(self.threads)

    def process_of(self, thread: Thread) -> Process:
        """The process that a thread acts as now."""
        return NEMESIS if thread == NEMESIS else self.processes[thread]

    def thread_of(self, process: Process) -> Thread:
        """The thread that acts, or acted, as a process."""
        return thread_of(process, self.concurrency)

    def is_free(self, process: Process) -> bool:
        """Whether a process can act now; a process with an op that ended as `info` never can."""
        thread = self.thread_of(process)
        return thread in self.free and self.process_of(thread) == process

    def is_busy(self, process: Process) -> bool:
        """Whether a process has an op in flight."""
        thread = self.thread_of(process)
        return thread not in self.free and self.process_of(thread) == process

    def at(self, time_ns: int) -> Context:
        """This context at another time."""
        return Context(time_ns, self.processes, self.threads, self.free)

    def busy(self, thread: Thread) -> Context:
        """The context after a thread has begun an op."""
        free = tuple([idle for idle in self.free if idle != thread])
        return Context(self.time_ns, self.processes, self.threads, free)

    def idle(self, thread: Thread) -> Context:
        """The context after a thread has ended its op."""
        return Context(self.time_ns, self.processes, self.threads, (*self.free, thread))

    def succeeded(self, thread: Thread) -> Context:
        """The context after an op ended as `info`: the client thread continues as a new process."""
        assert thread != NEMESIS, "the nemesis has one process for ever"
        processes = list(self.processes)
        processes[thread] += self.concurrency
        return Context(self.time_ns, tuple(processes), self.threads, self.free)

    def only(self, threads: Collection[Thread]) -> Context:
        """The context of a generator that may use only these threads, a part of `threads`."""
        if len(threads) == len(self.threads):
            return self
        return Context(
            self.time_ns,
            self.processes,
            tuple([thread for thread in self.threads if thread in threads]),
            tuple([thread for thread in self.free if thread in threads]),
        )


def thread_of(process: Process, concurrency: int) -> Thread:
    """The thread that a process belongs to, of `concurrency` client threads."""
    return NEMESIS if process == NEMESIS else process % concurrency
