"""A function with many parameters lacks an object: what is passed together belongs together."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("paxos_impl", "harness", "checkers", "workloads", "reports", "bench")
MOST = 6
OF_OTHERS = ("getaddrinfo", "_getaddrinfo", "address_info", "_open", "_make_ssl_transport")

"""Functions that stand in for one of the standard library, and have its parameters."""


def functions(source: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Those that a caller has to give or may give by position; options that have a default do not count."""
    arguments = function.args
    asked = [
        one
        for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    return [
        one.arg for one in (*arguments.posonlyargs, *arguments.args, *asked) if one.arg not in ("self", "cls")
    ]


def is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether click calls it, with a parameter for each option."""
    return any("command" in ast.unparse(decorator) for decorator in function.decorator_list)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_function_has_more_than_six_parameters(folder: str) -> None:
    every = [(source, one) for source in sorted((ROOT / folder).rglob("*.py")) for one in functions(source)]

    assert len(every) > 20, "vacuous: hardly any function was found"
    assert not [
        f"{source.relative_to(ROOT)}:{one.lineno} {one.name} has {len(parameters(one))}"
        for source, one in every
        if len(parameters(one)) > MOST and not is_command(one) and one.name not in OF_OTHERS
    ]
