"""One wheel and one environment for all tests of the package: they take half a minute to make."""

from __future__ import annotations

import pytest

from tests.package.environment import Environment, editable, installed


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return installed(tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture(params=["wheel", "editable"])
def environment(request: pytest.FixtureRequest) -> Environment:
    """Both ways to install."""
    found: Environment = request.getfixturevalue("wheel") if request.param == "wheel" else editable()
    return found
