"""ARCHITECTURE.md draws the arrows between packages; these tests keep them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("paxos_impl", "harness", "checkers", "workloads", "reports")
MAY_IMPORT = {
    "paxos_impl": ("paxos_impl",),
    "harness": ("harness",),
    "checkers": ("checkers", "harness.history"),
    "reports": ("reports", "checkers", "harness.history", "harness.store", "harness.plan", "harness.faults"),
    "workloads": OURS,
}
WITHOUT_TRIO = (
    "checkers",
    "reports",
    "paxos_impl/core",
    "harness/generator",
    "harness/history",
    "harness/plan.py",
)
RUNTIMES = ("harness/sim/runtimes/trio/", "harness/sim/runtimes/asyncio/")
"""The only places that may use private names of Trio."""


def sources(where: str) -> list[Path]:
    path = ROOT / where
    return [path] if path.suffix else sorted(path.rglob("*.py"))


def imports(source: Path) -> Iterator[str]:
    """What a file imports; ours by the names of the folders, without `ostrakon.` before them."""
    package = ".".join(source.relative_to(ROOT).with_suffix("").parts[:-1])
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("ostrakon.") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = f"{package}.{node.module or ''}" if node.level else str(node.module)
            yield module.removeprefix("ostrakon.")


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


@pytest.mark.parametrize("package", OURS)
def test_packages_import_only_what_the_map_allows(package: str) -> None:
    strays = [
        f"{source.relative_to(ROOT)} imports {name}"
        for source in sources(package)
        for name in imports(source)
        if within(name, OURS) and not within(name, MAY_IMPORT[package])
    ]

    assert sources(package), f"vacuous: {package} has no sources"
    assert not strays


@pytest.mark.parametrize("where", WITHOUT_TRIO)
def test_what_decides_never_imports_trio(where: str) -> None:
    assert not [source for source in sources(where) for name in imports(source) if within(name, ("trio",))]


def test_networkx_stays_with_checkers_and_reports() -> None:
    elsewhere = [p for p in OURS if p not in ("checkers", "reports")]
    assert not [
        source
        for package in elsewhere
        for source in sources(package)
        for name in imports(source)
        if within(name, ("networkx",))
    ]


def test_private_names_of_trio_are_used_by_the_runtimes_only() -> None:
    users = [
        source.relative_to(ROOT).as_posix()
        for package in OURS
        for source in sources(package)
        if "trio._" in source.read_text()
    ]

    assert users, "vacuous: nobody uses any"
    assert not [user for user in users if not user.startswith(RUNTIMES)]


@pytest.mark.parametrize(
    "module",
    [
        "ostrakon",
        "ostrakon.harness.cli",
        "ostrakon.paxos_impl.cli",
        "ostrakon.harness.plugin",
        "ostrakon.harness.history",
        "ostrakon.checkers",
    ],
)
def test_starting_up_imports_nothing_heavy(module: str) -> None:
    heavy = ("numpy", "scipy", "networkx", "trio", "jinja2", "hypothesis")
    probe = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"

    seen = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT)

    assert seen.stdout.strip() == "[]"


def test_every_package_is_in_the_map() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()

    missing = [
        folder.relative_to(ROOT).as_posix()
        for package in OURS
        for folder in [ROOT / package, *sorted((ROOT / package).rglob("*/"))]
        if (folder / "__init__.py").exists() and f"{folder.name}/" not in text
    ]

    assert not missing


def test_the_code_speaks_of_itself_alone() -> None:
    hosts = ("py" + "pi.org", "python" + "hosted", "npm" + "js.org", "debian" + ".org")
    tracked = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split()
    texts = {name: (ROOT / name).read_bytes() for name in tracked if (ROOT / name).is_file()}

    assert not [name for name, text in texts.items() if any(host.encode() in text for host in hosts)]
