import json

import pytest
from commit import BUGS, PORT, serve

from ostrakon import Refused, SeededBug, Workload, generator, lines_to, list_append


def answer(line):
    if "error" in (told := json.loads(line)):
        raise Refused(told["error"])
    return told["value"]


def txn(number):
    a, b, c = (chr(97 + (number + number // 6 * step) % 6) for step in (1, 2, 3))
    return generator.OpRequest(
        "txn", [["append", a, 2 * number], ["append", b, 2 * number + 1], ["r", c, None]]
    )


COMMIT = Workload(
    name="two-phase-commit",
    program=lambda site: serve(site.name, site.nodes, site.breakage),
    connect=lines_to(PORT, ask=lambda op: json.dumps({"do": op.f, "value": op.value}), answer=answer),
    generator=lambda plan, rng: generator.stagger(1 / plan.rate, generator.numbered(txn), rng=rng),
    check=lambda plan, history, trace: list_append(history),
    bugs={name: SeededBug(name, about, name) for name, about in BUGS.items()},
    defaults={"nodes": 3},
)


@pytest.mark.chaos(trials=20)
def test_transactions_are_all_or_nothing(trial, seed):
    trial(COMMIT, seed=seed, nemesis="partition,kill,power_loss")
