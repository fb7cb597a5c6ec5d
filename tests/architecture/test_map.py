"""ARCHITECTURE.md is true: the folders of its map and the files of its reading lists exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text()


def listed_files() -> Iterator[Path]:
    """The files of "Where to begin": a name without a folder is in the folder that was named last."""
    folder, section = ROOT, PAGE.partition("## Where to begin")[2].partition("\n## ")[0]
    for row in re.findall(r"^\|.*\|$", section, re.MULTILINE):
        for name in re.findall(r"`([\w/]+(?:/|\.py))`", row):
            if name.endswith("/"):
                folder = ROOT / name
            else:
                yield ROOT / name if "/" in name else folder / name


def mapped_folders() -> Iterator[Path]:
    """The folders of the map; the indentation says which folder each is in."""
    above: list[tuple[int, Path]] = []
    for indent, name in re.findall(r"^( *)([\w-]+)/ ", PAGE.partition("## Map")[2], re.MULTILINE):
        while above and above[-1][0] >= len(indent):
            above.pop()
        path = (above[-1][1] if above else ROOT) / name
        above.append((len(indent), path))
        yield path


def test_the_files_of_the_reading_lists_exist() -> None:
    files = list(listed_files())

    assert len(files) > 15
    assert [file.relative_to(ROOT).as_posix() for file in files if not file.is_file()] == []


def test_the_folders_of_the_map_exist() -> None:
    folders = list(mapped_folders())

    assert len(folders) > 40
    assert [folder.relative_to(ROOT).as_posix() for folder in folders if not folder.is_dir()] == []
