"""What all Maelstrom workloads have in common."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ostrakon.checkers.run.availability import availability
from ostrakon.checkers.run.stats import stats
from ostrakon.checkers.verdict import Verdict, guarded
from ostrakon.harness.generator import Generator, Source, lift, phases, sleep, stagger
from ostrakon.harness.history import History, Trace
from ostrakon.harness.plan import Latency, Plan
from ostrakon.harness.substrates.framing import Lines
from ostrakon.harness.workload import Connect, Workload
from ostrakon.workloads.final_phase import each_until_done
from ostrakon.workloads.maelstrom.bridge import run_binary
from ostrakon.workloads.maelstrom.hub import open_hub
from ostrakon.workloads.maelstrom.message import in_words

OPTIONS = {
    "bin": "the program that each node runs",
    "args": "the list of its arguments",
    "recovery_s": "the time without faults and requests before the last requests, in seconds",
    "availability": "the share of requests that must be ok, from 0 to 1; any if not given",
}
RECOVERY_S = 10.0
"""The recovery before the last reads where values must spread: Maelstrom's. Its demos gossip every 5 s."""
SHORT_RECOVERY_S = 3.0
"""The recovery where nothing spreads, but a leader may have to be elected."""
FINAL_TRIES_MAX = 20
Checks = Mapping[str, Callable[[], Verdict]]


def maelstrom_workload(
    *,
    name: str,
    about: str,
    connect: Connect,
    ops: Callable[[Plan, random.Random], Source],
    final: Callable[[Plan, random.Random], Generator],
    checks: Callable[[Plan, History], Checks],
    recovery_s: float = SHORT_RECOVERY_S,
    options: Mapping[str, str] | None = None,
    option_problems: Callable[[Mapping[str, Any]], Iterator[str]] | None = None,
    timeout_s: float = 5.0,
) -> Workload:
    """A workload for binaries: `ops` at the plan's rate and, after a recovery, `final`."""

    def generator(plan: Plan, rng: random.Random) -> Generator:
        return stagger(1 / plan.rate, lift(ops(plan, rng)), rng=rng)

    def after_recovery(plan: Plan, rng: random.Random) -> Generator:
        return phases(sleep(float(plan.options.get("recovery_s", recovery_s))), final(plan, rng))

    def check(plan: Plan, history: History, trace: Trace) -> Verdict:
        parts = {**checks(plan, history), "stats": lambda: stats(history)}
        if (at_least := plan.options.get("availability")) is not None:
            parts["availability"] = lambda: availability(history, at_least=float(at_least))
        return Verdict.compose({part: guarded(part, of) for part, of in parts.items()})

    return Workload(
        name=f"maelstrom-{name}",
        about=about,
        program=run_binary,
        connect=connect,
        generator=generator,
        final=after_recovery,
        check=check,
        framing=Lines(),
        describe=in_words,
        shared=open_hub,
        datagrams=True,
        options={**OPTIONS, **(options or {})},
        option_problems=option_problems,
        timeout_s=timeout_s,
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


def until_done(ops_of: Callable[[int], Sequence[Source]]) -> Callable[[Plan, random.Random], Generator]:
    """A final phase in which each thread repeats each of its ops until the op is ok."""

    def final(plan: Plan, rng: random.Random) -> Generator:
        return each_until_done(plan, rng, ops_of, tries_max=FINAL_TRIES_MAX, pause_s=0.1)

    return final


def number_of(plan: Plan, option: str, default: int) -> int:
    """An option that is a whole number."""
    value: Any = plan.options.get(option, default)
    return int(value)
