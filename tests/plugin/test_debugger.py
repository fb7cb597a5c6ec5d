"""A debugger in a chaos test talks to the real terminal: `breakpoint()` in a program, and `pytest --pdb`."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

TRIO = """
import trio

async def serve():
    held = 7
    await trio.sleep(0.25)
    breakpoint()
    await trio.sleep_forever()
"""
ASYNCIO = TRIO.replace("await trio.sleep_forever()", "await asyncio.Event().wait()").replace(
    "trio", "asyncio"
)
TEST = """
import pytest

from ostrakon import Workload, linearizable, lines_to, models, reads_and_writes
from program import serve

MINE = Workload(
    name="mine",
    program=lambda site: serve(),
    connect=lines_to(4000, ask=lambda op: f"{op.f} {op.value}", answer=int),
    generator=reads_and_writes,
    check=lambda plan, history, trace: linearizable(history, models.register(initial=0)),
    defaults={"nodes": 1, "time_limit_s": 0.5},
)


@pytest.mark.chaos
def test_it(trial, seed):
    trial(MINE, seed=seed, expect="unknown")
    here = 5
    assert here == 6
"""


def typed(folder: Path, options: list[str], lines: list[str]) -> str:
    """What a terminal shows while pytest runs in it and these lines are typed at the debugger's prompts."""
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-m",
        "chaos",
        "test_it.py",
        *options,
    ]
    environment = {**os.environ, "PYTHONBREAKPOINT": "", "TERM": "dumb"}
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    shown, prompts = b"", 0
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
            while shown.count(b"(Pdb) ") > prompts and prompts < len(lines):
                os.write(ours, lines[prompts].encode() + b"\n")
                prompts += 1
    except OSError:
        pass  # So a pseudo-terminal tells that the other side is closed.
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return shown.decode()


@pytest.mark.parametrize("program", [TRIO, ASYNCIO], ids=["trio", "asyncio"])
def test_a_breakpoint_in_a_program_stops_at_a_prompt_of_the_terminal(tmp_path: Path, program: str) -> None:
    (tmp_path / "program.py").write_text(program)
    (tmp_path / "test_it.py").write_text(TEST.replace("here == 6", "here == 5"))

    shown = typed(tmp_path, ["--no-shrink"], ["p held + 1", "c", "c"])

    assert "program.py(8)serve()" in shown, shown
    assert "8\r\n" in shown, shown
    assert "1 passed" in shown, shown


def test_pdb_of_pytest_opens_where_a_chaos_test_fails(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(TRIO.replace("    breakpoint()\n", ""))
    (tmp_path / "test_it.py").write_text(TEST)

    shown = typed(tmp_path, ["--pdb"], ["p here + 10", "q"])

    assert "> assert here == 6" in " ".join(shown.split()), shown
    assert "15\r\n" in shown, shown
