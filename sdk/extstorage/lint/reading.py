"""What of a file is code, and not written for people."""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.lint.source import SourceFile

_COMMENT = re.compile(r"(?:^|\s)#.*")


def lines(file: SourceFile) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line, without comments."""
    for number, line in enumerate(file.text.splitlines(), start=1):
        yield number, _COMMENT.sub("", line)


def tree(file: SourceFile) -> ast.Module | None:
    """Return the syntax tree of a file in Python; None for others, and for another Python's."""
    if file.language != "python":
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a provider's file is none of its user's
            return ast.parse(file.content)
    except (SyntaxError, ValueError):
        return None


def strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the value of each string, but for those that are statements."""
    for_people = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in for_people:
            continue
        if isinstance(node.value, str):
            yield node.lineno, node.value
