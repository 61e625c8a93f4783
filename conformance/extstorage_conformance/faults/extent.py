"""How much of the sweep a run is to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from extstorage.contract.methods import METHOD_NAMES
from extstorage_conformance.violation import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from extstorage_conformance.faults.done import Done
    from extstorage_conformance.faults.trial import Trial

NAMES = "METHOD, or METHOD and a fault: grow, 'grow fail losetup#1', 'attach kill after'"
"""How the names of trials look that ``--only`` takes."""


def can_begin_a_name(text: str) -> bool:
    """Return whether any trial's name can begin with ``text``: it begins with a method."""
    first, blank, _ = text.partition(" ")
    if blank:
        return first in METHOD_NAMES
    return any(method.startswith(first) for method in METHOD_NAMES)


@dataclass(frozen=True)
class Extent:
    """How much of the sweep a run wants.

    Attributes:
        is_whole: Every boundary; else a sample of every class of boundary.
        only: Trials whose name begins with one of these; empty for all.
        done: The trials that passed before.
    """

    is_whole: bool = False
    only: tuple[str, ...] = ()
    done: Done | None = None

    def begin(self) -> None:
        """Note that a sweep begins: one of all trials forgets what passed in others."""
        if self.done is not None and self.is_whole and not self.only:
            self.done.begin()

    def wants_method(self, method: str) -> bool:
        """Return whether any trial of ``method`` can be wanted."""
        return not self.only or any(
            name.split(" ")[0] == method or method.startswith(name) for name in self.only
        )

    def wants(self, trial: Trial) -> bool:
        """Return whether ``trial`` is wanted."""
        return not self.only or trial.name.startswith(self.only)

    def expect_whole(self, *methods: str) -> None:
        """Raise NotApplicable if trials are named and none of ``methods`` altogether.

        For a rule whose faults have no names: it goes with all trials of a method.
        """
        if self.only and not any(
            method.startswith(name) for name in self.only for method in methods
        ):
            raise NotApplicable("--only names trials, and this rule has none that have names")

    def untried(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return what of ``only`` begins no trial's name, though ``names`` are all that were tried.

        A method alone is not asked for: a rule may try faults of it that have no names.
        """
        known = [*names, *(self.done.names if self.done is not None else ())]
        named = (text for text in self.only if " " in text)
        return tuple(text for text in named if not any(name.startswith(text) for name in known))
