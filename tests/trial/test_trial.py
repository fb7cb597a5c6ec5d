from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.commands.outcome import story
from ostrakon.harness.history import Op
from ostrakon.harness.plan import BadPlan, Fault
from ostrakon.harness.requirements import BadWorkload
from ostrakon.harness.store import RunFolder, Store
from ostrakon.harness.trial import run
from ostrakon.harness.workload import Client, Site
from tests.trial.toy import PORT, answer, plan, toy


def test_a_system_that_does_its_work_is_valid() -> None:
    workload = toy()

    trial = run(plan(workload), workload=workload)

    assert trial.valid == "valid"
    assert trial.reason == ""
    assert sum(op.type == "ok" for op in trial.history) == 20


def test_a_node_that_crashes_by_itself_fails_the_trial_with_its_traceback() -> None:
    async def crash_soon(site: Site) -> None:
        with trio.move_on_after(0.5):
            await answer(site)
        raise ZeroDivisionError("one too many")

    workload = toy(crash_soon)

    trial = run(plan(workload), workload=workload)

    assert trial.valid == "invalid"
    assert trial.reason.startswith("node crashed")
    assert "ZeroDivisionError: one too many" in trial.why
    assert "crash_soon" in trial.results()["crashes"][0]["traceback"]


def test_a_client_at_fault_is_never_taken_for_a_fault_of_the_system() -> None:
    class Clumsy:
        async def apply(self, op: Op) -> Op:
            raise KeyError("typo")

    @asynccontextmanager
    async def connect(site: Site, process: int) -> AsyncIterator[Client]:
        yield Clumsy()

    workload = toy(asker=connect)

    trial = run(plan(workload), workload=workload)

    assert trial.valid == "unknown"
    assert "client crashed" in trial.reason
    assert trial.why.endswith("KeyError: 'typo'"), "a sentence, no traceback"
    told = "\n".join(story(trial))
    assert told.count("Traceback (most recent call last)") == 1
    assert "in apply" in told


def test_a_checker_that_crashes_leaves_the_trial_unknown() -> None:
    workload = toy(check=lambda plan, history, trace: Verdict.of([][0]))

    trial = run(plan(workload), workload=workload)

    assert trial.valid == "unknown"
    assert "crashed: IndexError" in trial.why


def test_a_checker_that_returns_no_verdict_leaves_the_trial_unknown() -> None:
    workload = toy(check=lambda plan, history, trace: None)  # type: ignore[arg-type, return-value]

    trial = run(plan(workload), workload=workload)

    assert trial.valid == "unknown"
    told = f": the checkers of {workload.name!r} must return a Verdict, and returned None"
    assert trial.why.endswith(told)


def test_a_trial_without_progress_ends_and_tells_who_waits_for_what() -> None:
    async def never(site: Site) -> None:
        await trio.serve_tcp(lambda stream: trio.sleep_forever(), PORT)

    @asynccontextmanager
    async def stubborn(site: Site, process: int) -> AsyncIterator[Client]:
        class Waiting:
            async def apply(self, op: Op) -> Op:
                with trio.CancelScope(shield=True):
                    await trio.sleep(10_000)
                return op.ok()

        yield Waiting()

    workload = toy(never, asker=stubborn)

    trial = run(plan(workload), workload=workload)

    assert trial.valid == "unknown"
    assert trial.reason.startswith("no progress")
    assert "who waits for what" in trial.why
    assert "control" in trial.why, "it does not name the process that waits"


def test_a_fault_that_was_asked_for_and_changed_nothing_leaves_the_trial_unknown() -> None:
    workload = toy()
    inert = Fault("partition", at_ms=10, for_ms=50, grudge={"n1": ()})

    trial = run(plan(workload, faults=(inert,)), workload=workload)

    assert trial.valid == "unknown"
    assert trial.why == "the fault partition was asked for and changed nothing: it cut no link"
    assert trial.effects[0]["inert"] is True


def test_a_fault_that_has_an_effect_says_what() -> None:
    workload = toy()

    trial = run(plan(workload, faults=(Fault("pause", 100, 300, nodes=("n1",)),)), workload=workload)

    assert trial.valid == "valid"
    assert trial.effects[0] == {
        "fault": 0, "kind": "pause", "messages": 0, "stopped": ["n1"], "inert": False,
    }  # fmt: skip


