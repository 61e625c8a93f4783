"""How many power cuts the tests of this run have made: conftest.py prints it at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extstorage.nodes.node import Machine


class _Counter:
    made = 0


def cut(node: Machine) -> None:
    """Cut the node's power."""
    node.kill()
    _Counter.made += 1


def made() -> int:
    """Return how many there were."""
    return _Counter.made
