"""Taking sequences apart into the tokens they were put together from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


class Ambiguous(Exception):
    """There is more than one way to read an answer; it takes a search to tell."""


class Splitter:
    """Knows the tokens. Raises: Ambiguous if they are no tokens of such sequences."""

    def __init__(self, tokens: Iterable[Any], empty: str | tuple[()]) -> None:
        self._tokens = set(tokens)
        self._strings = isinstance(empty, str)
        if self._strings:
            if "" in self._tokens or not set(map(type, self._tokens)) <= {str}:
                raise Ambiguous
            self._lengths = sorted(set(map(len, self._tokens)))

    def __call__(
        self, whole: Any, at_most: int | None = None
    ) -> tuple[list[Any] | None, Sequence[int | None]]:
        """The tokens, and how many they are up to each length, None where it is in the middle of one.

        No tokens if it can't be done. Raises: Ambiguous if it can't be told at some place which token is
        there, as one of them begins as another does. Where it can, it can for all that `whole` begins with.
        """
        if not self._strings:
            return list(whole[:at_most]), range(len(whole) + 1)
        tokens: list[Any] = []
        counts: list[int | None] = [None] * (len(whole) + 1)
        counts[0] = end = 0
        known, lengths = self._tokens, self._lengths
        while end < len(whole) and len(tokens) != at_most:
            begin, end = end, 0
            for length in lengths:
                if (token := whole[begin : begin + length]) in known and begin + length <= len(whole):
                    if end:
                        raise Ambiguous
                    tokens.append(token)
                    end = begin + length
            if not end:
                return None, counts
            counts[end] = len(tokens)
        return tokens, counts
