"""What all Maelstrom workloads have in common."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from ostrakon.checkers.run.stats import stats
from ostrakon.checkers.verdict import Verdict, guarded
from ostrakon.harness.generator import (
    Generator,
    Source,
    lift,
    phases,
    sleep,
    stagger,
)
from ostrakon.harness.history import History, Trace
from ostrakon.harness.plan import Latency, Plan
from ostrakon.harness.substrates.framing import Lines
from ostrakon.harness.workload import Connect, Workload
from ostrakon.workloads.final_phase import each_until_done
from ostrakon.workloads.maelstrom.bridge import run_binary
from ostrakon.workloads.maelstrom.message import in_words

OPTIONS = {
    "bin": "the program that each node runs",
    "args": "a list of what it is called with",
    "converge_s": "how long all rests, every fault healed, before what is asked at last; 3 if not given",
}
CONVERGE_S = 3.0
FINAL_TRIES_MAX = 20
Checks = Mapping[str, Callable[[], Verdict]]


def maelstrom_workload(
    *,
    name: str,
    about: str,
    connect: Connect,
    ops: Callable[[Plan, random.Random], Source],
    final: Callable[[int], Sequence[Source]],
    checks: Callable[[History], Checks],
) -> Workload:
    """A workload for binaries: `ops` at the plan's rate; after a rest, what each thread does until done."""

    def generator(plan: Plan, rng: random.Random) -> Generator:
        return stagger(1 / plan.rate, lift(ops(plan, rng)), rng=rng)

    def at_last(plan: Plan, rng: random.Random) -> Generator:
        return phases(
            sleep(float(plan.options.get("converge_s", CONVERGE_S))),
            each_until_done(plan, rng, final, tries_max=FINAL_TRIES_MAX, pause_s=0.1),
        )

    def check(plan: Plan, history: History, trace: Trace) -> Verdict:
        parts = {**checks(history), "stats": lambda: stats(history)}
        return Verdict.compose({part: guarded(part, of) for part, of in parts.items()})

    return Workload(
        name=f"maelstrom-{name}",
        about=about,
        program=run_binary,
        connect=connect,
        generator=generator,
        final=at_last,
        check=check,
        framing=Lines(),
        describe=in_words,
        options=OPTIONS,
        timeout_s=2.0,
        is_live_only=True,
        defaults={
            "substrate": "live",
            "nodes": 3,
            "concurrency": 6,
            "rate": 50.0,
            "time_limit_s": 10.0,
            "latency": Latency("uniform", 0.5, 2.5),
        },
    )
