"""Loads workloads by reference: `package.module:NAME` or `path/to/test_file.py::NAME`.

A reference makes a workload usable that no entry point offers. A plan keeps the reference, so that replay,
shrinking and workers in other processes find the workload again. Loading a reference imports the module in
the same way as pytest imports it.
"""

from __future__ import annotations

import importlib
import socket
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from ostrakon.harness.history.suggestion import did_you_mean, suggestion
from ostrakon.harness.workload import Workload


class UnknownName(Exception):
    """A name that does not exist; the message suggests the nearest names."""

    def __init__(
        self, noun: str, name: str, known: Iterable[str], *, if_none: str = "there are: none"
    ) -> None:
        known = sorted(known)
        hint = did_you_mean(name, known) or (f"there are: {', '.join(known)}" if known else if_none)
        super().__init__(f"there is no {noun} {name!r}; {hint}")


class CannotLoad(UnknownName):
    """A reference that does not lead to a workload; the message says why and what would be right."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)


def is_reference(text: str) -> bool:
    """Whether a text is a reference to a module or file, and not the name of an entry point."""
    return ":" in text or text.endswith(".py")


def load_workload(reference: str) -> Workload:
    """The workload of a reference. Raises: CannotLoad.

    load_workload("tests/test_bank.py::BANK")
    load_workload("bank.chaos:BANK")
    """
    place, name = _split(reference)
    module = load_module(place)
    if not name:
        raise CannotLoad(f"{place} is a module: {_hint(place, module)}")
    found = getattr(module, name, None)
    if isinstance(found, Workload):
        return found
    if found is not None:
        raise CannotLoad(
            f"{reference} is a {type(found).__name__}, not a Workload; {_hint(place, module, name)}"
        )
    raise CannotLoad(f"{place} has no {name!r}; {_hint(place, module, name)}")


def workloads_in(place: str) -> dict[str, Workload]:
    """All workloads of a module or file, by reference. Raises: CannotLoad."""
    module = load_module(place)
    return {_join(place, name): getattr(module, name) for name in _names(module)}


def load_module(place: str) -> ModuleType:
    """The module with this dotted name or in this file. Raises: CannotLoad."""
    if place.endswith(".py"):
        path = Path(place).resolve()
        if not path.is_file():
            raise CannotLoad(f"there is no file {place} in {Path.cwd()} on {socket.gethostname()}")
        return _loaded_from(path) or _import(place, *_module_of(path))
    return _import(place, place, Path.cwd())


def reference_of(workload: Workload, seen_from: ModuleType) -> str | None:
    """A reference to a workload that a module can see; None if no module-level name has this workload.

    The module itself is tried first, then modules that it imports, then those of the workload's functions.
    """
    modules = [seen_from, *_modules_in(seen_from), *_modules_of(workload)]
    for module in modules:
        for name in _names(module):
            if getattr(module, name) is workload and (place := _place_of(module)) is not None:
                return _join(place, name)
    return None


def _split(reference: str) -> tuple[str, str]:
    separator = "::" if "::" in reference else ":"
    place, _, name = reference.partition(separator)
    return place, name


def _join(place: str, name: str) -> str:
    return f"{place}{'::' if place.endswith('.py') else ':'}{name}"


def _hint(place: str, module: ModuleType, name: str = "") -> str:
    """The references to workloads that the module has, for an error message."""
    names = _names(module)
    if not names:
        return "it has no Workload at its top level"
    close = suggestion(name, names) if name else ""
    return close if close.startswith("did") else f"name {' or '.join(_join(place, known) for known in names)}"


def _names(module: ModuleType) -> list[str]:
    # A copy, because reading an attribute of a lazy module may add others.
    return [name for name, value in list(vars(module).items()) if isinstance(value, Workload)]


def _import(place: str, name: str, folder: Path) -> ModuleType:
    """Import a module; this folder is searched first."""
    if str(folder) not in sys.path:
        # At the front, as in `python -m pytest`, so that the folder's own modules are found first.
        sys.path.insert(0, str(folder))
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(1, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise CannotLoad(_why_not(place, error)) from error


def _loaded_from(path: Path) -> ModuleType | None:
    """The module of this file if it is already imported; pytest may have imported it by another name."""
    text = str(path)
    return next((m for m in list(sys.modules.values()) if getattr(m, "__file__", None) == text), None)


def _why_not(place: str, error: Exception) -> str:
    told = f"{place} cannot be imported on {socket.gethostname()}: {type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError):
        told += f"; it has to be there, or its package has to be installed (looked in {Path.cwd()})"
    return told


def _module_of(path: Path) -> tuple[str, Path]:
    """The dotted name of the module in a file, and the folder to import it from, by pytest's rules."""
    folder, names = path.parent, [path.stem]
    while (folder / "__init__.py").exists():
        names.append(folder.name)
        folder = folder.parent
    return ".".join(reversed(names)), folder


def _place_of(module: ModuleType) -> str | None:
    """The name of a module in a reference: its file, if that is below the working folder."""
    if module.__name__.startswith("ostrakon."):
        return module.__name__
    file = getattr(module, "__file__", None)
    if file is None or not file.endswith(".py"):
        return None
    path = Path(file).resolve()
    try:
        return path.relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return str(path) if module.__spec__ is None or "." not in module.__name__ else module.__name__


def _modules_in(module: ModuleType) -> list[ModuleType]:
    return [value for value in list(vars(module).values()) if isinstance(value, ModuleType)]


def _modules_of(workload: Workload) -> Iterator[ModuleType]:
    functions: Iterable[object] = (workload.program, workload.generator, workload.check, workload.connect)
    for name in dict.fromkeys(getattr(function, "__module__", None) for function in functions):
        if name is not None and name in sys.modules:
            yield sys.modules[name]
