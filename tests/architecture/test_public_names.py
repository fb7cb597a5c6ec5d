"""Users import public names only: documentation and examples use the face of the package."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

import ostrakon
from ostrakon import checkers
from tests.docs.pages import PAGES, ROOT, blocks

EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
REFERENCE = ROOT / "docs" / "reference" / "api.md"
PUBLIC = ("ostrakon", "ostrakon.checkers", "ostrakon.paxos_impl")
"""Modules from which users may import, each with an `__all__`."""


def sources() -> Iterator[tuple[str, str]]:
    """All Python that we show to users: where it stands, and the code."""
    for page in PAGES:
        for number, block in enumerate(blocks(page)):
            if block.language == "python":
                code = block.text if ">>> " not in block.text else prompted(block.text)
                yield f"{page.relative_to(ROOT)}, block {number}", code
    for example in EXAMPLES:
        yield example.relative_to(ROOT).as_posix(), example.read_text()


def prompted(text: str) -> str:
    """The code of a doctest without its prompts."""
    lines = (line for line in text.splitlines() if line.startswith((">>> ", "... ")))
    return "\n".join(line[4:] for line in lines)


def strays(code: str) -> Iterator[str]:
    """What a piece of code imports of ours that is not public."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("ostrakon.") and alias.name not in PUBLIC:
                    yield f"import {alias.name}"
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "ostrakon":
            if node.module not in PUBLIC:
                yield f"from {node.module} import ..."
            else:
                public = import_module(node.module).__all__
                yield from (alias.name for alias in node.names if alias.name not in public)


def test_documentation_and_examples_import_public_names_only() -> None:
    shown = list(sources())

    assert len(shown) > 10, "vacuous: hardly any Python was found"
    assert not [f"{where}: {stray}" for where, code in shown for stray in strays(code)]


@pytest.mark.parametrize("name", ostrakon.__all__)
def test_every_public_name_can_be_imported_and_is_documented(name: str) -> None:
    found = getattr(ostrakon, name)

    assert (found.__doc__ or "").strip() or not callable(found), f"{name} has no docstring"
    assert name in REFERENCE.read_text(), f"{name} is not in {REFERENCE.relative_to(ROOT)}"


@pytest.mark.parametrize("name", checkers.__all__)
def test_every_public_checker_is_a_function_and_is_documented(name: str) -> None:
    found = getattr(checkers, name)

    assert callable(found), f"checkers.{name} is hidden by a module of the same name"
    assert (found.__doc__ or "").strip(), f"checkers.{name} has no docstring"
    assert f"autofunction:: ostrakon.checkers.{name}\n" in REFERENCE.read_text()


def test_the_checker_of_names_sees_a_private_one() -> None:
    assert list(strays("from ostrakon.harness.plan import Plan")) == ["from ostrakon.harness.plan import ..."]
    assert list(strays("from ostrakon import Plan, hidden")) == ["hidden"]
    assert not list(strays("from ostrakon import Plan"))


def test_what_is_private_to_a_user_is_not_listed_by_accident() -> None:
    assert not [name for name in ostrakon.__all__ if name.startswith("_")]
    assert sorted(ostrakon.__all__) == list(ostrakon.__all__)
    assert Path(ostrakon.__file__).name == "__init__.py"


def fields_without_a_docstring(kind: type) -> list[str]:
    """The public fields that a class declares and does not describe."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    described = {
        before.target.id
        for before, after in pairwise(body.body)
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name)
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }
    declared = [
        node.target.id
        for node in body.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    return [name for name in declared if not name.startswith("_") and name not in described]


def test_every_field_of_a_public_class_is_described() -> None:
    classes = [found for name in ostrakon.__all__ if isinstance(found := getattr(ostrakon, name), type)]

    missing = {kind.__name__: fields_without_a_docstring(kind) for kind in classes}

    assert len(classes) > 15, "vacuous: hardly any public class was found"
    assert not {name: fields for name, fields in missing.items() if fields}
