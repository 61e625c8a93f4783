"""How much of the sweep a run is to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extstorage_conformance.faults.done import Done
    from extstorage_conformance.faults.trial import Trial


@dataclass(frozen=True)
class Extent:
    """How much of the sweep a run wants.

    Attributes:
        is_whole: Every boundary; else a sample of every class of boundary.
        only: Trials whose name begins with one of these; empty for all.
        done: The trials that passed before, when a run is resumed.
    """

    is_whole: bool = False
    only: tuple[str, ...] = ()
    done: Done | None = None

    def wants_method(self, method: str) -> bool:
        """Return whether any trial of ``method`` can be wanted."""
        return not self.only or any(
            name.split(" ")[0] == method or method.startswith(name) for name in self.only
        )

    def wants(self, trial: Trial) -> bool:
        """Return whether ``trial`` is wanted."""
        return not self.only or trial.name.startswith(self.only)
