"""`ostrakon maelstrom test`: a program in any language that speaks Maelstrom's protocol, put to the test."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ostrakon.harness.commands.outcome import show
from ostrakon.harness.status import UserError, exit_status

PREFIX = "maelstrom-"
RECOVERY_S_MAX = 30
"""The longest recovery: it is part of the final phase, which is broken off after 60 s."""


@click.group()
def maelstrom() -> None:
    """Test programs that speak Maelstrom's protocol: JSON, line by line, on standard input and output."""


@maelstrom.command()
@click.option(
    "-w", "--workload", required=True, help="echo, unique-ids, broadcast, g-set, lin-kv, kafka, ..."
)
@click.option("--bin", "binary", required=True, metavar="FILE", help="The program that each node runs.")
@click.option("--node-count", type=click.IntRange(1, 99), default=3, show_default=True)
@click.option("--from-zero", is_flag=True, help="Call the nodes n0, n1, ..., not n1, n2, ...")
@click.option(
    "--concurrency", metavar="N", default="2n", show_default=True, help="Clients; 4n for four a node."
)
@click.option("--rate", metavar="HZ", type=click.FloatRange(0, min_open=True), default=50, show_default=True)
@click.option(
    "--time-limit", metavar="S", type=click.FloatRange(0, min_open=True), default=10, show_default=True
)
@click.option(
    "--recovery",
    metavar="S",
    type=click.FloatRange(0, RECOVERY_S_MAX),
    help="The time without faults and requests before the last requests; by default 10 s where values must "
    "spread, and 3 s elsewhere.",
)
@click.option("--latency", metavar="MS", type=click.FloatRange(0), default=1, show_default=True, help="Mean.")
@click.option(
    "--latency-dist",
    type=click.Choice(["constant", "uniform", "exponential"]),
    default="constant",
    show_default=True,
)
@click.option(
    "--nemesis",
    metavar="A,B",
    default="none",
    show_default=True,
    help="Kinds of fault: partition, kill, pause, drop, duplicate, reorder, ...; `mixed` for some of all.",
)
@click.option(
    "--nemesis-interval", metavar="S", type=click.FloatRange(0, min_open=True), default=2, show_default=True
)
@click.option("--topology", metavar="NAME", help="broadcast: how nodes are connected: grid, line, tree3, ...")
@click.option(
    "--availability", metavar="SHARE", help="The share of requests that must be ok: 0 to 1, or total."
)
@click.option(
    "--consistency-models", metavar="A,B", help="txn-*: the models to check; by default strict-serializable."
)
@click.option("--key-count", type=click.IntRange(1, 1000), help="txn-*, kafka: keys in use at a time.")
@click.option("--max-txn-length", type=click.IntRange(1, 100), help="txn-*: micro-operations at most.")
@click.option(
    "--max-writes-per-key", type=click.IntRange(1, 1_000_000), help="txn-*, kafka: writes before a new key."
)
@click.option("--seed", type=int, help="What plan and workload are drawn from; a random one if not given.")
@click.option("--store", metavar="DIR", default="store", show_default=True, help="Where runs are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("arguments", nargs=-1)
def test(
    workload: str,
    binary: str,
    node_count: int,
    from_zero: bool,
    concurrency: str,
    rate: float,
    time_limit: float,
    latency: float,
    latency_dist: Any,
    nemesis: str,
    nemesis_interval: float,
    seed: int | None,
    store: str,
    as_json: bool,
    arguments: tuple[str, ...],
    **options: Any,
) -> int:
    """Run one trial of a program; ARGUMENTS, after `--`, are its own.

    Each node is a process of this machine. The messages between nodes go through a proxy, where faults act on
    single messages. Maelstrom's services lin-kv, seq-kv, lww-kv and lin-tso answer any node.
    """
    from ostrakon.harness.catalogue import UnknownName, find_workload, workload_names
    from ostrakon.harness.faults import UnknownFault
    from ostrakon.harness.plan import BadPlan, Latency
    from ostrakon.harness.planning import plan_for
    from ostrakon.harness.store import Store
    from ostrakon.harness.trial import run

    known = [name.removeprefix(PREFIX) for name in workload_names() if name.startswith(PREFIX)]
    if workload not in known:
        raise UserError(str(UnknownName("workload of Maelstrom", workload, known)))
    try:
        found = find_workload(PREFIX + workload)
        plan = plan_for(
            found,
            seed=secrets.randbelow(2**32) if seed is None else seed,
            nemesis=nemesis,
            steady_s=None if nemesis == "none" else nemesis_interval,
            nodes=node_count,
            first_node=0 if from_zero else None,
            concurrency=_clients(concurrency, node_count),
            rate=rate,
            time_limit_s=time_limit,
            latency=Latency(
                latency_dist, latency if latency_dist == "constant" else 0.0, _high(latency, latency_dist)
            ),
            options={"bin": _program(binary), "args": list(arguments), **_options(options)},
        )
        trial = run(plan, workload=found, store=Store(store), report=True)
    except (UnknownFault, UnknownName, BadPlan) as error:
        raise UserError(str(error)) from None
    show(trial, as_json=as_json)
    return exit_status(trial.valid)


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the plan that were given; a workload refuses those that it does not know."""
    options = {name: value for name, value in given.items() if value is not None}
    if "recovery" in options:
        options["recovery_s"] = options.pop("recovery")
    if "availability" in options:
        options["availability"] = _share(options["availability"])
    if "consistency_models" in options:
        options["consistency_models"] = [name.strip() for name in options["consistency_models"].split(",")]
    return options


def _share(text: str) -> float:
    try:
        share = 1.0 if text == "total" else float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UserError(f"--availability {text!r}: write total, or a number from 0 to 1")
    return share


def _high(mean_ms: float, kind: str) -> float:
    return 2 * mean_ms if kind == "uniform" else mean_ms


def _clients(concurrency: str, nodes: int) -> int:
    """A number of clients, or one for each node with an `n` behind it."""
    number = concurrency.removesuffix("n")
    if not number.isdecimal() or not int(number):
        raise UserError(f"--concurrency {concurrency!r}: write a number, or one such as 4n for four a node")
    return int(number) * (nodes if concurrency.endswith("n") else 1)


def _program(binary: str) -> str:
    """Where the program is, wherever its nodes are started."""
    found = shutil.which(binary)
    if found is None:
        why = "may not be executed" if Path(binary).exists() else "is not there"
        raise UserError(f"--bin {binary}: it {why}")
    return str(Path(found).resolve())
