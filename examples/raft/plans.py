"""The trials of the chaos test, and what it takes to see a bug that random faults hit once in thousands."""

from ostrakon import Fault, Latency

UNDER = {
    "any": {"nemesis": "partition,kill", "rate": 50, "concurrency": 9},
    "leaders": {"nemesis": "partition:leader,kill:leader", "nodes": 3, "rate": 20, "time_limit_s": 10},
}

PLANS = {
    # n1 and n3 do not hear each other and stand for election, while n2, who votes, starts again and again.
    "vote-not-saved": {
        "nodes": 3,
        "rate": 20.0,
        "concurrency": 9,
        "time_limit_s": 2.5,
        "latency": Latency("uniform", 5, 50),
        "faults": (
            Fault("partition", 0, 1500, grudge={"n1": ("n3",), "n3": ("n1",)}),
            *(Fault("kill", at_ms, 20, nodes=("n2",)) for at_ms in range(400, 1100, 150)),
        ),
    }
}
