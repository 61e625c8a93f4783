"""One thing that exists on a node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Item:
    """One thing: its kind (``loop device``), its name, and what tells whose it is.

    ``node`` is the name of the node, or ``""`` when there is only one.
    """

    kind: str
    name: str
    detail: str = ""
    node: str = ""

    def __str__(self) -> str:
        where = f" on {self.node}" if self.node else ""
        return f"{self.kind} {self.name}" + (f" ({self.detail})" if self.detail else "") + where

    @property
    def text(self) -> str:
        """Name and detail: where a volume's name may stand."""
        return f"{self.name} {self.detail}"
