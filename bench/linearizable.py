"""How long the linearizability checker takes, after loading, beside a plain Wing-Gong-Lowe search.

python -m bench.linearizable [--beside CHECKOUT] [PART OF A NAME ...]

`--beside` names the checkout of another version, with an environment of its own in `.venv`: what has no plain
search to stand beside is judged by both, one after the other, in the same run.

Times are CPU seconds, the least of three runs; they include the replay of what was found, or the minimal core
and its confirmation.
"""

from __future__ import annotations

import gc
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ostrakon.checkers import linearizable
from ostrakon.checkers.linearizability import wing_gong_lowe
from ostrakon.checkers.linearizability.fabrication import EXEMPLARS, Choose, Exemplar, fabricate
from ostrakon.checkers.linearizability.parts import parts_of
from ostrakon.checkers.linearizability.zone_watch import ZoneWatch
from ostrakon.checkers.models import named
from ostrakon.checkers.models.model import operations
from ostrakon.harness.history import FailMeans, Journal, Op, read_any, read_columns
from ostrakon.harness.history.columns import Columns

REFEREE_STEPS = 300_000
KNOSSOS = Path(__file__).parents[2] / "shared" / "data" / "histories" / "knossos" / "cas-register"


@dataclass(frozen=True)
class Case:
    """A history to fabricate, and what is to be reached with it."""

    name: str
    exemplar: Exemplar
    operations: int
    clients: int
    seconds: float
    unknown: float = 0.0
    stale: float = 0.0
    fail_means: FailMeans = "compared unequal"


def append_kv() -> Exemplar:
    """Ten live keys, each of which is retired after some 64 appends."""
    inner = EXEMPLARS["kv"]

    def ask(choose: Choose, serial: int) -> tuple[str, Any]:
        key = f"{choose(10)} of batch {serial // 1280}"
        return ("get", [key, None]) if choose(2) else ("append", [key, f"x{serial}y"])

    return Exemplar("kv", {}, ask, inner.answer)


UNIQUE, FEW = EXEMPLARS["register, unique values"], EXEMPLARS["cas-register"]
CASES = [
    Case("unique register 100k c5", UNIQUE, 100_000, 5, 0.025),
    Case("unique register 100k c5 1% unknown", UNIQUE, 100_000, 5, 0.025, unknown=0.01),
    Case("unique register 100k c50 1% unknown", UNIQUE, 100_000, 50, 0.025, unknown=0.01),
    Case("unique register 1M c50 1% unknown", UNIQUE, 1_000_000, 50, 0.3, unknown=0.01),
    Case("cas-register of 5 values 100k c5", FEW, 100_000, 5, 1.0),
    Case("cas-register of 5 values 10k c50 1% unknown", FEW, 10_000, 50, 1.0, unknown=0.01),
    Case("cas-register of 5 values 10k c10, stale answers", FEW, 10_000, 10, 0.3, stale=0.01),
    Case("append-kv 100k c50", append_kv(), 100_000, 50, 0.25),
    Case("append-kv 100k c50 1% unknown", append_kv(), 100_000, 50, 0.25, unknown=0.01),
]  # fmt: skip


def measure(case: Case) -> None:
    """Fabricate, check three times, and let the referee try."""
    history = fabricate(
        case.exemplar, _chooser(1), operations=case.operations, clients=case.clients,
        unknown=case.unknown, stale=case.stale,
    )  # fmt: skip
    columns = history.columns
    del history
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = case.exemplar.model
    verdict, seconds = _least(lambda: linearizable(columns, model, fail_means=case.fail_means))
    megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(
        f"{case.name:60} {verdict.valid:8} {seconds:8.4f} s (to reach {case.seconds} s)  +{megabytes} MB  "
        f"{verdict.details['methods']} {verdict.details['nodes']} nodes;  plain: {_plain(columns, case)}",
        flush=True,
    )


def _chooser(seed: int) -> Choose:
    """Like `randrange` of a generator with this seed, and quicker."""
    draw = random.Random(seed).random
    return lambda below: int(draw() * below)


def _least(check: Callable[[], Any]) -> tuple[Any, float]:
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        result = check()
        seconds.append(time.process_time() - begun)
    return result, min(seconds)


def _plain(columns: Columns, case: Case) -> str:
    model = named(case.exemplar.model)
    begun, steps = time.process_time(), 0
    parts = parts_of(columns, model, case.fail_means)
    for rows in parts.rows():
        if len(rows) > 20_000:
            return "not attempted, its memory grows with the square of the operations"
        refereed = wing_gong_lowe(
            list(operations(parts.columns.take(rows))), model, max_steps=REFEREE_STEPS - steps
        )
        steps += refereed.steps
        if refereed.linearizable is None:
            return f"undecided after {REFEREE_STEPS:,} steps, {time.process_time() - begun:.2f} s"
        if not refereed.linearizable:
            break
    return f"{time.process_time() - begun:.2f} s, {steps:,} steps"


def measure_recorded() -> None:
    """All recorded registers, from text to verdict."""
    if not KNOSSOS.is_dir():
        print(f"no recorded histories in {KNOSSOS}")
        return
    files = sorted(KNOSSOS.glob("*/*.edn"))
    _, reading = _least(lambda: [read_any(path) for path in files])
    right, both = _least(lambda: sum(_is_right(path) for path in files))
    print(f"{f'recorded registers: {right} of {len(files)} right':60} {both:8.4f} s (to reach 0.3 s): "
          f"{reading:.4f} reading, {both - reading:.4f} checking", flush=True)  # fmt: skip


def _is_right(path: Path) -> bool:
    verdict = linearizable(read_any(path).history, "cas-register")
    return (verdict.valid == "valid") == ("good" in path.parts)


