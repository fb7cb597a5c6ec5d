from __future__ import annotations

from pathlib import Path

from ostrakon.harness.history import Op
from ostrakon.harness.planning import plan_for
from ostrakon.harness.store import RunFolder, Store
from ostrakon.workloads.decree import DECREE

PLAN = plan_for(DECREE, seed=3)


def test_no_run_ever_overwrites_another(tmp_path: Path) -> None:
    store = Store(tmp_path)

    folders = [store.create(PLAN, "seed-3") for _ in range(3)]

    assert [folder.path.name for folder in folders] == ["seed-3", "seed-3-2", "seed-3-3"]
    assert [run.path for run in store.runs()] == [folder.path for folder in folders]


def test_latest_points_to_the_newest_run(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.latest() is None

    store.create(PLAN, "one")
    newest = store.create(PLAN, "two")

    assert store.latest() == RunFolder(newest.path.resolve())
    assert (tmp_path / "latest").readlink() == Path("decree/two")


def test_what_was_written_is_there_before_the_journal_is_closed(tmp_path: Path) -> None:
    folder = Store(tmp_path).create(PLAN, "one")
    history, trace = folder.journals()

    history.write(Op(0, 5, "invoke", 0, "get"))

    assert (folder.path / "history.jsonl").read_bytes().endswith(b'"f":"get","value":null}\n')
    history.close()
    trace.close()


def test_a_thinned_run_keeps_what_a_replay_needs(tmp_path: Path) -> None:
    folder = Store(tmp_path).create(PLAN, "one")
    for journal in folder.journals():
        journal.close()
    folder.write_results({"valid": True})

    folder.thin()

    assert sorted(file.name for file in folder.path.iterdir()) == ["plan.json", "results.json"]
    assert folder.plan == PLAN
