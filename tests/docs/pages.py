"""Reads the documentation: its fenced blocks, and the marks before them that say what a test does with each.

An HTML comment right before a block is its mark, which no reader sees:

- `<!-- file: NAME -->`: the block is this file of the page's own project; a later block replaces it.
- `<!-- pytest: 3 failed -->`: run the page's chaos tests as they are now; the summary says this.
- `<!-- program: NAME -->`: the block is a program that speaks to a cluster of three replicas, and prints what
  the next block with the mark `<!-- prints -->` shows. Its port 7001 is that of the first replica.
- `<!-- run: 1 -->`: run the commands after each `$`; the last one exits with this status.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    language: str
    """What stands after the fence: `python`, `sh`, `console`, `{toctree}`, ..."""
    text: str
    mark: str
    """The comment before it, without its brackets; empty if there is none."""

    def marked(self, name: str) -> str | None:
        """What the mark of this name says; None if the block has another mark or none."""
        key, colon, value = self.mark.partition(":")
        return value.strip() if colon and key.strip() == name else None


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for found in _BLOCK.finditer(page.read_text()):
        yield Block(found["language"].strip(), found["text"], found["mark"] or "")


def commands(page: Path) -> Iterator[str]:
    """The commands that a page shows in blocks for the shell: whole lines, without prompts and comments."""
    for block in blocks(page):
        if block.language not in ("sh", "console"):
            continue
        for line in block.text.splitlines():
            if block.language == "sh" or line.startswith("$ "):
                yield re.sub(r"\s+#.*$", "", line.removeprefix("$ ")).strip()
