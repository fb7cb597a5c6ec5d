"""Each mistake of a user ends in one sentence at the user's line, without a traceback of ours."""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

SOURCE = (Path(__file__).parents[1] / "testdata" / "plugin" / "mistakes.txt").read_text()
LINES = SOURCE.splitlines()
CALL = next(number for number, line in enumerate(LINES, 1) if "trial(OK, **{" in line)
SAID = [
    *(
        (at, said[1])
        for at, line in enumerate(LINES, 1)
        if (said := re.search(r"# said: (?:\w+: )?(.+)$", line))
    ),
    *((CALL, f"*{said[1]}") for line in LINES if (said := re.match(r'    "(.+?)": \{', line))),
]
"""The line and the sentence of each mistake, as the file of mistakes announces them."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a run of all these mistakes prints."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "test_mine.py").write_text(SOURCE)
    options = ["-m", "chaos", "--no-shrink", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "test_mine.py", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize(("line", "said"), SAID)
def test_a_mistake_is_told_in_a_sentence_at_the_users_line(told: str, line: int, said: str) -> None:
    sentences = [text.removeprefix("UNKNOWN  ") for text in told.splitlines()]

    assert any(fnmatchcase(text, f"test_mine.py:{line}: {said}") for text in sentences), told


def test_no_mistake_passes_and_none_shows_our_code(told: str) -> None:
    assert re.search(r"=+ \d+ failed(?:, \d+ warnings?)? in ", told), told[-300:]
    assert "harness/" not in told
