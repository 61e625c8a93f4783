"""Writers that keep a device busy, and holders that keep one open: as running instances do."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from extstorage_conformance.node_side.devices import Devices

_FIRST_ROUND_S = 10.0
_PAUSE_S = 0.002
_IDLE_PAUSE_S = 0.05
_LONGER_IDLE_PAUSE_S = 0.5
_EAGER_S = 5.0


class Stream:
    """Stamps, reads back, notes errors and waits, in a thread, until it is stopped.

    The device stays open all the while. With ``idles`` there are pauses in which a provider that
    copies can copy; after five seconds they are longer, as on a busy node a copy takes longer.
    """

    def __init__(
        self, devices: Devices, path: str, volume: str, offsets: list[int], *, idles: bool
    ) -> None:
        self._devices = devices
        self._path = path
        self._volume = volume
        self._offsets = offsets
        self._idles = idles
        self._rounds = 0
        self._longest_s = 0.0
        self._errors: list[str] = []
        self._written: dict[int, int] = {}
        self._stop = threading.Event()
        self._open = ExitStack()
        self._thread = threading.Thread(target=self._run, name=f"stream-{volume}", daemon=True)

    def start(self) -> None:
        """Begin to write; return after the first round."""
        with suppress(OSError):  # the writer's own attempts tell
            self._open.enter_context(self._devices.opened(self._path, os.O_RDWR))
        self._thread.start()
        deadline = time.monotonic() + _FIRST_ROUND_S
        while not (self._rounds or self._errors) and time.monotonic() < deadline:
            time.sleep(0.001)

    def stop(self) -> None:
        """End after one more round, which meets what a call did last, and close the device."""
        self._stop.set()
        self._thread.join()
        self._open.close()

    def progress(self) -> dict[str, Any]:
        """Return rounds, longest_s, errors, and written: pairs of an offset and its generation."""
        return {
            "rounds": self._rounds,
            "longest_s": self._longest_s,
            "errors": list(self._errors),
            "written": list(self._written.items()),
        }

    def _pause_s(self, age_s: float) -> float:
        if not self._idles:
            return _PAUSE_S
        return _IDLE_PAUSE_S if age_s < _EAGER_S else _LONGER_IDLE_PAUSE_S

    def _run(self) -> None:
        generation = 1
        stopping = False
        began = time.monotonic()
        while not stopping:
            stopping = self._stop.wait(self._pause_s(time.monotonic() - began))
            offset = self._offsets[generation % len(self._offsets)]
            started = time.monotonic()
            try:
                self._devices.write(self._path, self._volume, [offset], generation)
                self._written[offset] = generation
                self._errors += self._devices.mismatches(
                    self._path, self._volume, [offset], generation
                )
            except OSError as error:
                self._errors.append(f"I/O at byte {offset}: {error}")
            self._longest_s = max(self._longest_s, time.monotonic() - started)
            self._rounds += 1
            generation += 1


class Gate:
    """A named pipe at which processes wait until it is open; raises OSError."""

    def __init__(self, path: str) -> None:
        # For both: that lets every waiting reader go, and those that are late.
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    @staticmethod
    def make(path: str) -> None:
        """Make the pipe ``path``."""
        os.mkfifo(path)

    def stop(self) -> None:
        """Close it: who comes later waits."""
        os.close(self._descriptor)


class Holder:
    """A process that keeps the device ``path`` open for writing; raises OSError.

    It is one of its own: a provider that ends whoever uses a device does not end the suite.
    """

    def __init__(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._process = subprocess.Popen(
                ["sleep", "3600"],
                stdin=descriptor,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
