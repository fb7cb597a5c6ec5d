import pytest
from journal import BUGS, PORT, serve

from ostrakon import Refused, SeededBug, Workload, lines_to, total_queue
from ostrakon import generator as g


def check(plan, history, trace):
    return total_queue(history, handed_out=[event.value for event in trace if event.event == "handed-out"])


def answer(line):
    if line == "empty":
        raise Refused(line)
    return int(line.split()[1])


PUTS, TAKES = g.numbered(lambda job: g.OpRequest("enqueue", job)), g.repeat(g.OpRequest("dequeue"))
JOBS = Workload(
    name="job-journal",
    program=lambda site: serve(site.breakage),
    connect=lines_to(PORT, ask=lambda op: f"put {op.value}" if op.f == "enqueue" else "take", answer=answer),
    generator=lambda plan, rng: g.stagger(1 / plan.rate, g.mix(PUTS, TAKES, rng=rng), rng=rng),
    final=lambda plan, rng: g.limit(200, TAKES),
    check=check,
    bugs={name: SeededBug(name, about, name) for name, about in BUGS.items()},
    defaults={"nodes": 1},
)


@pytest.mark.chaos(trials=10)
def test_each_job_is_handed_out_once(trial, seed):
    trial(JOBS, seed=seed, nemesis="kill,power_loss,crash_at_sync")
