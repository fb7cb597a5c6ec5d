"""How a service speaks: lines for people, or JSON for machines, on the standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Literal

from ostrakon.paxos_impl.cli.exits import say

Style = Literal["text", "json"]


def speaker(style: Style) -> Callable[[str], None]:
    """What takes the remarks of a service.

    As text, what is usual is left out. As JSON, each is an object on a line of its own, with `time` in
    seconds since 1970, `level` (info, or debug for what is usual), `line`, and the remark's particulars.
    """
    return _say_to_people if style == "text" else _say_to_machines


def _say_to_people(line: str) -> None:
    from ostrakon.paxos_impl.remark import Remark

    if not (isinstance(line, Remark) and line.is_usual):
        say(line)


def _say_to_machines(line: str) -> None:
    import msgspec

    from ostrakon.paxos_impl.remark import Remark

    told: dict[str, object] = {"time": time.time(), "level": "info", "line": str(line)}
    if isinstance(line, Remark):
        told |= {"level": "debug" if line.is_usual else "info", **line.particulars}
    sys.stderr.write(msgspec.json.encode(told).decode() + "\n")
    sys.stderr.flush()
