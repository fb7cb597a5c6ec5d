"""Hypothesis strategies for histories, for your own property tests of checkers and models.

    @given(histories("cas-register", lies=False))
    def test_my_checker_passes_what_is_linearizable(history: History) -> None:
        assert my_checker(history).valid == "valid"

Needs Hypothesis, which the extra `test` brings along.
"""

from __future__ import annotations

from hypothesis import strategies as st

from ostrakon.checkers.linearizability.fabrication import EXEMPLARS, Exemplar, fabricate
from ostrakon.harness.history import History


@st.composite
def histories(
    draw: st.DrawFn,
    of: str | Exemplar,
    /,
    *,
    operations_max: int = 12,
    clients_max: int = 5,
    unknown: bool = True,
    lies: bool = True,
) -> History:
    """Histories of an object, one of `EXEMPLARS` or your own.

    With `unknown`, of some operations nothing is heard again. With `lies`, some are answered from an earlier
    state or an invented one, and some are forgotten; without, the history is linearizable.
    """
    exemplar = EXEMPLARS[of] if isinstance(of, str) else of
    return fabricate(
        exemplar,
        lambda below: draw(st.integers(0, below - 1)),
        operations=draw(st.integers(0, operations_max)),
        clients=draw(st.integers(1, clients_max)),
        unknown=0.3 if unknown else 0.0,
        stale=0.1 if lies else 0.0,
        lost=0.05 if lies else 0.0,
        invented=0.05 if lies else 0.0,
    )
