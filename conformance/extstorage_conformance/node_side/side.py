"""The face of the node's side: every method takes and returns what JSON can say."""

from __future__ import annotations

import base64
import contextlib
import itertools
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage_conformance.node_side import block, files, mounts, processes
from extstorage_conformance.node_side.devices import Devices
from extstorage_conformance.node_side.found import HOOK_PROCESS
from extstorage_conformance.node_side.guard import DeviceGuard
from extstorage_conformance.node_side.limits import within
from extstorage_conformance.node_side.streams import Gate, Holder, Stream
from extstorage_conformance.stamps import Stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

_LONGEST_S = 120.0
_LAST_AS_LONG_AS_IS_ASKED = ("copy_device", "signal_group")
_RELEASE: dict[str, Callable[[str], None]] = {
    # In this order: what is named first may use what is named after it.
    HOOK_PROCESS: processes.release,
    "process": processes.release,
    "mount": mounts.release,
    "loop device": block.release,
    "file": files.release,
}


class NodeSide:
    """Everything that the suite does on one node; paths are the node's.

    ``before`` are the identities of the devices that are not to be written to; without them,
    those of the devices that are there now.
    """

    def __init__(self, before: Iterable[str] | None = None) -> None:
        self._guard = DeviceGuard(before)
        self._devices = Devices(self._guard)
        self._numbers = itertools.count(1)
        self._running: dict[int, Stream | Holder | Gate] = {}

    def answer(self, method: str, *arguments: Any) -> Any:  # noqa: ANN401 - whatever JSON can say
        """Call a method; raises OSError as it does, and if its I/O seems to wait for ever."""
        work = partial(getattr(self, method), *arguments)
        if method in _LAST_AS_LONG_AS_IS_ASKED:
            return work()
        device = next((it for it in arguments if str(it).startswith("/dev/")), "")
        return within(_LONGEST_S, work, f"{method} {device}".strip())

    def guarded(self) -> list[str]:
        """Return the identities of the devices that are not written to."""
        return sorted(self._guard.before)

    def learn(self, path: str) -> str:
        """Note that attach has given the device ``path``; return what it maps, or ``""``."""
        self._guard.learn(path)
        try:
            return block.mapping_of(path)
        except (OSError, ValueError):  # what attach printed is no path
            return ""

    def probe(self, path: str) -> None:
        """Read the first block and write it back."""
        self._devices.probe(path)

    def size_bytes(self, path: str) -> int:
        """Return a device's size."""
        return self._devices.size_bytes(path)

    def sector_bytes(self, path: str) -> int:
        """Return the size of a device's logical sector."""
        return self._devices.sector_bytes(path)

    def write(self, path: str, volume: str, offsets: list[int], generation: int) -> None:
        """Stamp blocks."""
        self._devices.write(path, volume, offsets, generation)

    def write_block(self, path: str, offset: int, block_base64: str) -> None:
        """Write one block."""
        self._devices.write_blocks(path, [(offset, base64.b64decode(block_base64))])

    def write_through_cache(
        self, path: str, volume: str, offsets: list[int], generation: int
    ) -> None:
        """Stamp blocks through the page cache, and fsync."""
        self._devices.write_through_cache(path, volume, offsets, generation)

    def discard(self, path: str, start: int, length: int) -> None:
        """Discard a range."""
        self._devices.discard(path, start, length)

    def copy_device(self, source: str, target: str) -> None:
        """Copy a whole device to another one."""
        self._devices.copy(source, target)

    def read_block(self, path: str, offset: int) -> str:
        """Return a block in base64."""
        ((_, data),) = self._devices.blocks(path, [offset])
        return base64.b64encode(data).decode()

    def stamps(self, path: str, offsets: list[int]) -> list[tuple[str, int, int] | None]:
        """Return volume, offset and generation of each block, None for one without a stamp."""
        found = [Stamp.from_block(data) for _, data in self._devices.blocks(path, offsets)]
        return [(it.volume, it.offset, it.generation) if it else None for it in found]

    def mismatches(self, path: str, volume: str, offsets: list[int], generation: int) -> list[str]:
        """Return one sentence for each block that does not carry its own stamp."""
        return self._devices.mismatches(path, volume, offsets, generation)

    def stale(self, path: str, volume: str, written: list[tuple[int, int]]) -> list[str]:
        """Return one sentence for each block that is not of its generation."""
        return [
            sentence
            for offset, generation in written
            for sentence in self._devices.mismatches(path, volume, [offset], generation)
        ]

    def nonzero_blocks(self, path: str, offsets: list[int]) -> list[int]:
        """Return the offsets whose block is not all zeros."""
        return self._devices.nonzero_blocks(path, offsets)

    def mapping_of(self, path: str) -> str:
        """Return what a device shows of its volume, or ``""``."""
        return block.mapping_of(path)

    def is_mapped(self, path: str) -> bool:
        """Return whether ``path`` is a block device that holds something."""
        return block.is_mapped(path)

    def is_read_only(self, path: str) -> bool:
        """Return whether the kernel's read-only flag of a device is set."""
        return block.is_read_only(path)

    def start_stream(self, path: str, volume: str, offsets: list[int], idles: bool) -> int:  # noqa: FBT001 - it comes as JSON
        """Start a writer; return its number."""
        stream = Stream(self._devices, path, volume, offsets, idles=idles)
        stream.start()
        return self._keep(stream)

    def stop_stream(self, number: int) -> dict[str, Any]:
        """Stop a writer; return what came of it."""
        stream = self._running.pop(number)
        stream.stop()
        assert isinstance(stream, Stream)  # noqa: S101 - the number is one of start_stream's
        return stream.progress()

    def hold(self, path: str) -> int:
        """Keep a device open for writing; return a number to let go of it with."""
        return self._keep(Holder(path))

    def let_go(self, number: int) -> None:
        """Close what ``hold`` or ``open_gate`` opened."""
        self._running.pop(number).stop()

    def make_gate(self, path: str) -> None:
        """Make a pipe that whoever opens it for reading waits at."""
        Gate.make(path)

    def open_gate(self, path: str) -> int:
        """Let all go that wait at a pipe; return a number to let go of it with."""
        return self._keep(Gate(path))

    def signal_group(self, file: str, after_s: float, name: str) -> bool:
        """Send a signal to the process group that a file names; return whether there was one."""
        return processes.signal_group(file, after_s, name)

    def _keep(self, running: Stream | Holder | Gate) -> int:
        number = next(self._numbers)
        self._running[number] = running
        return number

    def items(self, mark: str, directories: list[str], ignore: str) -> list[tuple[str, str, str]]:
        """Return kind, name and detail of all that exists on the node and can matter.

        ``mark`` is what names of ours carry; files in ``directories`` count whatever their names,
        those in ``ignore`` do not count.
        """

        def owns(text: str) -> bool:
            return mark in text or mark in text.replace("--", "-")

        return [
            (found.kind, found.name, found.detail)
            for found in (
                *block.items(),
                *mounts.items(),
                *processes.items(owns),
                *files.items(owns, directories, ignore),
            )
        ]

    def clear(self, items: list[tuple[str, str]]) -> None:
        """Take away things, each given by its kind and name, as far as that can be done."""
        order = list(_RELEASE)
        known = [(order.index(kind), name, kind) for kind, name in items if kind in _RELEASE]
        for _, name, kind in sorted(known):
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                _RELEASE[kind](name)

    def file_bytes(self, paths: list[str]) -> int:
        """Return how many bytes the regular files among ``paths`` have."""
        return files.total_bytes(paths)

    def is_link(self, path: str) -> bool:
        """Return whether ``path`` is a symbolic link."""
        return Path(path).is_symlink()

    def age_s(self, path: str) -> float | None:
        """Return how many seconds ago a file was last written, by this node's clock, or None."""
        return files.age_s(path)

    def digests(self, directory: str) -> dict[str, str]:
        """Return a digest of mode and content for each file below ``directory``."""
        return files.digests(directory)

    def set_aside(self, paths: list[str], directory: str) -> dict[str, str]:
        """Move files to ``directory``, which is made; return where each is now."""
        return files.set_aside(paths, directory)

    def put_back(self, moved: dict[str, str], directory: str) -> None:
        """Undo ``set_aside`` as far as there still is a place, and delete ``directory``."""
        files.put_back(moved, directory)

    def link_programs(self, names: list[str], search_path: str, directory: str) -> None:
        """Make ``directory`` with links to those of the programs that ``search_path`` has."""
        files.link_programs(names, search_path, directory)

    def make_run_directory(self, prefix: str, parent: str) -> str:
        """Make a private directory of a new name in ``parent`` and return its path."""
        return files.make_private(prefix, parent)

    def delete(self, path: str) -> None:
        """Delete a directory and all in it; no error if it is not there."""
        files.delete(path)
