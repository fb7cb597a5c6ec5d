"""A debugger in a simulated program talks to the real terminal, and virtual time stands still."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import trio
from ostrakon import World

async def program():
    x = 41
    await trio.sleep(0.5)
    breakpoint()
    print("went on at", trio.current_time())
    input()

with World(1) as world:
    machine = world.machine("n1")
    machine.start(program)
    world.run()
    print(machine.process.state, machine.process.error)
"""


def test_breakpoint_stops_the_program_at_its_moment_and_input_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)

    ran = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        input="p x + 1\np trio.current_time()\nlist\nc\n",
        env={**os.environ, "PYTHONBREAKPOINT": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert "(Pdb) 42\n" in ran.stdout
    assert "(Pdb) 0.5\n" in ran.stdout
    assert "x = 41" in ran.stdout, "the debugger shows the source"
    assert "went on at 0.5" in ran.stdout
    assert "crashed" in ran.stdout
    assert "input() is not simulated" in ran.stdout
