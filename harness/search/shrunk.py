"""A failing trial shrunk, and what is kept of it: a run folder, and a pytest file that fails like the
trial."""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

from ostrakon.harness.plan import Plan
from ostrakon.harness.search.allowance import Allowance
from ostrakon.harness.search.failure import simplest_alike
from ostrakon.harness.search.outcome import Trial
from ostrakon.harness.store import Store, write_whole
from ostrakon.harness.trial import Trial as RecordedTrial
from ostrakon.harness.trial import run
from ostrakon.harness.workload import Workload


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The simplest plan found that fails as a trial did."""

    plan: Plan
    reason: str
    """What it fails for: the reason of the trial, or the same without a restart."""
    original: Plan
    runs: int
    """How many plans were run to find it."""


def shrink_trial(
    failing: RecordedTrial,
    seconds: float,
    *,
    workload: Workload | None = None,
    note: Callable[[int, Plan], object] = lambda runs, plan: None,
) -> Shrunk:
    """Look for simpler plans that fail alike, for so many seconds of CPU time.

    A plan that fails in the same way without a restart of a node counts as alike.

    The workload is found by the plan's name for it unless it is given. `note` is told of each simpler plan,
    and after how many runs it was found.
    """
    runs = 0

    def run_counted(plan: Plan) -> Trial:
        nonlocal runs
        runs += 1
        return cast(Trial, run(plan, workload=workload))

    plan = simplest_alike(
        cast(Trial, failing),
        run_counted,
        Allowance.of(seconds, time.process_time),  # On a busy machine, too, shrinking gets as far.
        lambda simpler: note(runs, simpler),
        workload=workload,
        needs_restart=False,
    )
    reason = failing.reason if plan == failing.plan else run(plan, workload=workload).reason
    return Shrunk(plan, reason, failing.plan, runs)


def keep_shrunk(
    shrunk: Shrunk, store: Store, *, workload: Workload | None = None
) -> tuple[RecordedTrial, Path]:
    """Record a run of the shrunk plan in the store; returns it and the path of the test beside it."""
    name = "-".join(filter(None, ("shrunk", shrunk.original.bug, f"seed-{shrunk.original.seed}")))
    trial = run(shrunk.plan, workload=workload, store=store, name=name, report=True)
    assert trial.reason == shrunk.reason, (trial.reason, shrunk.reason)
    assert trial.folder is not None
    test = trial.folder / f"test_{slug(shrunk.plan.workload, shrunk.reason)}.py"
    write_whole(test, regression_test(shrunk.plan, reason=shrunk.reason, why=trial.headline).encode())
    return trial, test


_WIDTH = 100

_FILE = '''\
"""{title}

Found by Ostrakon and shrunk. It fails until the fault is mended, and then keeps it from coming back.
"""

from ostrakon import {names}

PLAN = {plan}


def test_{name}() -> None:
    trial = run(PLAN)

    assert trial.valid != "invalid", trial.why
'''


def regression_test(plan: Plan, *, reason: str, why: str) -> str:
    """The text of a pytest file that runs the plan; `reason` and `why` are those of the failing trial."""
    return _FILE.format(
        title=_as_docstring(why or reason),
        names=", ".join([*_names_in(plan), "run"]),
        plan=spell(plan),
        name=slug(plan.workload, reason),
    )


def slug(workload: str, reason: str) -> str:
    """What the test of a failure is called, after `test_`."""
    return "_".join(re.findall(r"[a-z0-9]+", f"{workload} {reason}".lower())) or "plan"


def spell(plan: Plan) -> str:
    """The plan as a Python expression, with what differs from the defaults only.

    Which version made it is left out: the test is about the present one.
    """
    return _spell(msgspec.structs.replace(plan, code=""), "")


def _spell(value: Any, indent: str) -> str:
    """Python source of a value; on one line if it fits, else one part a line."""
    flat = _flat(value)
    if len(indent) + len(flat) <= _WIDTH:
        return flat
    deeper = indent + "    "
    match value:
        case msgspec.Struct():
            parts = [f"{name}={_spell(part, deeper)}" for name, part in _fields(value)]
            opening, closing = f"{type(value).__name__}(", ")"
        case tuple():
            parts, opening, closing = [_spell(part, deeper) for part in value], "(", ")"
        case dict():
            parts = [f"{key!r}: {_spell(part, deeper)}" for key, part in value.items()]
            opening, closing = "{", "}"
        case _:
            return flat
    return "\n".join([opening, *(f"{deeper}{part}," for part in parts), indent + closing])


def _flat(value: Any) -> str:
    match value:
        case msgspec.Struct():
            inside = ", ".join(f"{name}={_flat(part)}" for name, part in _fields(value))
            return f"{type(value).__name__}({inside})"
        case tuple():
            return f"({', '.join(map(_flat, value))}{',' if len(value) == 1 else ''})"
        case dict():
            return f"{{{', '.join(f'{key!r}: {_flat(part)}' for key, part in value.items())}}}"
        case str():
            return _quoted(value)
        case _:
            return repr(value)


def _quoted(text: str) -> str:
    # As formatters have it: double quotes, unless that makes for escapes.
    return f'"{text}"' if repr(text) == f"'{text}'" and '"' not in text else repr(text)


def _fields(struct: msgspec.Struct) -> list[tuple[str, Any]]:
    """The fields that differ from their defaults."""
    fields = [(field, getattr(struct, field.name)) for field in msgspec.structs.fields(type(struct))]
    return [(field.name, value) for field, value in fields if field.required or value != _default(field)]


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else msgspec.NODEFAULT


def _names_in(plan: Plan) -> list[str]:
    """What has to be imported to spell the plan."""
    spelled = spell(plan)
    return [name for name in ("Deviation", "Fault", "Latency", "Plan", "PlannedOp") if f"{name}(" in spelled]


def _as_docstring(text: str) -> str:
    line = "".join(char for char in " ".join(text.split()) if char.isprintable())
    line = line.replace("\\", "/").replace('"', "'").rstrip(".") + "."
    return textwrap.fill(line, _WIDTH)
