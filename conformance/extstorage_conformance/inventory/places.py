"""The directories of the back end that conformance.toml names: there, or soon to be made."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from extstorage_conformance.configuration import expand
from extstorage_conformance.violation import CannotRun

if TYPE_CHECKING:
    from extstorage_conformance.suite import Suite


def expect_inventory_directories(suite: Suite) -> None:
    """Raise CannotRun for a directory that is not there, and that nothing tells the provider of.

    A provider may make the place of its volumes with the first of them; it knows of it by a
    parameter, which names the place, or one above or below. All else is a typing error, and
    would let nothing be seen of what the provider leaves behind.
    """
    told = [PurePath(value) for value in (*suite.parameters.values(), *suite.other_pool.values())]
    for text in suite.configuration.run["inventory_directories"]:
        place = PurePath(expand(text, suite.run_directory))
        if suite.node.node.is_directory(str(place)) or any(map(place.is_relative_to, told)):
            continue
        if not any(each.is_relative_to(place) for each in told):
            raise CannotRun(
                f"[run] inventory_directories names {text}, where there is no directory after the"
                " hook setup, and no parameter leads there: correct it, or make it in the hook"
            )
