"""Takes the inventory of a node, compares two, and clears away what is ours."""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import PurePath
from typing import TYPE_CHECKING

from extstorage_conformance.inventory import block, files, mounts, processes
from extstorage_conformance.inventory.item import Item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from extstorage_conformance.naming import Namer

_RELEASE: dict[str, Callable[[Item], None]] = {
    "process": processes.release,
    "mount": mounts.release,
    "loop device": block.release,
    "file": files.release,
}
_PATIENCE_S = 2.0  # udev and lazily detached devices need a moment


class Survey:
    """Sees what exists on this node, as far as it can be the provider's doing.

    ``directories`` belong to the back end; ``objects`` lists what the inventory
    hook of conformance.toml names.
    """

    def __init__(
        self,
        namer: Namer,
        run_directory: Path,
        directories: Iterable[str],
        objects: Callable[[], Iterable[str]],
    ) -> None:
        self._namer = namer
        self._run_directory = str(run_directory)
        self._directories = tuple(directories)
        self._objects = objects
        self._places = {self._run_directory, *self._directories}

    def learn(self, device: str) -> None:
        """Note that the provider gave the block device ``device``: where it keeps its volumes.

        What appears in such a place is the provider's, whatever its name.
        """
        try:
            place = PurePath(block.mapping_of(device)).parent
        except (OSError, ValueError):  # what attach printed is no path
            return
        # The run's own directory carries its mark too: above it all is somebody else's.
        while self._namer.owns(place.name) and str(place) not in self._places:
            place = place.parent
        if place.is_absolute() and place != place.parent:
            self._places.add(str(place))

    def take(self) -> frozenset[Item]:
        """Return what exists now and can be the provider's doing."""
        owns = self._namer.owns
        found = [
            *block.items(),
            *mounts.items(),
            *processes.items(owns),
            *files.items(owns, self._directories, self._run_directory),
            *(Item("object", line) for line in self._objects()),
        ]
        return frozenset(item for item in found if self._concerns_us(item))

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
        deadline = time.monotonic() + _PATIENCE_S
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
        order = list(_RELEASE)
        ours = [item for item in left if item.kind in _RELEASE and self._is_ours(item)]
        for item in sorted(ours, key=lambda item: (order.index(item.kind), item.name)):
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                _RELEASE[item.kind](item)

    def _is_ours(self, item: Item) -> bool:
        return (
            item.kind == "process"
            or self._namer.owns(item.text)
            or self._run_directory + "/" in item.text
        )
