"""The lattice of consistency models: which model forbids which anomaly, and which is stronger.

The levels PL-1 to PL-3 and PL-2+ are Adya's (1999); read atomic, update atomic, causal, prefix and the two
snapshot isolations follow Cerone, Bernardi and Gotsman (CONCUR 2015, PODC 2016), the strong session variants
Daudjee and Salem (VLDB 2006), monotonic atomic view Bailis and others (VLDB 2013). A plain model minds no
order of time, with one exception: causal consistency is about the order of sessions, so `causal` has it, and
`causal-cerone` is the same without."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from ostrakon.checkers.transactions.dependency import SUFFIXES, Suffix
from ostrakon.harness.history.suggestion import did_you_mean

_WEAKER: dict[str, tuple[str, ...]] = {
    "read-uncommitted": (),
    "read-committed": ("read-uncommitted",),
    "monotonic-atomic-view": ("read-committed",),
    "cursor-stability": ("read-committed",),
    "read-atomic": ("monotonic-atomic-view",),
    "update-atomic": ("read-atomic", "cursor-stability"),
    "causal-cerone": ("read-atomic",),
    "consistent-view": ("cursor-stability", "monotonic-atomic-view"),
    "parallel-snapshot-isolation": ("consistent-view", "causal-cerone", "update-atomic"),
    "prefix": ("causal-cerone",),
    "snapshot-isolation": ("parallel-snapshot-isolation", "prefix"),
    "repeatable-read": ("cursor-stability", "monotonic-atomic-view"),
    "serializable": ("snapshot-isolation", "repeatable-read"),
    "strong-session-read-uncommitted": ("read-uncommitted",),
    "strong-session-read-committed": ("read-committed", "strong-session-read-uncommitted"),
    "strong-session-monotonic-atomic-view": ("monotonic-atomic-view", "strong-session-read-committed"),
    "strong-session-read-atomic": ("read-atomic", "strong-session-monotonic-atomic-view"),
    "causal": ("causal-cerone", "strong-session-read-atomic"),
    "strong-session-prefix": ("prefix", "causal"),
    "strong-session-snapshot-isolation": ("snapshot-isolation", "strong-session-prefix"),
    "strong-session-serializable": ("serializable", "strong-session-snapshot-isolation"),
    "strong-read-uncommitted": ("strong-session-read-uncommitted",),
    "strong-read-committed": ("strong-session-read-committed", "strong-read-uncommitted"),
    "strong-snapshot-isolation": ("strong-session-snapshot-isolation", "strong-read-committed"),
    "strict-serializable": ("strong-session-serializable", "strong-snapshot-isolation"),
}
"""Each model with those just below it; the order goes from weak to strong."""

MODELS = tuple(_WEAKER)

_ALIASES = {
    "PL-1": "read-uncommitted",
    "PL-2": "read-committed",
    "PL-CS": "cursor-stability",
    "PL-2+": "consistent-view",
    "PSI": "parallel-snapshot-isolation",
    "SI": "snapshot-isolation",
    "MAV": "monotonic-atomic-view",
    "RA": "read-atomic",
    "strong-session-causal": "causal",
    "PL-SI": "snapshot-isolation",
    "PL-2.99": "repeatable-read",
    "PL-3": "serializable",
    "PL-SS": "strict-serializable",
    "strong-serializable": "strict-serializable",
    "strong-session-PL-1": "strong-session-read-uncommitted",
    "strong-session-PL-2": "strong-session-read-committed",
    "strong-session-PL-3": "strong-session-serializable",
    "strong-PL-1": "strong-read-uncommitted",
    "strong-PL-2": "strong-read-committed",
}

_FORBIDDEN: dict[str, frozenset[str]] = {
    "read-uncommitted": frozenset({"garbage-read", "duplicate-elements"}),
    "read-committed": frozenset(
        {"G1a", "G1b", "dirty-update", "incompatible-order", "future-read", "cyclic-versions"}
    ),
    "cursor-stability": frozenset({"lost-update"}),
    # Cerone and Gotsman's INT; a reread that finds a change is the fuzzy read of repeatable-read as well.
    "read-atomic": frozenset({"internal"}),
    "repeatable-read": frozenset({"internal"}),
}
"""What a model forbids beyond what those below it do, cycles aside."""

_FORBIDDEN_CYCLES: dict[str, tuple[str, ...]] = {
    "read-uncommitted": ("G0",),
    "read-committed": ("G1c",),
    "consistent-view": ("G-single-item", "G-single"),
    "snapshot-isolation": ("G-nonadjacent-item", "G-nonadjacent"),
    "repeatable-read": ("G-single-item", "G-nonadjacent-item", "G2-item"),
    "serializable": ("G2",),
}


class UnknownModel(ValueError):
    """There is no consistency model of that name among those that can be checked."""


def canonical_name(model: str) -> str:
    """The name used here for a model that goes by several.

    Raises: UnknownModel, listing the names there are.
    """
    name = _ALIASES.get(model, model)
    if name not in _WEAKER:
        hint = did_you_mean(model, [*MODELS, *_ALIASES])
        meant = f"{hint} There" if hint else "there"
        raise UnknownModel(f"{model!r} is no consistency model known here; {meant} are {', '.join(MODELS)}")
    return name


def as_strong(model: str, than: str) -> bool:
    """Whether a history that satisfies `model` always satisfies `than`."""
    return than in _closure(model)


def forbidden(model: str) -> frozenset[str]:
    """The names of all anomalies that a model rules out, by itself or because a weaker one does."""
    return _forbidden(canonical_name(model))


def violated(anomalies: Iterable[str]) -> frozenset[str]:
    """The models that a history with these anomalies does not satisfy."""
    found = frozenset(anomalies)
    return frozenset(model for model in MODELS if _forbidden(model) & found)


def strongest(models: Iterable[str]) -> tuple[str, ...]:
    """Of some models those to which no other one is stronger."""
    given = frozenset(models)
    return tuple(m for m in MODELS if m in given and not any(m != o and as_strong(o, m) for o in given))


def weakest(models: Iterable[str]) -> tuple[str, ...]:
    """Of some models those to which no other one is weaker."""
    given = frozenset(models)
    return tuple(m for m in MODELS if m in given and not any(m != o and as_strong(m, o) for o in given))


def weaker(model: str) -> frozenset[str]:
    """All models that a history satisfies if it satisfies this one, itself among them."""
    return _closure(model)


def stronger(model: str) -> frozenset[str]:
    """All models that a history violates if it violates this one, itself among them."""
    return frozenset(other for other in MODELS if as_strong(other, model))


@cache
def _closure(model: str) -> frozenset[str]:
    return frozenset({model}).union(*(_closure(weaker) for weaker in _WEAKER[model]))


@cache
def _forbidden(model: str) -> frozenset[str]:
    weaker = _closure(model)
    plain = frozenset[str]().union(*(_FORBIDDEN.get(name, frozenset()) for name in weaker))
    cycles = {core + suffix for suffix in _suffixes(model) for core in _cores(weaker)}
    return plain | cycles | {UNORDERED + name for name in weaker}


UNORDERED: Final = "not-"
"""Before the name of a model: an anomaly that no order of commits satisfies that model."""


def _cores(models: Iterable[str]) -> set[str]:
    return {core for name in models for core in _FORBIDDEN_CYCLES.get(name, ())}


def _suffixes(model: str) -> tuple[Suffix, ...]:
    """A strong session model minds the order of each process; a strong model minds real time as well."""
    if model.startswith("strong-session-") or model == "causal":
        return SUFFIXES[:2]
    return SUFFIXES if model.startswith(("strong-", "strict-")) else SUFFIXES[:1]
