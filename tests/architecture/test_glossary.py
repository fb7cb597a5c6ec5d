"""docs/glossary.md is the list of words; names of modules and classes keep to it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs/glossary.md").read_text()
FOLDERS = ("paxos_impl", "harness", "checkers", "workloads", "reports")
PAXOS_TWICE = ("paxos_impl/core/", "paxos_impl/wire/decree.py", "paxos_impl/wire/replica.py")
"""Basic Paxos and Multi-Paxos; both use the same names for what is the same in them."""


def terms() -> list[str]:
    """The first column of the tables of words, one term after the other."""
    rows = re.findall(r"^\| ([a-z][^|]*) \|", GLOSSARY, re.MULTILINE)
    return [term.strip() for row in rows if row != "term" for term in re.split(r"[,;]", row)]


def forbidden() -> set[str]:
    """The words of the last section."""
    return set(re.findall(r"`([a-z]+)`", GLOSSARY.partition("## Words that are not used")[2]))


def names() -> list[tuple[str, str]]:
    """Modules and classes, each with the file it is in."""
    found = []
    for folder in FOLDERS:
        for source in sorted((ROOT / folder).rglob("*.py")):
            where = source.relative_to(ROOT).as_posix()
            found.append((source.stem, where))
            tree = ast.parse(source.read_text())
            found += [(node.name, where) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return found


def words(name: str) -> set[str]:
    """`MachineControl` and `machine_control` are machine and control; a plural counts as its singular."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return {part.lower() for part in parts} | {part.lower().removesuffix("s") for part in parts}


def test_no_module_and_no_class_is_named_by_a_metaphor() -> None:
    metaphors = forbidden()

    assert len(metaphors) > 10, "vacuous: no words are forbidden"
    assert not [f"{where}: {name}" for name, where in names() if words(name) & metaphors]


def class_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Public classes and type aliases of a module, each with a text that is equal for equal aliases.

    Not protocol classes: each has the name of what it stands for, and belongs to whoever needs it.
    """
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name, bases=bases) if not any("Protocol" in ast.unparse(b) for b in bases):
                yield name, f"class {name} of line {node.lineno}"
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if not name.isupper():
                yield name, ast.unparse(value)


def names_with_two_meanings(folder: str) -> dict[str, set[str]]:
    """Names that two modules of one folder of the root use for different things, with the modules."""
    meanings: dict[str, set[str]] = {}
    places: dict[str, set[str]] = {}
    for source in sorted((ROOT / folder).rglob("*.py")):
        where = source.relative_to(ROOT).as_posix()
        for name, meaning in class_names(ast.parse(source.read_text())):
            if name[0].isupper():
                meanings.setdefault(name, set()).add(
                    f"{where}: {meaning}" if meaning.startswith("class") else meaning
                )
                places.setdefault(name, set()).add(where)
    return {name: places[name] for name, told in meanings.items() if len(told) > 1}


def test_a_class_name_means_one_thing_in_each_folder_of_the_root() -> None:
    section = GLOSSARY.partition("## Names that occur twice")[2].partition("\n## ")[0]
    admitted = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    found = {
        name: places
        for folder in FOLDERS
        for name, places in names_with_two_meanings(folder).items()
        if not all(place.startswith(PAXOS_TWICE) for place in places)
    }

    assert found, "vacuous: no name occurs twice"
    assert {name: places for name, places in found.items() if name not in admitted} == {}
    assert admitted - set(found) == set(), "the glossary admits names that occur once"


def test_each_term_stands_once_and_in_order() -> None:
    listed = terms()

    assert len(listed) > 50
    assert len(listed) == len(set(listed))
    for section in re.split(r"^## ", GLOSSARY, flags=re.MULTILINE)[1:]:
        rows = [row for row in re.findall(r"^\| ([a-zA-Z][^|]*) \|", section, re.MULTILINE) if row != "term"]
        assert rows == sorted(rows, key=str.lower), section.partition("\n")[0]


def test_no_term_is_a_word_that_is_not_used() -> None:
    assert not set(terms()) & forbidden()


def test_the_words_of_the_verdict_are_in_the_glossary() -> None:
    """What every page and every exit status speaks of has an entry."""
    spoken = {"trial", "plan", "op", "history", "trace", "verdict", "anomaly", "witness", "fault", "nemesis"}

    assert spoken <= set(terms())