def test_no_success_is_no_pass() -> None:
    async def deaf(site: Site) -> None:
        await trio.sleep_forever()

    workload = toy(deaf)

    trial = run(plan(workload), workload=workload)

    assert trial.valid == "unknown"
    assert "ask never succeeded in" in trial.why


def test_the_worst_of_checkers_and_harness_is_the_verdict() -> None:
    anomaly = Anomaly("seen it", "because", property="P0")

    async def crash(site: Site) -> None:
        raise RuntimeError("boom")

    workload = toy(crash, check=lambda plan, history, trace: Verdict.of([anomaly]))

    trial = run(plan(workload), workload=workload)

    assert trial.valid == "invalid"
    assert re.fullmatch(r"node crashed: RuntimeError at \S+test_trial.py:\d+ · P0 seen it", trial.reason)
    assert trial.why.endswith(": n1 failed by itself: RuntimeError: boom")


def test_everything_is_kept_in_the_run_folder(tmp_path: Path) -> None:
    workload = toy()
    asked = plan(workload)

    trial = run(asked, workload=workload, store=Store(tmp_path), name="here", report=True)

    folder = RunFolder(tmp_path / "toy" / "here")
    assert trial.folder == folder.path
    assert folder.plan == asked
    assert folder.history == trial.history
    assert folder.trace == trial.trace
    assert folder.results["valid"] is True
    assert "<title>" in (folder.path / "report.html").read_text()
    assert Store(tmp_path).latest() == RunFolder(folder.path.resolve())


def test_what_was_recorded_outlives_a_harness_that_fails_half_way(tmp_path: Path) -> None:
    def fail(plan: object, rng: object) -> object:
        from ostrakon.harness.generator import numbered

        return numbered(lambda n: Broken.next_op(n))  # type: ignore[arg-type, return-value]

    class Broken:
        @staticmethod
        def next_op(n: int) -> object:
            from ostrakon.harness.generator import OpRequest

            if n == 5:
                raise RuntimeError("the generator is broken")
            return OpRequest("ask")

    workload = dataclasses.replace(toy(), generator=fail)  # type: ignore[arg-type]

    with pytest.raises(
        BadWorkload, match=r"test_trial.py:\d+: the generator of 'toy' .*the generator is broken"
    ):
        run(plan(workload), workload=workload, store=Store(tmp_path), name="here")

    assert len(RunFolder(tmp_path / "toy" / "here").history) >= 4


def test_an_unknown_substrate_is_refused_with_a_sentence() -> None:
    workload = toy()

    with pytest.raises(BadPlan, match="live"):
        run(plan(workload, substrate="live"), workload=workload)


def test_a_client_at_fault_convicts_nobody_even_if_a_checker_would() -> None:
    class Liar:
        async def apply(self, op: Op) -> Op:
            raise TypeError("typo")

    @asynccontextmanager
    async def connect(site: Site, process: int) -> AsyncIterator[Client]:
        yield Liar()

    found = Verdict.of([Anomaly("seen it", "because")])
    workload = toy(asker=connect, check=lambda plan, history, trace: found)

    assert run(plan(workload), workload=workload).valid == "unknown"


def test_no_success_is_no_pass_whatever_the_checkers_say() -> None:
    async def deaf(site: Site) -> None:
        await trio.sleep_forever()

    workload = toy(deaf, check=lambda plan, history, trace: Verdict.passed())

    trial = run(plan(workload), workload=workload)

    assert trial.valid == "unknown"
    assert trial.why.startswith("ask never succeeded in")


def test_what_cannot_be_simulated_is_not_blamed_on_the_program() -> None:
    async def forking(site: Site) -> None:
        os.fork()

    workload = toy(forking)

    trial = run(plan(workload), workload=workload)

    assert trial.valid == "unknown"
    assert "n1 did what cannot be simulated" in trial.why


def test_a_crash_in_a_nursery_is_named_by_what_was_raised() -> None:
    async def crash(site: Site) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer, site)
            await trio.sleep(0.2)
            raise KeyError("lost")

    workload = toy(crash)

    assert run(plan(workload), workload=workload).why.endswith(": n1 failed by itself: KeyError: 'lost'")


def test_a_program_that_will_not_end_does_not_cost_the_trial_its_verdict() -> None:
    async def stubborn(site: Site) -> None:
        try:
            await answer(site)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()

    workload = toy(stubborn)

    trial = run(plan(workload), workload=workload)

    assert trial.valid == "unknown"
    assert trial.reason.startswith("does not end")
