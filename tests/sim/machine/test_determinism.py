"""One seed, one story: in this process and another, whatever the hash seed, Python or Trio."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.divergence import first_divergence
from tests.sim.scenario import story

REPOSITORY = Path(__file__).resolve().parents[3]
GOLDEN = REPOSITORY / "tests" / "testdata" / "sim" / "stories.txt"
SEEDS = (1, 2, 3, 4)
OTHER_PYTHONS = sorted((REPOSITORY / ".venvs").glob("*/bin/python"))


def told_elsewhere(python: str | Path, hash_seed: str, *seeds: int) -> list[str]:
    """The stories as a fresh interpreter tells them."""
    done = subprocess.run(
        [str(python), "-m", "tests.sim.scenario", *map(str, seeds)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def assert_same(one: list[str], other: list[str]) -> None:
    divergence = first_divergence(one, other)
    assert divergence is None, str(divergence)


def test_a_story_is_eventful() -> None:
    lines = "\n".join(line for seed in SEEDS for line in story(seed))

    for word in ("recovers", "TooSlowError", "struck", "cut stopped", "power off", "pause"):
        assert word in lines, f"vacuous: nothing says {word!r}"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_seed_tells_the_same_story_again(seed: int) -> None:
    assert_same(story(seed), story(seed))


def test_what_happened_before_in_this_interpreter_does_not_matter() -> None:
    first = story(1)
    garbage = [[object() for _ in range(1000)] for _ in range(100)]
    for cycle in garbage:
        cycle.append(cycle)
    del garbage

    second = story(1)

    assert_same(first, second)
    gc.collect()


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_fresh_interpreters_tell_the_same_story_whatever_their_hash_seed(hash_seed: str) -> None:
    here = [line for seed in SEEDS for line in story(seed)]

    assert_same(here, told_elsewhere(sys.executable, hash_seed, *SEEDS))


def test_different_seeds_tell_different_stories() -> None:
    assert len({story(seed)[-1] for seed in range(8)}) == 8


@pytest.mark.parametrize("seed", SEEDS)
def test_the_story_is_the_golden_one_on_every_python(seed: int) -> None:
    """A change here changes what every recorded seed means. To rewrite: `python -m tests.sim.golden`."""
    golden = dict(line.split() for line in GOLDEN.read_text().splitlines())

    assert story(seed)[-1] == golden[str(seed)]


@pytest.mark.skipif(not OTHER_PYTHONS, reason="no other interpreters with Trio under .venvs/")
@pytest.mark.parametrize("python", OTHER_PYTHONS, ids=lambda path: path.parts[-3])
def test_other_pythons_and_trios_tell_the_same_story(python: Path) -> None:
    here = [line for seed in SEEDS[:2] for line in story(seed)]

    assert_same(here, told_elsewhere(python, "random", *SEEDS[:2]))


def test_a_divergence_is_shown_with_what_came_before() -> None:
    divergence = first_divergence(list("abcdef"), list("abcdxf"))

    assert divergence is not None
    assert str(divergence).splitlines()[1:] == ["    b", "    c", "    d", "  - e", "  + x"]
    assert first_divergence(["a"], ["a"]) is None
    assert "+ (the end)" in str(first_divergence(["a", "b"], ["a"]))
