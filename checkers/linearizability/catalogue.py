"""The linearizability checkers that `ostrakon check --model` offers: functions of a history, by name.

Each takes `budget` and `fail_means` as `linearizable` does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from ostrakon.checkers.linearizability.check import linearizable
from ostrakon.checkers.verdict import Verdict

NamedChecker = Callable[..., Verdict]

register: Final[NamedChecker] = partial(linearizable, model="register")
cas_register: Final[NamedChecker] = partial(linearizable, model="cas-register")
multi_register: Final[NamedChecker] = partial(linearizable, model="multi-register")
mutex: Final[NamedChecker] = partial(linearizable, model="mutex")
fenced_lock: Final[NamedChecker] = partial(linearizable, model="fenced-lock")
kv: Final[NamedChecker] = partial(linearizable, model="kv")
list_append: Final[NamedChecker] = partial(linearizable, model="list-append")
element_set: Final[NamedChecker] = partial(linearizable, model="set")
fifo_queue: Final[NamedChecker] = partial(linearizable, model="fifo-queue")
unordered_queue: Final[NamedChecker] = partial(linearizable, model="unordered-queue")
stack: Final[NamedChecker] = partial(linearizable, model="stack")
counter: Final[NamedChecker] = partial(linearizable, model="counter")
keyed_register: Final[NamedChecker] = partial(linearizable, model="keyed-register")
keyed_cas_register: Final[NamedChecker] = partial(linearizable, model="keyed-cas-register")
keyed_mutex: Final[NamedChecker] = partial(linearizable, model="keyed-mutex")
