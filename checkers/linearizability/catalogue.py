"""The linearizability checkers that `ostrakon check --model` offers: functions of a history, by name.

Each takes `budget` and `fail_means` as `linearizable` does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from ostrakon.checkers.linearizability.check import linearizable
from ostrakon.checkers.verdict import Verdict

Check = Callable[..., Verdict]

register: Final[Check] = partial(linearizable, model="register")
cas_register: Final[Check] = partial(linearizable, model="cas-register")
multi_register: Final[Check] = partial(linearizable, model="multi-register")
mutex: Final[Check] = partial(linearizable, model="mutex")
fenced_lock: Final[Check] = partial(linearizable, model="fenced-lock")
kv: Final[Check] = partial(linearizable, model="kv")
list_append: Final[Check] = partial(linearizable, model="list-append")
element_set: Final[Check] = partial(linearizable, model="set")
fifo_queue: Final[Check] = partial(linearizable, model="fifo-queue")
unordered_queue: Final[Check] = partial(linearizable, model="unordered-queue")
stack: Final[Check] = partial(linearizable, model="stack")
counter: Final[Check] = partial(linearizable, model="counter")
keyed_register: Final[Check] = partial(linearizable, model="keyed-register")
keyed_cas_register: Final[Check] = partial(linearizable, model="keyed-cas-register")
keyed_mutex: Final[Check] = partial(linearizable, model="keyed-mutex")