def measure_loading(ops: int = 1_000_000) -> None:
    """A million ops from our JSONL."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        with Journal(path, flush_every=10_000) as journal:
            for op in fabricate(UNIQUE, _chooser(1), operations=ops // 2, clients=5):
                journal.write(op)
        columns, seconds = _least(lambda: read_columns(path))
    print(
        f"{f'load {ops:,} ops, {len(columns):,} operations':60} {seconds:8.4f} s (to reach 2 s)", flush=True
    )


def measure_command() -> None:
    """From the start of a process to the verdict on a file of 100 ops."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        with Journal(path) as journal:
            for op in fabricate(FEW, _chooser(1), operations=50, clients=5):
                journal.write(op)
        script = (
            "from ostrakon.harness.history import read_any; from ostrakon.checkers import linearizable; "
            f"print(linearizable(read_any({json.dumps(str(path))}).history, 'cas-register').valid)"
        )

        def run() -> float:
            begun = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
            ended = resource.getrusage(resource.RUSAGE_CHILDREN)
            return ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime

        seconds = min(run() for _ in range(5))
    print(f"{'start-up to verdict on 100 ops':60} {seconds:8.4f} s (to reach 0.35 s)", flush=True)


def measure_online() -> None:
    """Zones of unique values, kept up op by op."""
    for clients in (5, 50):
        history = fabricate(UNIQUE, _chooser(1), operations=100_000, clients=clients, unknown=0.01)
        ops = list(history)

        def watch(ops: list[Op] = ops) -> None:
            zones = ZoneWatch()
            assert not any(map(zones.op, ops)), "a linearizable history raised an alarm"

        _, seconds = _least(watch)
        rate = len(ops) / 2 / seconds
        print(
            f"{f'online, unique register 100k c{clients} 1% unknown':60} {rate:,.0f} operations/s", flush=True
        )


@dataclass(frozen=True)
class Few:
    """A collection of few values, which comes in several histories."""

    name: str
    exemplar: Exemplar
    operations: int
    clients: int
    stale: float = 0.0
    histories: int = 4

    def write(self, folder: Path) -> list[Path]:
        """The histories as files."""
        paths = [folder / f"{number}.jsonl" for number in range(self.histories)]
        for seed, path in enumerate(paths):
            with Journal(path, flush_every=1_000) as journal:
                for op in fabricate(
                    self.exemplar, _chooser(seed), operations=self.operations, clients=self.clients,
                    stale=self.stale,
                ):  # fmt: skip
                    journal.write(op)
        return paths


def of_few(name: str, values: int) -> Exemplar:
    """An object that is asked for the same few values again and again."""
    inner = EXEMPLARS[name]

    def ask(choose: Choose, serial: int) -> tuple[str, Any]:
        f, argument = inner.ask(choose, serial)
        return f, None if argument is None else choose(values)

    return Exemplar(inner.model, inner.initial, ask, inner.answer)


FEW_VALUES = [
    Few("stack of 3 values 300 c5", of_few("stack", 3), 300, 5),
    Few("stack of 3 values 300 c5, stale answers", of_few("stack", 3), 300, 5, stale=0.01),
    Few("queue of 3 values 300 c10", of_few("fifo-queue", 3), 300, 10),
    Few("set of 10 elements 300 c20", of_few("set", 10), 300, 20),
    Few("set of 30 elements 1k c30", of_few("set", 30), 1_000, 30),
    Few("tiny registers, 8 operations", EXEMPLARS["cas-register"], 8, 3, histories=2_000),
    Few("tiny queues, 8 operations", EXEMPLARS["fifo-queue"], 8, 3, histories=2_000),
]

_JUDGE: Final = """
import collections, json, resource, sys, time
try:
    from ostrakon.checkers import linearizable
    from ostrakon.harness.history import read_any
except ImportError:  # Versions before there was one package.
    from checkers import linearizable
    from harness.history import read_any
model, *files = json.loads(sys.argv[1])
histories = [read_any(file).history for file in files]
linearizable(histories[0], model)
begun, verdicts = time.process_time(), collections.Counter(linearizable(h, model).valid for h in histories)
seconds = (time.process_time() - begun) / len(histories)
print(json.dumps([seconds, verdicts, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024]))
"""


def measure_few(case: Few, beside: Path | None) -> None:
    """Judge the histories of a case in a process of their own, by this version and by another."""
    with tempfile.TemporaryDirectory() as folder:
        asked = json.dumps([case.exemplar.model, *map(str, case.write(Path(folder)))])
        found = [_judged(sys.executable, asked, Path.cwd())]
        if beside is not None:
            found.append(_judged(str(beside / ".venv/bin/python"), asked, beside))
    print(f"{case.name:60} {'; beside it '.join(found)}", flush=True)


def _judged(python: str, asked: str, folder: Path) -> str:
    done = subprocess.run([python, "-c", _JUDGE, asked], check=True, capture_output=True, cwd=folder)
    seconds, verdicts, megabytes = json.loads(done.stdout)
    return f"{seconds:9.5f} s each, {megabytes} MB, {verdicts}"


def main(wanted: list[str]) -> None:
    """Measure what is wanted, or everything."""
    beside = Path(wanted.pop(wanted.index("--beside") + 1)).resolve() if "--beside" in wanted else None
    wanted = [part for part in wanted if part != "--beside"]
    for name, each in (
        ("load", measure_loading),
        ("recorded", measure_recorded),
        ("start-up", measure_command),
        ("online", measure_online),
    ):
        if not wanted or any(part in name for part in wanted):
            each()
    for case in CASES:
        if not wanted or any(part in case.name for part in wanted):
            measure(case)
    for few in FEW_VALUES:
        if not wanted or any(part in few.name for part in wanted):
            measure_few(few, beside)


if __name__ == "__main__":
    main(sys.argv[1:])
