"""A vendor's first minutes: from nothing to a new project of their own that is green, profile core.

Three commands, in an empty directory, as the reader of the tutorial types them; the wheel of this
checkout stands for what a package index gives out.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import report
from tests import children

LIMIT_S = 120.0
_ROOT = Path(__file__).parents[1]
_LANGUAGES = ("sh", "python")


def main() -> None:
    """Print the wall time of the commands for each language, and what of it was processor time."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        _run((sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", directory, str(_ROOT)))
        (wheel,) = Path(directory).glob("*.whl")
        for language in _LANGUAGES:
            place = Path(directory, language)
            place.mkdir()
            _measure(language, wheel, place)


def _measure(language: str, wheel: Path, place: Path) -> None:
    commands = (
        "python3 -m venv .venv",
        f".venv/bin/pip install -q {wheel}",
        f".venv/bin/extstorage new --no-input --conform language={language}",
    )
    before, started = _processor_s(), time.perf_counter()
    taken: list[float] = []
    for command in commands:
        _run(("sh", "-c", command), place)
        taken.append(time.perf_counter() - started - sum(taken))
    detail = " + ".join(f"{seconds:.0f}" for seconds in taken)
    report(
        f"{len(commands)} commands from nothing to a green core profile, {language}: wall time, s",
        sum(taken),
        limit=LIMIT_S,
        detail=f"{detail} s, of which processor {_processor_s() - before:.0f} s",
    )


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(words: tuple[str, ...], place: Path | None = None) -> None:
    # Nothing of this environment, and nothing that pip has kept of an earlier time.
    environment = {**os.environ, "PIP_NO_CACHE_DIR": "1"}
    environment.pop("VIRTUAL_ENV", None)
    environment["PATH"] = os.pathsep.join(
        each
        for each in os.environ["PATH"].split(os.pathsep)
        if each != str(Path(sys.prefix, "bin"))
    )
    done = children.run(words, place, environment, stderr=subprocess.STDOUT)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed: {done.stdout}")


if __name__ == "__main__":
    main()
