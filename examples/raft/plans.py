"""What three of the bugs take to show: nodes, time, and faults that random ones hardly hit."""

from ostrakon import Fault, Latency

PLANS = {
    # Of three nodes, one other makes a majority.
    "anonymous-acks": {"nodes": 5},
    # Leaders come and go until one of them has entries that the others never had.
    "no-log-match": {"time_limit_s": 10.0, "rate": 20.0, "concurrency": 5},
    # n1 and n3 do not hear each other and stand for election, while n2, who votes, starts again and again.
    "vote-not-saved": {
        "time_limit_s": 2.5,
        "latency": Latency("uniform", 5, 50),
        "faults": (
            Fault("partition", 0, 1500, grudge={"n1": ("n3",), "n3": ("n1",)}),
            *(Fault("kill", at_ms, 20, nodes=("n2",)) for at_ms in range(400, 1100, 150)),
        ),
    },
}
