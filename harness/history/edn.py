"""EDN, the notation in which Jepsen writes its histories, as plain Python data.

Keywords and symbols become strings, vectors and lists become lists, and sets become lists in their order. The
tag of a tagged value is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from math import inf, nan
from operator import length_hint
from typing import Any, Final

from ostrakon.harness.history.value import freeze

_TOKEN: Final = re.compile(
    r"""[\s,]*(
      [^\s,;"(){}\[\]\\#][^\s,;"(){}\[\]\\]*  # An atom: keyword, number or symbol,
    | \#\{ | \#_ | [\[\](){}]                   # a bracket, or "ignore the next form",
    | "(?:[^"\\]|\\.)*"                         # a string,
    | \#[^\s,;"(){}\[\]\\]*                     # a tag,
    | \\(?:\w+|[^\s])                           # a character,
    | ;[^\n]*                                   # or a comment.
    | [^\s,]                                    # Nothing else is right, as is found out below.
    )""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING: Final = {"[": "]", "(": ")", "{": "}", "#{": "}"}
_INTEGER: Final = re.compile(r"[+-]?\d+N?", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?M?", re.ASCII)
_CONSTANTS: Final = {
    "nil": None, "true": True, "false": False, "##Inf": inf, "##-Inf": -inf,
    "##NaN": nan,
}  # fmt: skip
TOO_LONG: Final = "a number of more digits than can be read"
_CHARACTERS: Final = {
    "newline": "\n", "return": "\r", "space": " ", "tab": "\t", "formfeed": "\f", "backspace": "\b"
}  # fmt: skip
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class DamagedEdn(ValueError):
    """Text that is not EDN: `line` is counted from 1, and the message says what was expected."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


class EdnReader:
    """The values in a text, one after another, as far as they can be read.

    If the first one is a list or a vector, these are its elements. `line` is the line of the last value, or
    of the damage. Raises: DamagedEdn, while iterating.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        tokens = _TOKEN.findall(text)
        self._count = len(tokens)
        self._rest = iter(tokens)
        self._atoms: dict[str, Any] = dict(_CONSTANTS)  # What an atom means is worked out once.

    def __iter__(self) -> Iterator[Any]:
        inside, first = "", True
        for token in self._rest:
            if token[0] == ";":
                continue
            if first and token in "([":
                inside = _CLOSING[token]
            elif token == inside:
                inside = ""
            elif token == "#_":
                self._next("a form to ignore")
            else:
                yield self._form(token)
            first = False
        if inside:
            raise self._damaged(f"the text breaks off: expected `{inside}`")

    @property
    def line(self) -> int:
        """The line of the last token, counted from 1."""
        last = max(self._count - length_hint(self._rest) - 1, 0)
        found = next(islice(_TOKEN.finditer(self._text), last, None), None)
        return 1 + (self._text.count("\n", 0, found.start(1)) if found else 0)

    def _form(self, token: str) -> Any:
        if token in self._atoms:
            return self._atoms[token]
        match token:
            case "[" | "(":
                return self._elements(_CLOSING[token])
            case "{":
                return self._map()
            case "#{":
                return _ordered(self._elements("}"))
            case _ if token[0] == '"' and len(token) > 1:
                return _ESCAPE.sub(_unescape, token[1:-1])
            case _ if token[0] == "#" and len(token) > 1:
                return self._next(f"what `{token}` is the tag of")
            case _ if token in '])}"\\;#':
                raise self._damaged(f"expected a value, found `{token}`")
            case _:
                try:
                    return self._atoms.setdefault(token, _atom(token))
                except ValueError as error:
                    raise self._damaged(str(error)) from None

    def _elements(self, closing: str) -> list[Any]:
        elements = []
        atoms = self._atoms
        for token in self._rest:
            if token in atoms:
                elements.append(atoms[token])
            elif token == closing:
                return elements
            elif token == "#_":
                self._next("a form to ignore")
            elif token[0] != ";":
                elements.append(self._form(token))
        raise self._damaged(f"the text breaks off: expected `{closing}`")

    def _map(self) -> dict[Any, Any]:
        elements = self._elements("}")
        if len(elements) % 2:
            raise self._damaged(f"a map needs a value for each key, and {elements[-1]!r} has none")
        return {_key(key): value for key, value in zip(elements[::2], elements[1::2], strict=True)}

    def _next(self, expected: str) -> Any:
        """The next form. Ignored forms may come before it, and each `#_` among them ignores one more."""
        for token in self._rest:
            if token == "#_":
                self._next("a form to ignore")
            elif token[0] != ";":
                return self._form(token)
        raise self._damaged(f"the text breaks off: expected {expected}")

    def _damaged(self, why: str) -> DamagedEdn:
        return DamagedEdn(self.line, why)


def _atom(token: str) -> Any:
    if token[0] == ":":
        return token[1:]
    if _INTEGER.fullmatch(token):
        try:
            return int(token.rstrip("N"))
        except ValueError:
            raise ValueError(TOO_LONG) from None
    if _DECIMAL.fullmatch(token):
        return float(token.rstrip("M"))
    return _character(token[1:]) if token[0] == "\\" else token


def _character(name: str) -> str:
    if len(name) == 5 and name[0] == "u":
        try:
            return chr(int(name[1:], 16))
        except ValueError:
            pass
    if len(name) != 1 and name not in _CHARACTERS:
        raise ValueError(f"expected a character, found `\\{name}`")
    return _CHARACTERS.get(name, name)


def _unescape(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPED.get(code, code)


def _ordered(elements: list[Any]) -> list[Any]:
    try:
        return sorted(elements)
    except TypeError:
        return sorted(elements, key=repr)


def _key(key: Any) -> Any:
    return key if type(key) is str or type(key) is int else freeze(key)
