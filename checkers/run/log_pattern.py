"""Patterns that must not occur in the nodes' logs, such as a panic or a failed assertion."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ostrakon.checkers.verdict import Anomaly, Verdict

_SHOWN = 20


def log_pattern(pattern: str, logs: Mapping[str, Iterable[str]]) -> Verdict:
    """No line of any log matches the regular expression; `logs` are lines by name of file.

    Open files will do as lines. The first 20 matches are anomalies, all are counted in `details`.

    Raises: re.error if the pattern is none.

    >>> log_pattern("panic|assert", {"n1.log": ["all is well", "panic: no quorum"]}).why
    'n1.log, line 2: panic: no quorum'
    """
    if not logs:
        return Verdict.unknown("there were no logs to look at")
    matches = list(_matches(re.compile(pattern), logs))
    return Verdict.of(
        [Anomaly("log pattern", f"{name}, line {number}: {line}") for name, number, line in matches[:_SHOWN]],
        matches=len(matches),
        files=sorted({name for name, _, _ in matches}),
    )


def _matches(pattern: re.Pattern[str], logs: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, int, str]]:
    for name, lines in sorted(logs.items()):
        for number, line in enumerate(lines, start=1):
            if pattern.search(line):
                yield name, number, line.rstrip()
