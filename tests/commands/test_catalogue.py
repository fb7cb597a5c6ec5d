"""What is asked for by name: the nearest names are offered, or the reason why there are none."""

from collections.abc import Callable

import pytest

from ostrakon.harness import catalogue
from ostrakon.harness.catalogue import (
    UnknownName,
    find_model,
    find_report,
    find_scenario,
    find_strategy,
    find_workload,
)


@pytest.fixture
def nothing_on_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_offers", lambda group: {})


@pytest.mark.parametrize("find", [find_workload, find_model, find_scenario, find_report, find_strategy])
def test_a_name_that_is_asked_for_where_nothing_is_installed_is_answered_with_how_to_install_it(
    nothing_on_offer: None, find: Callable[[str], object]
) -> None:
    with pytest.raises(UnknownName, match=r"no .+ 'register'; .* without being installed; `pip install"):
        find("register")


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one() -> None:
    with pytest.raises(UnknownName, match=r"no workload 'regster'; did you mean .*register"):
        find_workload("regster")


def test_a_name_like_no_other_is_answered_with_all_there_are() -> None:
    with pytest.raises(UnknownName, match=r"no report 'xyzzy'; there are: campaign, index, run"):
        find_report("xyzzy")
