"""Protocol stories, kept as text that reads like the paper's examples; `--rewrite` writes them anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.paxos_impl.core.story import play

STORIES = sorted((Path(__file__).parents[2] / "testdata" / "paxos").glob("*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_the_story_goes_as_it_is_told(path: Path, rewrite: bool) -> None:
    told = path.read_text()

    played = play(told)

    if rewrite:
        path.write_text(played)
    assert played == path.read_text()


def test_there_are_stories() -> None:
    assert len(STORIES) >= 4
