"""Log records: a sentence for people, with the same facts as fields for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping


class LogRecord(str):
    """A line of a service's log; `fields` repeats its facts as data that JSON can carry.

    Records with `is_debug` are frequent and interest only a person who looks for something.

    >>> LogRecord("listening on 127.0.0.1:7001", event="listening", port=7001).fields
    {'event': 'listening', 'port': 7001}
    """

    is_debug: bool
    fields: Mapping[str, object]

    def __new__(cls, line: str, is_debug: bool = False, **fields: object) -> LogRecord:
        """A line and its fields."""
        made = super().__new__(cls, line)
        made.is_debug, made.fields = is_debug, fields
        return made


LogSink = Callable[[str], None]
"""Takes lines; some of them are `LogRecord`s."""


def no_log(line: str) -> None:
    """A sink that drops every line."""
