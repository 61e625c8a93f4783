"""One thing that exists on a node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Item:
    """One thing: its kind (``loop device``), its name, and what tells whose it is."""

    kind: str
    name: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" ({self.detail})" if self.detail else "")

    @property
    def text(self) -> str:
        """Name and detail: where a volume's name may stand."""
        return f"{self.name} {self.detail}"
