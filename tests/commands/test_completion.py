"""A shell completes commands, options and names by click's own means."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def asked(instruction: str, **environment: str) -> str:
    code = "import sys; from ostrakon.harness.cli import main; sys.argv = ['ostrakon']; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "_OSTRAKON_COMPLETE": instruction, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_us(shell: str) -> None:
    if shell == "bash" and not os.access("/bin/bash", os.X_OK):
        pytest.skip("there is no bash here")
    assert f"_OSTRAKON_COMPLETE={shell}_complete" in asked(f"{shell}_source")


@pytest.mark.parametrize(
    ("words", "at", "found"),
    [
        ("ostrakon te", 1, "test"),
        ("ostrakon test regi", 2, "register"),
        ("ostrakon test register --nem", 3, "--nemesis"),
        ("ostrakon test register --nemesis pause,ki", 4, "pause,kill"),
        ("ostrakon soak decree,regis", 2, "decree,registry"),
    ],
)
def test_what_is_begun_is_completed(words: str, at: int, found: str) -> None:
    assert found in asked("bash_complete", COMP_WORDS=words, COMP_CWORD=str(at))


def test_an_unknown_command_has_no_completions() -> None:
    assert asked("bash_complete", COMP_WORDS="ostrakon tset --n", COMP_CWORD="2").strip() == ""
