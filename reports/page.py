"""A self-contained HTML page from a template: style and script are inside, nothing is loaded from outside."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from ostrakon.harness.store import write_whole
from ostrakon.reports.texts import visible

_PAGES = Path(__file__).parent / "pages"


def write(path: Path, template: str, scripts: tuple[str, ...] = ("page.js",), **content: Any) -> Path:
    """Render a template of `pages/` with some of its scripts and put the page in place, all at once.

    Raises: OSError.
    """
    style, script = _part("style.css"), Markup("\n").join(map(_part, scripts))
    text = (
        _templates()
        .get_template(template)
        .render(style=style, script=script, policy=_policy(style, script), **content)
    )
    # A lone surrogate cannot be written as UTF-8; whatever is left of it is better than no page.
    write_whole(path, text.encode("utf-8", "replace"))
    return path


def way(folder: Path, target: Path) -> str:
    """The address of a file or folder for a link in a page of `folder`."""
    return quote(Path(os.path.relpath(target.resolve(), folder.resolve())).as_posix())


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES),
        autoescape=True,
        finalize=_in_sight,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _in_sight(what: Any) -> Any:
    """The text with all invisible characters spelled out."""
    return visible(what) if isinstance(what, str) and not isinstance(what, Markup) else what


@cache
def _part(name: str) -> Markup:
    return Markup((_PAGES / name).read_text("utf-8"))


def _policy(style: str, script: str) -> str:
    """Only our own style and script are allowed: injected markup could neither run nor load anything."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()
