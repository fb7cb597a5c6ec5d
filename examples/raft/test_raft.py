import json

import pytest
from plans import PLANS
from raft import BUGS, PORT, serve

from ostrakon import Refused, SeededBug, Workload, latest, linearizable, lines_to
from ostrakon import generator as g


def answer(line):
    if "error" in (told := json.loads(line)):
        raise Refused(told["error"])
    return told["value"]


def op(f):
    return g.numbered(lambda number: g.OpRequest(f, ["abc"[number % 3], number if f == "write" else None]))


RAFT = Workload(
    name="raft",
    program=lambda site: serve(site.name, site.nodes, site.breakage),
    connect=lines_to(PORT, ask=lambda op: json.dumps({"do": op.f, "value": op.value}), answer=answer),
    generator=lambda plan, rng: g.stagger(1 / plan.rate, g.mix(op("read"), op("write"), rng=rng), rng=rng),
    check=lambda plan, history, trace: linearizable(history, "keyed-register"),
    bugs={name: SeededBug(name, about, name, plan=PLANS.get(name, {})) for name, about in BUGS.items()},
    targets={"leader": latest("leading")},
    defaults={"nodes": 3, "rate": 50, "concurrency": 9},
)


@pytest.mark.chaos(trials=20)
def test_the_store_is_linearizable(trial, seed):
    trial(RAFT, seed=seed, nemesis="partition,kill,partition:leader,kill:leader")
