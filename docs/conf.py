"""How Sphinx builds the documentation: `make docs`."""

from __future__ import annotations

from ostrakon.harness.version import VERSION

project = "Ostrakon"
author = "The Ostrakon developers"
copyright = "the Ostrakon developers"
release = version = VERSION

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinxcontrib_trio"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Ostrakon {VERSION}"
html_static_path: list[str] = []

# Docstrings put names in single backticks, which reStructuredText leaves to this role.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
add_module_names = False
myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 4
# Some blocks show files that no lexer knows; they are coloured as far as it goes.
suppress_warnings = ["misc.highlighting_failure"]
