"""The site: ``sphinx-build -W -n docs SITE`` (``tox -e docs``). Sphinx reads this file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

from docutils import nodes

import extstorage
import generated

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "Ganeti ExtStorage SDK"
author = "The ganeti-extstorage-sdk authors"
copyright = author  # noqa: A001 - Sphinx calls it so
version = release = extstorage.__version__

extensions = ["myst_parser"]
exclude_patterns = ["_build", "README.md"]
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_show_sphinx = False
html_static_path: list[str] = []
html_theme_options = {"navigation_with_keys": True}


def _write_pages(app: Sphinx) -> None:
    """Write what comes from the code, before Sphinx looks which pages there are."""
    generated.write(Path(app.srcdir))


def _link_rules(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Let ``ES-GROUP-01``, written as code, lead to the rule; warn of one that is not there."""
    if docname == generated.RULES_PAGE:
        return
    page = app.builder.get_relative_uri(docname, generated.RULES_PAGE)
    for literal in list(doctree.findall(nodes.literal)):
        if generated.looks_like_a_rule(literal.astext()):
            anchor = generated.rule_anchor(literal.astext())
            if anchor is None:
                generated.warn(literal.astext(), literal)
            elif not isinstance(literal.parent, nodes.reference):
                link = nodes.reference("", "", refuri=f"{page}#{anchor}", internal=True)
                literal.replace_self(link)
                link += literal


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the above."""
    app.connect("config-inited", lambda app, _config: _write_pages(app))
    app.connect("doctree-resolved", _link_rules)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
