"""Taking sequences apart into the tokens they were put together from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any


class Ambiguous(Exception):
    """There is more than one way to read an answer; it takes a search to tell."""


Count = Callable[[int], int | None]
"""How many tokens there are up to a length; None if that is in the middle of one."""


class Splitter:
    """Knows the tokens. Raises: Ambiguous if they are no tokens of such sequences."""

    def __init__(self, tokens: Mapping[Any, Any], empty: str | tuple[()]) -> None:
        """The tokens are the keys."""
        self._tokens = tokens
        self._strings = isinstance(empty, str)
        if self._strings:
            try:
                "".join(tokens)
            except TypeError:
                raise Ambiguous from None
            self._lengths = sorted(set(map(len, tokens)))
            if 0 in self._lengths:
                raise Ambiguous

    def __call__(self, whole: Any, at_most: int | None = None) -> tuple[list[Any] | None, Count]:
        """The tokens, and how many they are up to each length.

        No tokens if it can't be done. Raises: Ambiguous if it can't be told at some place which token is
        there, as one of them begins as another does. Where it can, it can for all that `whole` begins with.
        """
        if not self._strings:
            return list(whole[:at_most]), int
        if at_most is None and len(self._lengths) == 1:
            (length,) = self._lengths
            tokens = [whole[at : at + length] for at in range(0, len(whole), length)]
            if all(map(self._tokens.__contains__, tokens)):
                return tokens, dict(zip(range(0, len(whole) + 1, length), count(), strict=False)).get
        return self._one_by_one(whole, at_most)

    def _one_by_one(self, whole: str, at_most: int | None) -> tuple[list[str] | None, Count]:
        tokens: list[str] = []
        counts = {0: 0}
        end = 0
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
                return None, counts.get
            counts[end] = len(tokens)
        return tokens, counts.get
