"""Coroutines run on the event heap, in virtual time, and can be ended where they wait."""

from __future__ import annotations

from ostrakon.harness.model.heap import Heap
from ostrakon.harness.model.task import Future, HeapEvent, Sleep, Task


def test_a_task_sleeps_in_the_time_of_the_heap() -> None:
    heap, seen = Heap(), list[int]()

    async def work() -> str:
        for _ in range(2):
            await Sleep(5)
            seen.append(heap.now_ns)
        return "done"

    ended: list[tuple[str | None, Exception | None]] = []
    Task(work(), heap.call_in, lambda *end: ended.append(end))
    heap.run(100)

    assert seen == [5, 10]
    assert ended == [("done", None)]


def test_a_future_gives_its_first_value_and_no_other() -> None:
    heap, future, got = Heap(), Future[str](), list[str]()

    async def work() -> None:
        got.append(await future)

    Task(work(), heap.call_in, lambda *end: None)
    heap.call_in(3, future.set, "first")
    heap.call_in(4, future.set, "second")
    heap.run(100)

    assert got == ["first"]


def test_an_error_ends_a_task_and_is_told() -> None:
    ended: list[Exception | None] = []

    async def work() -> None:
        raise ValueError("no")

    task = Task(work(), Heap().call_in, lambda _, error: ended.append(error))

    assert task.is_over
    assert repr(ended) == "[ValueError('no')]"


def test_a_task_that_is_cancelled_unwinds_and_does_not_end() -> None:
    heap, told = Heap(), list[str]()

    async def work() -> None:
        try:
            await Sleep(5)
            told.append("went on")
        finally:
            told.append("unwound")

    task = Task(work(), heap.call_in, lambda *end: told.append("ended"))
    task.cancel()
    heap.run(100)

    assert told == ["unwound"]


def test_a_task_may_cancel_itself() -> None:
    heap, told = Heap(), list[str]()
    tasks: list[Task[None]] = []

    async def work() -> None:
        await Sleep(1)
        tasks[0].cancel()
        await Sleep(1)
        told.append("went on")

    tasks.append(Task(work(), heap.call_in, lambda *end: told.append("ended")))
    heap.run(100)

    assert told == []


def test_who_waits_for_an_event_goes_on_after_it_was_set() -> None:
    heap, told = Heap(), list[str]()
    event = HeapEvent(heap.call_in)

    async def wait(name: str) -> None:
        await event.wait()
        told.append(name)

    for name in ("one", "other"):
        Task(wait(name), heap.call_in, lambda *end: None)
    event.set()
    assert told == []
    heap.run(100)

    assert told == ["one", "other"]
