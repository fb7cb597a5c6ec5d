"""Taking sequences apart into the tokens they were put together from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any


class Ambiguous(Exception):
    """There is more than one way to read an answer; it takes a search to tell."""


class Splitter:
    """Knows the tokens. Raises: Ambiguous if there could be more than one way to take something apart."""

    def __init__(self, tokens: Sequence[Any], empty: str | tuple[()]) -> None:
        self._tokens = set(tokens)
        self._strings = isinstance(empty, str)
        if self._strings:
            if "" in self._tokens or not all(isinstance(token, str) for token in tokens):
                raise Ambiguous
            ordered = sorted(self._tokens)
            if any(longer.startswith(token) for token, longer in pairwise(ordered)):
                raise Ambiguous
            self._lengths = sorted({len(token) for token in tokens})

    def __call__(self, whole: Any, at_most: int | None = None) -> tuple[list[Any] | None, dict[int, int]]:
        """The tokens, and how many there are up to each length; no tokens if it can't be done."""
        if not self._strings:
            return list(whole[:at_most]), {count: count for count in range(len(whole) + 1)}
        tokens: list[Any] = []
        ends, at = {0: 0}, 0
        while at < len(whole) and len(tokens) != at_most:
            for length in self._lengths:
                token = whole[at : at + length]
                if token in self._tokens:
                    break
            else:
                return None, ends
            tokens.append(token)
            at += length
            ends[at] = len(tokens)
        return tokens, ends
