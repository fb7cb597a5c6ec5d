"""How a workload is named: by an entry point, as `package.module:NAME`, or as `path/to/test_file.py::NAME`.

The last two make a workload usable that no package offers: a plan keeps the reference, so that a replay, a
shrinking or a worker in another process finds the workload again. Loading a reference imports the module, as
pytest would import it.
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
    """Something was asked for by a name that nothing has; the message offers the nearest names."""

    def __init__(
        self, noun: str, name: str, known: Iterable[str], *, if_none: str = "there are: none"
    ) -> None:
        known = sorted(known)
        hint = did_you_mean(name, known) or (f"there are: {', '.join(known)}" if known else if_none)
        super().__init__(f"there is no {noun} {name!r}; {hint}")


class CannotLoad(UnknownName):
    """A reference does not lead to a workload; the message says why and what would."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)


def is_reference(text: str) -> bool:
    """Whether a text names a module or a file, and not an entry point."""
    return ":" in text or text.endswith(".py")


def load_workload(reference: str) -> Workload:
    """The workload that a reference leads to. Raises: CannotLoad.

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
    """The workloads of a module or file, by the reference that leads to each. Raises: CannotLoad."""
    module = load_module(place)
    return {_join(place, name): getattr(module, name) for name in _names(module)}


def load_module(place: str) -> ModuleType:
    """The module of this dotted name, or in this file. Raises: CannotLoad."""
    if place.endswith(".py"):
        path = Path(place).resolve()
        if not path.is_file():
            raise CannotLoad(f"there is no file {place} in {Path.cwd()} on {socket.gethostname()}")
        return _loaded_from(path) or _import(place, *_module_of(path))
    return _import(place, place, Path.cwd())


def reference_of(workload: Workload, seen_from: ModuleType) -> str | None:
    """A reference to a workload that a module can see; None if no module-level name leads to it.

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
    """Which references the module would answer to."""
    names = _names(module)
    if not names:
        return "it has no Workload at its top level"
    close = suggestion(name, names) if name else ""
    return close if close.startswith("did") else f"name {' or '.join(_join(place, known) for known in names)}"


def _names(module: ModuleType) -> list[str]:
    # A copy: looking at an attribute of a lazy module may add others.
    return [name for name, value in list(vars(module).items()) if isinstance(value, Workload)]


def _import(place: str, name: str, folder: Path) -> ModuleType:
    """Import a module, from this folder if nowhere else."""
    if str(folder) not in sys.path:
        # At the front, as `python -m pytest` has it: a folder's own modules are meant.
        sys.path.insert(0, str(folder))
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(1, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise CannotLoad(_why_not(place, error)) from error


def _loaded_from(path: Path) -> ModuleType | None:
    """The module that is in this file, if it was imported already: by pytest, perhaps under another name."""
    text = str(path)
    return next((m for m in list(sys.modules.values()) if getattr(m, "__file__", None) == text), None)


def _why_not(place: str, error: Exception) -> str:
    told = f"{place} cannot be imported on {socket.gethostname()}: {type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError):
        told += f"; it has to be there, or its package has to be installed (looked in {Path.cwd()})"
    return told


def _module_of(path: Path) -> tuple[str, Path]:
    """The dotted name of the module in a file, and the folder it is imported from: as pytest has them."""
    folder, names = path.parent, [path.stem]
    while (folder / "__init__.py").exists():
        names.append(folder.name)
        folder = folder.parent
    return ".".join(reversed(names)), folder


def _place_of(module: ModuleType) -> str | None:
    """How a module is named in a reference: by its file if that is below the working folder."""
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
