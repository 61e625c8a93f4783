"""What the benchmarks share: a pool of loopback volumes, medians, and the report line."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from extstorage.resources import reference_provider

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

LOOPBACK = reference_provider("loopback")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class LoopbackPool:
    """A directory of loopback volumes that are removed when the with statement ends."""

    def __init__(self) -> None:
        self._volumes: list[str] = []

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(dir="/var/tmp")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for volume in list(self._volumes):
            with contextlib.suppress(subprocess.CalledProcessError):
                self.remove(volume)
        self._directory.cleanup()

    def call(self, method: str, volume: str) -> None:
        """Run ``method``'s script for ``volume``, without the cost of imitating Ganeti."""
        environment = {
            "PATH": _PATH,
            "LC_ALL": "C",
            "VOL_NAME": volume,
            "VOL_SIZE": "8",
            "EXTP_DIRECTORY": self._directory.name,
        }
        subprocess.run(
            [str(LOOPBACK / method)],
            env=environment,
            cwd=LOOPBACK,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def create(self, name: str) -> str:
        """Create a volume of 8 MiB and return its VOL_NAME."""
        volume = f"benchmark-{Path(self._directory.name).name}-{name}.ext.disk0"
        self._volumes.append(volume)
        self.call("create", volume)
        return volume

    def create_attached(self, name: str) -> str:
        """Create and attach a volume of 8 MiB and return its VOL_NAME."""
        volume = self.create(name)
        self.call("attach", volume)
        return volume

    def remove(self, volume: str) -> None:
        """Detach and remove ``volume``."""
        self.call("detach", volume)
        self.call("remove", volume)
        self._volumes.remove(volume)


def _timed_ms(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def median_ms(action: Callable[[], object], rounds: int) -> float:
    """Return the median time of ``action`` in milliseconds."""
    return statistics.median(_timed_ms(action) for _ in range(rounds))


def interleaved_medians_ms(
    actions: dict[str, Callable[[], object]], rounds: int
) -> dict[str, float]:
    """Return each action's median in milliseconds, measured in turns so that noise hits all."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            times[name].append(_timed_ms(action))
    return {name: statistics.median(values) for name, values in times.items()}


def report(what: str, ratio: float, *, limit: float, detail: str) -> None:
    """Print one figure: what, the ratio, the limit that it should keep, how it came about."""
    verdict = "ok" if ratio <= limit else "OVER"
    print(f"{what}: {ratio:.2f} (limit {limit}) {verdict} [{detail}]")
