"""What the documentation shows works: Python runs, commands exist, files behave as the page says."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ostrakon.harness.cli import ostrakon
from ostrakon.paxos_impl.cli import cli as paxos
from tests.docs.pages import PAGES, ROOT, Block, blocks, commands
from tests.paxos_impl.town import KvTown, living

BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
COMMANDS: dict[str, click.Command] = {"ostrakon": ostrakon, "paxos": paxos}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def with_blocks(*languages: str, marks: tuple[str, ...] = ()) -> list[Path]:
    """The pages that have a block in one of these languages, and one with each of these marks."""
    return [
        page
        for page in PAGES
        if any(block.language in languages for block in blocks(page))
        and all(any(block.marked(mark) is not None for block in blocks(page)) for mark in marks)
    ]


@pytest.mark.parametrize("page", with_blocks("python"), ids=name_of)
def test_python_on_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks with prompts are doctests, files are compiled, all others are run, top down in one namespace."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "docs"}
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for number, block in enumerate(block for block in blocks(page) if block.language == "python"):
        where = f"{name_of(page)}, block {number}"
        if block.marked("file") is not None or block.marked("program") is not None:
            compile(block.text, where, "exec")
        elif ">>> " in block.text:
            runner.run(parser.get_doctest(block.text, namespace, where, where, 0), clear_globs=False)
            assert runner.summarize(verbose=False).failed == 0, where
        else:
            exec(compile(block.text, where, "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_and_option_that_a_page_shows_exists(page: Path) -> None:
    strays = [
        f"{line}: {problem}"
        for line in commands(page)
        if line.split(" ")[0] in COMMANDS
        for problem in problems(line)
    ]

    assert not strays


def problems(line: str) -> Iterator[str]:
    """What is wrong with a line of the shell that calls one of our commands."""
    words = shlex.split(re.split(r"\s(?:&|\||&&|>)(?:\s|$)", line)[0])
    command = COMMANDS[words.pop(0)]
    context = click.Context(command)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            yield f"there is no command {words[0]!r}"
            return
        command = found
        words.pop(0)
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    for word in words[: words.index("--")] if "--" in words else words:
        if word.startswith("-") and not word.lstrip("-").replace(".", "").isdigit():
            name = word.partition("=")[0]
            if name not in options | {"--help", "--version", "-h"}:
                yield f"there is no option {name}"


OF_FILES = [page for page in with_blocks("python", marks=("file",)) if page.name != "README.md"]
"""The README's are tested by tests/readme, which holds it to more."""


WITH_A_CLUSTER = with_blocks("python", marks=("program",))


@pytest.mark.parametrize("page", WITH_A_CLUSTER, ids=name_of)
def test_programs_of_a_page_print_what_it_shows(page: Path, tmp_path: Path) -> None:
    shown = blocks(page)
    with living(KvTown(tmp_path)) as town:
        ports = {f"700{number}": town.addresses[f"{number}"].rpartition(":")[2] for number in (1, 2, 3)}
        for block in shown:
            if (name := block.marked("program")) is None:
                continue
            expected = next(later for later in shown if later.mark == "prints").text
            text = re.sub(r"700[123]", lambda found: ports[found.group()], block.text)
            (tmp_path / name).write_text(text)
            ran = run([sys.executable, name], tmp_path)
            assert ran.stdout == expected, f"{name}: {ran.stdout}{ran.stderr}"


def told(page: Path) -> list[Block]:
    return [block for block in blocks(page) if {"file", "pytest", "run"} & {block.mark.partition(":")[0]}]


@pytest.mark.parametrize("page", OF_FILES, ids=name_of)
def test_the_files_of_a_page_do_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    """Each file is written when its block is reached; each mark `pytest` or `run` is carried out there."""
    checks = 0
    for block in told(page):
        if (name := block.marked("file")) is not None:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(block.text)
        elif (summary := block.marked("pytest")) is not None:
            ran = run([BIN / "pytest", "-q", "-m", "chaos", "-p", "no:cacheprovider"], tmp_path)
            assert summary in ran.stdout.splitlines()[-1], ran.stdout[-3000:] + ran.stderr
            checks += 1
        elif (status := block.marked("run")) is not None:
            checks += shown_is_printed(block, int(status), tmp_path)
    assert checks, f"vacuous: {name_of(page)} shows files and never what they do"


@pytest.mark.parametrize("page", with_blocks("python", marks=("file",)), ids=name_of)
def test_the_text_before_a_file_tells_its_name(page: Path) -> None:
    """The mark that names the file is a comment, which no reader sees."""
    text, at = page.read_text(), 0
    for block in blocks(page):
        here = text.index(block.text, at)
        if (name := block.marked("file")) is not None:
            assert f"`{name}`" in text[at : text.rindex("<!-- file:", 0, here)], name
        at = here + len(block.text)


def shown_is_printed(block: Block, status: int, folder: Path) -> int:
    """Run a block's commands; each line shown below one is printed. Returns how many ran."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    for number, part in enumerate(parts, start=1):
        command, _, shown = part.partition("\n")
        ran = run(["bash", "-c", re.sub(r"\s+#.*$", "", command)], folder)
        expected = status if number == len(parts) else 0
        assert ran.returncode == expected, (
            f"{command}: exit status {ran.returncode}\n{ran.stdout}{ran.stderr}"
        )
        for line in filter(None, (line.strip() for line in shown.splitlines())):
            if line != "...":
                assert line in ran.stdout + ran.stderr, f"{command} does not print {line!r}:\n{ran.stdout}"
    return len(parts)


def run(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=280)
