"""What must be installed, and what it says of its version."""

from __future__ import annotations

import sys

from ostrakon.harness.hosts.system import SystemPackage, missing, versions

PYTHON = SystemPackage(sys.executable, "python3", ("--version",))


def test_nothing_is_missing_that_is_there() -> None:
    assert list(missing((PYTHON, SystemPackage("sh", "dash")), ("msgspec",))) == []


def test_what_is_missing_is_named_with_the_line_that_installs_it() -> None:
    told = list(missing((SystemPackage("no-such-program", "no-package"),), ("no_library",)))

    assert told == [
        "no-such-program is not installed: apt-get install no-package",
        "the library no_library is not installed: pip install 'ostrakon[systems]'",
    ]


def test_programs_and_libraries_tell_their_versions() -> None:
    told = versions((PYTHON, SystemPackage("no-such-program", "no-package", ("--version",))), ("msgspec",))

    assert next(iter(told.values())).startswith("Python 3.")
    assert set(told) == {sys.executable.rpartition("/")[2], "msgspec"}
