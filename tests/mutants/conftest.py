"""How much of the matrix is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--whole-matrix",
        action="store_true",
        help="judge each mutant by every rule that can see it, not only by those that it names",
    )
    parser.addoption(
        "--matrix-rule",
        action="append",
        default=[],
        metavar="PREFIX",
        help="the whole matrix, of the rules only whose ids begin so: ES-GROW-13, ES-SNAP",
    )
