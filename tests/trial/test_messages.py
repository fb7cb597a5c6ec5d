from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.history import History, Trace
from ostrakon.harness.history.message import Message, read_messages
from ostrakon.harness.messages import message_in_words
from ostrakon.harness.plan import Plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.requirements import BadWorkload
from ostrakon.harness.resolution import resolve
from ostrakon.harness.simulation import simulate
from ostrakon.harness.store import RunFolder, Store
from ostrakon.harness.substrates.framing import LengthPrefixed
from ostrakon.harness.trial import Trial, run
from ostrakon.harness.workload import Workload
from tests.trial.toy import plan, toy


def _failed(tmp_path: Path, **fields: Any) -> tuple[Trial, tuple[Message, ...]]:
    def check(plan: Plan, history: History, trace: Trace) -> Verdict:
        return Verdict.of([Anomaly("wrong", "for the test", tuple(history)[:2])])

    workload = toy(check=check)
    trial = run(plan(workload, **fields), workload=workload, store=Store(tmp_path), report=True)
    assert trial.folder is not None
    return trial, read_messages(trial.folder / "messages.jsonl")


def test_the_page_of_a_failed_trial_has_every_message_of_clients_and_nodes(tmp_path: Path) -> None:
    trial, messages = _failed(tmp_path)

    asked = [message for message in messages if message.sender == "clients"]
    answered = [message for message in messages if message.sender == "n1"]
    assert {message.text for message in asked} == {"?"}
    assert {message.text for message in answered} == {"ok"}
    assert len(asked) == len(answered) == 20
    assert [message.sent for message in messages] == sorted(message.sent for message in messages)
    assert trial.digest == run(trial.plan, workload=toy()).digest


def test_recording_messages_changes_nothing_that_happens() -> None:
    workload = find_workload("decree")
    resolved = resolve(plan_for(workload, seed=3, nemesis="partition,kill,drop"), workload)
    seen: list[object] = []

    plain, recorded = simulate(resolved), simulate(resolved, every_message=seen.append)

    assert recorded.digest == plain.digest
    assert recorded.network == plain.network
    assert len(seen) > plain.network["messages"], "messages of clients are seen, too"


def test_a_message_that_did_not_arrive_is_kept_without_a_time_of_arrival(tmp_path: Path) -> None:
    _, messages = _failed(tmp_path, nemesis="power_loss", time_limit_s=6.0)

    assert any(message.received is None for message in messages)


def test_a_valid_trial_is_not_run_once_more_for_its_messages(tmp_path: Path) -> None:
    workload = toy()

    trial = run(plan(workload), workload=workload, store=Store(tmp_path), report=True)

    assert trial.folder is not None
    assert not (trial.folder / "messages.jsonl").exists()


def test_a_thin_run_folder_has_no_messages(tmp_path: Path) -> None:
    trial, _ = _failed(tmp_path)
    assert trial.folder is not None

    RunFolder(trial.folder).thin()

    assert not (trial.folder / "messages.jsonl").exists()


def test_a_frame_between_nodes_is_described_without_what_frames_it() -> None:
    workload = _described(lambda payload: f"<{payload.decode()}>")

    between = message_in_words(workload, {"n1", "n2"}, ("n1", "n2"), b"\x00\x00\x00\x02ok", (1, 2))
    asked = message_in_words(workload, {"n1", "n2"}, ("control", "n2"), b"read", (1, None))

    assert between == Message("n1", "n2", 1, 2, 6, "<ok>")
    assert asked == Message("clients", "n2", 1, None, 4, "<read>")


def test_a_describe_that_is_no_function_is_refused() -> None:
    workload = _described("json")

    with pytest.raises(BadWorkload, match="describe is 'json', expected a function"):
        run(plan(workload), workload=workload)


def _described(describe: Any) -> Workload:
    import dataclasses

    return dataclasses.replace(toy(), framing=LengthPrefixed(), describe=describe)


def test_a_plan_whose_workload_is_not_to_be_found_has_a_page_without_messages(tmp_path: Path) -> None:
    from ostrakon.harness.messages import keep_messages

    trial, _ = _failed(tmp_path)
    assert trial.folder is not None
    (trial.folder / "messages.jsonl").unlink()
    folder = Store(tmp_path).create(replace(trial.plan, workload="elsewhere", source=""), "moved")
    folder.write_results({"valid": False, "wall_s": 0.1})
    (folder.path / "trace.jsonl").write_bytes(b"")

    keep_messages(folder)

    assert not (folder.path / "messages.jsonl").exists()
