"""Histories as Jepsen prints them: its `history.txt` and the lines of its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostrakon.checkers.linearizability import linearizable
from ostrakon.harness.history import DamagedFile, read_any

LINES = [
    "0\t:invoke\t:write\t[:x 1]",
    ":nemesis\t:info\t:start-partition\t{:n1 #{:n2}}",
    "0\t:ok\t:write\t[:x 1]",
    "1\t:invoke\t:read\t[:x nil]",
    "1\t:info\t:read\t[:x nil]\t:timeout",
    "2\t:invoke\t:cas\t[:x [1 2]]",
    '2\t:fail\t:cas\t[:x [1 2]]\tclojure.lang.ExceptionInfo: no {:a "b"',
]
LOG = [
    "2025-01-20 12:08:03,833{GMT}\tINFO\t[n1 stderr] maelstrom.process: 0\t:invoke\t:write\t3",
    "2025-01-20 12:08:03,839{GMT}\tINFO\t[jepsen test runner] jepsen.core: Relative time begins now",
    *(
        f"2025-01-20 12:08:0{4 + at},250{{GMT}}\tINFO\t[jepsen worker 0] jepsen.util: {line}"
        for at, line in enumerate(LINES[:4])
    ),
    "java.lang.Exception: something",
    "\tat somewhere",
    f"2025-01-20 12:08:09,000{{GMT}}\tINFO\t[jepsen worker 1] jepsen.util: {LINES[4]}",
]


CONSOLE = [
    "INFO [2023-05-03 12:00:00,100] jepsen test runner - jepsen.core Worker 0 starting",
    *(
        f"INFO [2023-05-03 12:00:0{at},123] jepsen worker {at % 2} - jepsen.util {line}"
        for at, line in enumerate(LINES[:5])
    ),
    "WARN [2023-05-03 12:00:09,100] jepsen worker 0 - jepsen.core Process 1 crashed",
]


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_history_txt_is_read(tmp_path: Path) -> None:
    recording = read_any(written(tmp_path / "history.txt", LINES))

    assert recording.format == "jepsen-text"
    assert [(op.process, op.type, op.f) for op in recording.history][:3] == [
        (0, "invoke", "write"),
        ("nemesis", "info", "start-partition"),
        (0, "ok", "write"),
    ]
    assert [op.value for op in recording.history][1:4] == [{"n1": ["n2"]}, ["x", 1], ["x", None]]
    assert [op.error for op in recording.history][4:] == [
        "timeout",
        None,
        'clojure.lang.ExceptionInfo: no {:a "b"',
    ]
    assert linearizable(recording.history, "keyed-cas-register").valid == "valid"


def test_the_ops_of_a_log_are_read_with_their_times_and_what_nodes_print_is_not(tmp_path: Path) -> None:
    recording = read_any(written(tmp_path / "jepsen.log", LOG))

    assert recording.format == "jepsen-log"
    assert [op.f for op in recording.history] == ["write", "start-partition", "write", "read", "read"]
    assert [op.time // 1_000_000 for op in recording.history] == [0, 1000, 2000, 3000, 4750]


def test_an_error_of_several_lines_belongs_to_its_op(tmp_path: Path) -> None:
    lines = [*LINES, "at somewhere", "3\t:invoke\t:read\t[:x nil]"]

    history = read_any(written(tmp_path / "history.txt", lines)).history

    assert str(history[6].error).endswith("\nat somewhere")
    assert history[7].f == "read"


def test_a_line_that_is_no_op_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "history.txt", [LINES[0], "and then", LINES[2]])

    with pytest.raises(
        DamagedFile, match=r"line 2: expected `PROCESS<tab>:TYPE<tab>:F<tab>VALUE`, found 'and then'"
    ):
        read_any(path)
    assert len(read_any(path, keep_undamaged=True).history) == 1


@pytest.mark.parametrize("value", ["[1 2", "1 2", ""])
def test_a_value_that_is_not_one_form_is_damage(tmp_path: Path, value: str) -> None:
    with pytest.raises(DamagedFile, match="line 1: "):
        read_any(written(tmp_path / "history.txt", [f"0\t:invoke\t:write\t{value}"]))


def test_the_ops_on_a_console_are_read_with_their_times(tmp_path: Path) -> None:
    recording = read_any(written(tmp_path / "console.txt", CONSOLE))

    assert recording.format == "jepsen-log"
    assert [(op.process, op.type, op.f) for op in recording.history][2:] == [
        (0, "ok", "write"),
        (1, "invoke", "read"),
        (1, "info", "read"),
    ]
    assert [op.time for op in recording.history] == [at * 1_000_000_000 for at in range(5)]
