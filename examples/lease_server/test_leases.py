import pytest
from leases import BUGS, LEASE_S, PORT, serve

from ostrakon import Refused, SeededBug, Workload, client_leases, lines_to
from ostrakon import generator as g


def answer(line):
    if line != "ok":
        raise Refused(line)
    return "L"


ACQUIRE, RELEASE = (g.repeat(g.OpRequest(f, "L")) for f in ("acquire", "release"))
LEASES = Workload(
    name="lease-server",
    program=lambda site: serve(site.breakage),
    connect=lines_to(PORT, ask=lambda op: f"{op.f} {op.value} p{op.process}", answer=answer),
    generator=lambda plan, rng: g.stagger(1 / plan.rate, g.mix(ACQUIRE, RELEASE, rng=rng), rng=rng),
    check=lambda plan, history, trace: client_leases(history, duration_ns=int(LEASE_S * 1e9)),
    bugs={name: SeededBug(name, about, name) for name, about in BUGS.items()},
    defaults={"nodes": 1, "rate": 50},
)


@pytest.mark.chaos(trials=10)
def test_a_lease_has_one_holder(trial, seed):
    trial(LEASES, seed=seed, nemesis="kill,clock_jump")
