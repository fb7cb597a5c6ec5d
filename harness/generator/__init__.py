"""Generators: pure, immutable values that describe the ops of clients and of the nemesis.

`next_op` returns the next op of a generator, `update` informs it about an invocation or a completion. Both
return the generator to continue with. A parameter called `source` accepts a generator, an `OpRequest`, a
function, or a list of these (see `lift`). A generator can be tested without a cluster or a clock (see
`play`).

    reads, writes = repeat(OpRequest("read")), numbered(lambda n: OpRequest("write", n))
    ops = clients(time_limit(5, stagger(0.1, mix(reads, writes, rng=rng), rng=rng)))

The thread for an op, and the winner among several sources, are chosen in turn, which is fair. Random choices
come from dice that are part of the value; see `ostrakon.harness.generator.dice`.
"""

from ostrakon.harness.generator.choice import any_of, flip_flop, mix, shortest_of
from ostrakon.harness.generator.combinators import (
    concurrency_limit,
    cycle,
    f_map,
    filter_ops,
    limit,
    map_ops,
    on_update,
    once,
    phases,
    process_limit,
    repeat,
    sequence,
    synchronize,
    then,
    time_limit,
    until,
    until_ok,
)
from ostrakon.harness.generator.context import Context, Thread
from ostrakon.harness.generator.op_request import (
    PENDING,
    Generator,
    ImpossibleGenerator,
    NextOp,
    OpRequest,
    Pending,
)
from ostrakon.harness.generator.scheduler import (
    GENERATOR_NOTES,
    MalformedOp,
    imperfect,
    perfect,
    play,
    quick,
    validate,
)
from ostrakon.harness.generator.source import Source, drawn, lift, numbered
from ostrakon.harness.generator.threads import clients, each_process, each_thread, nemesis, on, reserve
from ostrakon.harness.generator.timing import delay, log, not_before, sleep, stagger

__all__ = [
    "GENERATOR_NOTES",
    "PENDING",
    "Context",
    "Generator",
    "ImpossibleGenerator",
    "MalformedOp",
    "NextOp",
    "OpRequest",
    "Pending",
    "Source",
    "Thread",
    "any_of",
    "clients",
    "concurrency_limit",
    "cycle",
    "delay",
    "drawn",
    "each_process",
    "each_thread",
    "f_map",
    "filter_ops",
    "flip_flop",
    "imperfect",
    "lift",
    "limit",
    "log",
    "map_ops",
    "mix",
    "nemesis",
    "not_before",
    "numbered",
    "on",
    "on_update",
    "once",
    "perfect",
    "phases",
    "play",
    "process_limit",
    "quick",
    "repeat",
    "reserve",
    "sequence",
    "shortest_of",
    "sleep",
    "stagger",
    "synchronize",
    "then",
    "time_limit",
    "until",
    "until_ok",
    "validate",
]
