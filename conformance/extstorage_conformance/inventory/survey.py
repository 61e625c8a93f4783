"""Takes the inventory of nodes, compares two, and clears away what is ours."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from extstorage_conformance.inventory.item import Item
from extstorage_conformance.node_side.found import HOOK_PROCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from extstorage_conformance.devices import Ask
    from extstorage_conformance.naming import Namer

PATIENCE_S = 2.0
"""How long what is to go may stay: udev and lazily detached devices need a moment."""


@dataclass(frozen=True)
class Look:
    """How to look at one node.

    Attributes:
        ask: Calls the node's side.
        node: The node's name as items carry it; ``""`` when there is only one.
        machine: Nodes of one machine have one /dev, and disks in common.
        elsewhere: Where the roots of that machine's other nodes are: not this node's matter.
    """

    ask: Ask
    node: str = ""
    machine: str = ""
    elsewhere: tuple[str, ...] = ()


class Survey:
    """Sees what exists on nodes, as far as it can be the provider's doing.

    ``directories`` belong to the back end, which the first node sees as well as any; ``objects``
    lists what the inventory hook of conformance.toml names.
    """

    def __init__(
        self,
        namer: Namer,
        run_directory: PurePath,
        directories: Iterable[str],
        objects: Callable[[], Iterable[str]],
        looks: Sequence[Look],
    ) -> None:
        self._namer = namer
        self._run_directory = str(run_directory)
        self._directories = tuple(directories)
        self._objects = objects
        self._looks = tuple(looks)
        self._places = {self._run_directory, *self._directories}

    def of(self, looks: Sequence[Look]) -> Survey:
        """Return a survey of other nodes, that knows and learns the same places."""
        survey = Survey(
            self._namer, PurePath(self._run_directory), self._directories, self._objects, looks
        )
        survey._places = self._places
        return survey

    def learn(self, mapping: str) -> None:
        """Note what a device maps that the provider gave: where it keeps its volumes.

        What appears in such a place is the provider's, whatever its name.
        """
        place = PurePath(mapping).parent
        # The run's own directory carries its mark too: above it all is somebody else's.
        while self._namer.owns(place.name) and str(place) not in self._places:
            place = place.parent
        if place.is_absolute() and place != place.parent:
            self._places.add(str(place))

    def take(self) -> frozenset[Item]:
        """Return what exists now and can be the provider's doing."""
        return frozenset(item for item in self.take_all() if item.kind != HOOK_PROCESS)

    def take_all(self) -> frozenset[Item]:
        """Return what exists now and can be the provider's doing, or that of a hook."""
        found = [*self._found(), *(Item("object", line) for line in self._objects())]
        return frozenset(item for item in found if self._concerns_us(item))

    def _found(self) -> Iterator[Item]:
        common: set[tuple[str, Item]] = set()
        for number, look in enumerate(self._looks):
            directories = [] if number else list(self._directories)
            for kind, name, detail in look.ask(
                "items", self._namer.prefix, directories, self._run_directory
            ):
                item = Item(kind, name, detail)
                if _is_common(item):
                    if (look.machine, item) in common:
                        continue
                    common.add((look.machine, item))
                if not any(root in item.text for root in look.elsewhere):
                    yield Item(kind, name, detail, look.node)

    def _concerns_us(self, item: Item) -> bool:
        """A node is shared: loop devices and mounts come and go that nobody here has made."""
        if self._namer.is_foreign(item.text):
            return False
        if item.kind in {"loop device", "mount"}:
            return self._namer.owns(item.text) or self._is_in_place(item)
        return True

    def _is_in_place(self, item: Item) -> bool:
        return any(f"{place}/" in f"{item.name}/ {item.detail}/" for place in self._places)

    def left_since(self, baseline: frozenset[Item]) -> list[Item]:
        """Return what exists now and did not at ``baseline``, after a moment's patience."""
        deadline = time.monotonic() + PATIENCE_S
        while left := self.take() - baseline:
            if time.monotonic() >= deadline:
                break
            time.sleep(0.05)
        return sorted(left)

    def is_of_back_end(self, item: Item) -> bool:
        """Return whether ``item`` is of the back end, as conformance.toml tells, not the node."""
        below = tuple(directory.rstrip("/") + "/" for directory in self._directories)
        return item.kind == "object" or (item.kind == "file" and item.name.startswith(below))

    def clear(self, left: Iterable[Item]) -> None:
        """Take away those of ``left`` that carry our volumes' names; nothing else."""
        ours = [item for item in left if self._is_ours(item)]
        for look in self._looks:
            here = [[item.kind, item.name] for item in ours if item.node == look.node]
            if here:
                look.ask("clear", here)

    def _is_ours(self, item: Item) -> bool:
        return (
            item.kind in {"process", HOOK_PROCESS}
            or self._namer.owns(item.text)
            or self._run_directory + "/" in item.text
        )


def _is_common(item: Item) -> bool:
    """Return whether all nodes of one machine see the item: it is told of the first only."""
    return item.kind in {"disk", "dm table"} or (
        item.kind == "file" and item.name.startswith("/dev/") and "/shm/" not in item.name
    )
