"""The seeded-bug benchmark: hunts and control trials on a pool of workers, and the table they make."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ostrakon.harness.search.conviction import Control, Controlled, Hunt, Hunted, do_job
from ostrakon.harness.search.oracle import Convicted, Oracle, tally
from ostrakon.harness.search.worker import from_fork_server
from ostrakon.harness.search.worker_pool import Done, Failed, WorkerPool


@dataclass(frozen=True, slots=True)
class Row:
    """What the hunts for one bug came to."""

    bug: str
    recipe: str | None
    """The only recipe that was used, if it was one."""
    hunts: int
    convicted: int
    trials: float
    """The median number of trials until convicted, of the hunts that did."""
    cpu_s: float
    """The median CPU time of these."""
    example: Hunted
    """One that convicted, if any did."""
    by_oracle: Mapping[Oracle, Convicted]
    """What the hunts came to by each oracle; they went on for the others only if they were asked to."""

    @property
    def is_convicted(self) -> bool:
        """Whether every hunt found it."""
        return self.convicted == self.hunts


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The outcome."""

    rows: tuple[Row, ...]
    control: Controlled
    failures: tuple[str, ...]
    """What went wrong in the harness itself."""

    @property
    def valid(self) -> str:
        """`invalid` if the correct system was accused, `unknown` if a bug got away, else `valid`."""
        if self.control.alarms:
            return "invalid"
        found = {row.bug for row in self.rows if row.is_convicted}
        return "valid" if all(row.bug in found for row in self.rows) and not self.failures else "unknown"


def run_benchmark(
    jobs: Sequence[Hunt | Control],
    *,
    workers: int,
    note: Callable[[int, int], None] = lambda done, total: None,
    warm: Sequence[str] = (),
    limit_s: float = 900.0,
) -> Benchmark:
    """Do all jobs; `note` is told how many are done, of how many."""
    waiting = deque(jobs)
    hunted: list[Hunted] = []
    controlled = Controlled()
    failures: list[str] = []
    with WorkerPool[Hunt | Control, Hunted | Controlled](
        do_job,
        min(workers, len(jobs)),
        start=from_fork_server(("ostrakon.harness.search.conviction", *warm)),
        limit_s=limit_s,
    ) as pool:
        while waiting or pool.pending:
            while waiting and pool.room:
                pool.give(waiting.popleft())
            for answer in pool.wait(0.5):
                match answer:
                    case Done(_, Hunted() as result):
                        hunted.append(result)
                    case Done(_, Controlled() as part):
                        controlled += part
                    case Failed(job, _, why):
                        failures.append(f"{job.swarm.bug or 'the correct system'}: {why}")
            note(len(jobs) - len(waiting) - pool.pending, len(jobs))
    kinds = dict.fromkeys((job.swarm.bug, job.swarm.recipe) for job in jobs if isinstance(job, Hunt))
    rows = [_row([hunt for hunt in hunted if (hunt.bug, hunt.only) == kind]) for kind in kinds]
    return Benchmark(tuple(row for row in rows if row is not None), controlled, tuple(failures))


def to_json(benchmark: Benchmark, expected: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """The outcome as plain data; `expected` says which properties may convict each bug."""
    from ostrakon.harness.history.verdict import as_json
    from ostrakon.harness.search.summary import replay_line

    return {
        "valid": as_json(benchmark.valid),
        "bugs": [
            {
                "bug": row.bug,
                **({"only_recipe": row.recipe} if row.recipe is not None else {}),
                "hunts": row.hunts,
                "convicted": row.convicted,
                "trials": row.trials,
                "cpu_s": round(row.cpu_s, 3),
                "oracles": {
                    oracle: {
                        "convicted": convicted.hunts,
                        "trials": convicted.cost and convicted.cost.trials,
                        "cpu_s": convicted.cost and round(convicted.cost.cpu_s, 3),
                    }
                    for oracle, convicted in row.by_oracle.items()
                },
                "property": row.example.property,
                "expected": list(expected.get(row.bug, ())),
                "reason": row.example.reason,
                "why": row.example.why,
                "recipe": row.example.recipe,
                "seed": row.example.seed,
                "replay": replay_line(row.example.folder),
            }
            for row in benchmark.rows
        ],
        "cpu_s": round(sum(row.cpu_s for row in benchmark.rows), 3),
        "control": {
            "trials": benchmark.control.trials,
            "alarms": [{"seed": seed, "why": why} for seed, why in benchmark.control.alarms],
            "unknowns": [{"seed": seed, "why": why} for seed, why in benchmark.control.unknowns],
            "cpu_s": round(benchmark.control.cpu_s, 3),
        },
        "own_failures": list(benchmark.failures),
    }


def _row(hunts: Sequence[Hunted]) -> Row | None:
    """The hunts for a bug in one row; None when all of them failed by fault of the harness."""
    if not hunts:
        return None
    found = sorted((hunt for hunt in hunts if hunt.convicted), key=lambda hunt: (hunt.trials, hunt.seed))
    spent = found or hunts
    return Row(
        hunts[0].bug,
        hunts[0].only,
        len(hunts),
        len(found),
        median(hunt.trials for hunt in spent),
        median(hunt.cpu_s for hunt in spent),
        spent[len(spent) // 2],
        tally(hunt.costs for hunt in hunts),
    )
