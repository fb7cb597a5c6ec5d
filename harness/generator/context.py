"""What a generator may know of the world: the time, and who is free to act."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from ostrakon.harness.history import NEMESIS, Process

Thread = Process
"""One line of activity: a client, counted from 0, or the nemesis.

A thread acts as one process at a time. When its process meets silence, that process never acts again and
the thread goes on as the next one: thread t of n acts as process t, t + n, t + 2n, ...
"""


class Context(msgspec.Struct, frozen=True, gc=False):
    """A moment of a trial, as a generator sees it."""

    time_ns: int
    """Nanoseconds since the generator was begun."""
    processes: tuple[int, ...]
    """The process that each client thread acts as."""
    threads: tuple[Thread, ...]
    """The threads that a generator may use."""
    free: tuple[Thread, ...]
    """Those of them that are idle, the longest idle first: taking the first is fair to all."""

    @classmethod
    def start(cls, concurrency: int, *, nemesis: bool = False) -> Context:
        """The first moment: everyone is idle."""
        clients = tuple(range(concurrency))
        threads: tuple[Thread, ...] = (*clients, NEMESIS) if nemesis else clients
        return cls(0, clients, threads, threads)

    @property
    def concurrency(self) -> int:
        """How many client threads there are."""
        return len(self.processes)

    @property
    def all_free(self) -> bool:
        """Whether nobody is busy."""
        return len(self.free) == len(self.threads)

    def process_of(self, thread: Thread) -> Process:
        """The process that a thread acts as now."""
        return NEMESIS if thread == NEMESIS else self.processes[thread]

    def thread_of(self, process: Process) -> Thread:
        """The thread that a process belongs, or belonged, to."""
        return thread_of(process, self.concurrency)

    def is_free(self, process: Process) -> bool:
        """Whether a process could act now; one that met silence never can."""
        thread = self.thread_of(process)
        return thread in self.free and self.process_of(thread) == process

    def is_busy(self, process: Process) -> bool:
        """Whether a process is doing something now."""
        thread = self.thread_of(process)
        return thread not in self.free and self.process_of(thread) == process

    def at(self, time_ns: int) -> Context:
        """The same, at another time."""
        return Context(time_ns, self.processes, self.threads, self.free)

    def busy(self, thread: Thread) -> Context:
        """A thread has begun to do something."""
        free = tuple([idle for idle in self.free if idle != thread])
        return Context(self.time_ns, self.processes, self.threads, free)

    def idle(self, thread: Thread) -> Context:
        """A thread is done with what it did."""
        return Context(self.time_ns, self.processes, self.threads, (*self.free, thread))

    def succeeded(self, thread: Thread) -> Context:
        """A client thread's process met silence, and the thread goes on as another."""
        assert thread != NEMESIS, "the nemesis has one process for ever"
        processes = list(self.processes)
        processes[thread] += self.concurrency
        return Context(self.time_ns, tuple(processes), self.threads, self.free)

    def only(self, threads: Collection[Thread]) -> Context:
        """What a generator sees that may use these threads alone, which are some of its `threads`."""
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
