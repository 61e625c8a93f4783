"""The block devices of one node, as checks use them; ``node_side`` does the work there."""

from __future__ import annotations

import base64
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from extstorage_conformance.stamps import BLOCK_BYTES, Stamp
from extstorage_conformance.violation import Blocked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Ask(Protocol):
    """Calls a method of a node's ``NodeSide`` and returns its result.

    Raises OSError as the method does, NodeError.
    """

    def __call__(self, method: str, *arguments: object) -> Any: ...  # noqa: ANN401, D102 - JSON


class Meter:
    """Adds up the time that the main thread spends in device I/O."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count ``seconds``; what a stream does meanwhile costs the run no time."""
        if threading.current_thread() is threading.main_thread():
            self._seconds += seconds

    def take(self) -> float:
        """Return the seconds since the last time, and begin anew."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds


METER = Meter()


@dataclass
class Stream:
    """What a writer did that kept a device busy, complete once the with block has ended.

    Attributes:
        rounds: How many blocks it wrote and read back.
        longest_s: The longest time that one of them took.
        errors: One sentence for each that failed or was not read back as written.
        written: Where it wrote what: the last generation at each offset.
    """

    rounds: int = 0
    longest_s: float = 0.0
    errors: list[str] = field(default_factory=list)
    written: dict[int, int] = field(default_factory=dict)


class Devices:
    """Reads and writes devices of a node; offsets and sizes in bytes. Every method raises OSError.

    ``ask`` calls the node's side.
    """

    def __init__(self, ask: Ask) -> None:
        self._untimed = ask

    def _ask(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever JSON can say
        started = time.monotonic()
        try:
            return self._untimed(method, *arguments)
        finally:
            METER.add(time.monotonic() - started)

    def probe(self, path: str) -> None:
        """Read the first block of device ``path`` and write it back as it was."""
        self._ask("probe", path)

    def size_bytes(self, path: str) -> int:
        """Return the size of the block device ``path``."""
        size: int = self._ask("size_bytes", path)
        return size

    def sector_bytes(self, path: str) -> int:
        """Return the size of a logical sector of the block device ``path``."""
        size: int = self._ask("sector_bytes", path)
        return size

    def write(self, path: str, volume: str, offsets: Iterable[int], generation: int = 1) -> None:
        """Stamp the blocks of device ``path`` at ``offsets``, with direct I/O."""
        self._ask("write", path, volume, list(offsets), generation)

    def write_block(self, path: str, offset: int, block: bytes) -> None:
        """Write one block (BLOCK_BYTES bytes) to device ``path`` at ``offset``."""
        assert len(block) == BLOCK_BYTES  # noqa: S101 - the check's own mistake
        self._ask("write_block", path, offset, base64.b64encode(block).decode())

    def write_through_cache(
        self, path: str, volume: str, offsets: Iterable[int], generation: int = 1
    ) -> None:
        """Stamp blocks as ``write`` does, but through the node's page cache, and fsync."""
        self._ask("write_through_cache", path, volume, list(offsets), generation)

    def discard(self, path: str, start: int, length: int) -> None:
        """Discard a range of device ``path``; an error if it does not support that."""
        self._ask("discard", path, start, length)

    def copy(self, source: str, target: str) -> None:
        """Copy all of the device ``source`` to the beginning of the device ``target``."""
        self._ask("copy_device", source, target)

    def read_block(self, path: str, offset: int) -> bytes:
        """Return the block of device ``path`` at ``offset``."""
        return base64.b64decode(self._ask("read_block", path, offset))

    def stamps(self, path: str, offsets: Iterable[int]) -> list[Stamp | None]:
        """Return the stamps of the blocks of device ``path``, None for one without."""
        found = self._ask("stamps", path, list(offsets))
        return [stamp and Stamp(*stamp) for stamp in found]

    def mismatches(
        self, path: str, volume: str, offsets: Iterable[int], generation: int = 1
    ) -> list[str]:
        """Return one sentence for each block that does not carry its own stamp."""
        found: list[str] = self._ask("mismatches", path, volume, list(offsets), generation)
        return found

    def stale(self, path: str, volume: str, written: dict[int, int]) -> list[str]:
        """Return one sentence for each block that is not what a stream last wrote there."""
        found: list[str] = self._ask("stale", path, volume, list(written.items()))
        return found

    def nonzero_blocks(self, path: str, offsets: Iterable[int]) -> list[int]:
        """Return those of ``offsets`` whose block is not all zeros."""
        found: list[int] = self._ask("nonzero_blocks", path, list(offsets))
        return found

    def mapping_of(self, path: str) -> str:
        """Return what the device ``path`` shows of its volume (a backing file), or ``""``."""
        return str(self._untimed("mapping_of", path))

    def is_mapped(self, path: str) -> bool:
        """Return whether ``path`` is a block device that holds something; it is not opened."""
        return bool(self._untimed("is_mapped", path))

    def is_read_only(self, path: str) -> bool:
        """Return whether the kernel's read-only flag of the device ``path`` is set."""
        return bool(self._untimed("is_read_only", path))

    @contextmanager
    def stream(
        self, path: str, volume: str, offsets: Iterable[int], *, idles: bool = False
    ) -> Iterator[Stream]:
        """Write to ``path`` on the node, in the background, until the with block ends.

        The device stays open all the while, as an instance's disk does. ``idles``: with pauses in
        which a provider that copies can copy.
        """
        stream = Stream()
        number = self._untimed("start_stream", path, volume, list(offsets), idles)
        try:
            yield stream
        finally:
            ended = self._untimed("stop_stream", number)
            stream.written = dict(ended.pop("written"))
            vars(stream).update(ended)

    @contextmanager
    def held(self, path: str) -> Iterator[None]:
        """Keep ``path`` open for writing, by a process of its own, until the with block ends.

        Raises Blocked if it cannot be opened.
        """
        try:
            number = self._untimed("hold", path)
        except OSError as error:
            raise Blocked(f"the device {path} cannot be opened: {error}") from None
        try:
            yield
        finally:
            self._untimed("let_go", number)
