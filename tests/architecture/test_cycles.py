"""No import cycles: not between modules at run time, and not between folders even for types.

Two modules that import each other, directly or through others, cannot be read, tested or moved apart. An
import inside a function only hides such a cycle, so it counts. An import under `TYPE_CHECKING` is allowed
between modules of one folder; between folders it would make one room out of two.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("paxos_impl", "harness", "checkers", "workloads", "reports")


def module_name(source: Path) -> str:
    """The dotted name of a file, without `ostrakon.`; a package's `__init__.py` is the package."""
    parts = source.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def import_statements(tree: ast.AST, *, types: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """All import statements; those under `TYPE_CHECKING` only if `types`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif types or not is_type_checking(node):
            yield from import_statements(node, types=types)


def imported(statement: ast.Import | ast.ImportFrom, package: str) -> Iterator[str]:
    """Dotted names that a statement may load; `from a import b` may mean the module `a.b`."""
    if isinstance(statement, ast.Import):
        yield from (alias.name for alias in statement.names)
        return
    base = package.split(".")[: len(package.split(".")) - statement.level + 1] if statement.level else []
    origin = ".".join([*base, *([statement.module] if statement.module else [])])
    yield from (f"{origin}.{alias.name}" for alias in statement.names)


def import_graph(folder: str, *, types: bool) -> nx.DiGraph[str]:
    """Which module of a folder imports which other of the same folder."""
    sources = {module_name(source): source for source in sorted((ROOT / folder).rglob("*.py"))}
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(sources)
    for name, source in sources.items():
        package = name if source.name == "__init__.py" else name.rpartition(".")[0]
        for statement in import_statements(ast.parse(source.read_text()), types=types):
            for target in imported(statement, package):
                found = longest_module(target.removeprefix("ostrakon."), sources)
                if found is not None and found != name:
                    graph.add_edge(name, found)
    return graph


def longest_module(name: str, known: Iterable[str]) -> str | None:
    """The module that a dotted name is, or is defined in."""
    modules = set(known)
    while name:
        if name in modules:
            return name
        name = name.rpartition(".")[0]
    return None


def folder_graph(graph: nx.DiGraph[str], sources: Iterable[str]) -> nx.DiGraph[str]:
    """The same between folders: a module stands for the folder that it is in."""
    packages = {name for name in sources if (ROOT / name.replace(".", "/")).is_dir()}
    between: nx.DiGraph[str] = nx.DiGraph()
    for one, other in graph.edges:
        home, away = (name if name in packages else name.rpartition(".")[0] for name in (one, other))
        # A folder within another is a part of it, so an import between the two makes no cycle of folders.
        if home != away and not home.startswith(away + ".") and not away.startswith(home + "."):
            between.add_edge(home, away)
    return between


def cycles(graph: nx.DiGraph[str]) -> list[list[str]]:
    """The groups of nodes of which each reaches each other."""
    return sorted(sorted(group) for group in nx.strongly_connected_components(graph) if len(group) > 1)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_modules_import_each_other_at_run_time(folder: str) -> None:
    graph = import_graph(folder, types=False)

    assert graph.number_of_edges() > 10, "vacuous: hardly any imports were seen"
    assert cycles(graph) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_folders_import_each_other_even_for_types(folder: str) -> None:
    graph = import_graph(folder, types=True)

    assert cycles(folder_graph(graph, graph.nodes)) == []


def test_a_cycle_through_a_function_is_seen() -> None:
    late = ast.parse("def f():\n    from ostrakon.harness.plan import Plan\n")
    typed = ast.parse("if TYPE_CHECKING:\n    from ostrakon.harness.plan import Plan\n")

    assert len(list(import_statements(late, types=False))) == 1
    assert not list(import_statements(typed, types=False))
    assert len(list(import_statements(typed, types=True))) == 1
