import json

import pytest
from raft import BUGS, PORT, serve

from ostrakon import Refused, SeededBug, Workload, linearizable, lines_to
from ostrakon import generator as g


def answer(line):
    if "error" in (told := json.loads(line)):
        raise Refused(told["error"])
    return told["value"]


READS = g.numbered(lambda number: g.OpRequest("read", ["abc"[number % 3], None]))
WRITES = g.numbered(lambda number: g.OpRequest("write", ["abc"[number % 3], number]))
RAFT = Workload(
    name="raft",
    program=lambda site: serve(site.name, site.nodes, site.breakage),
    connect=lines_to(PORT, ask=lambda op: json.dumps({"do": op.f, "value": op.value}), answer=answer),
    generator=lambda plan, rng: g.stagger(1 / plan.rate, g.mix(READS, WRITES, rng=rng), rng=rng),
    check=lambda plan, history, trace: linearizable(history, "keyed-register"),
    bugs={name: SeededBug(name, about, name) for name, about in BUGS.items()},
    defaults={"nodes": 5, "rate": 50, "concurrency": 9},
)


@pytest.mark.chaos(trials=10)
def test_the_store_is_linearizable(trial, seed):
    trial(RAFT, seed=seed, nemesis="partition,kill")
