"""The copy of the provider runtime that travels inside a provider's directory.

Ganeti installs nothing on a node, so a provider brings ``lib/extstorage/`` along: in
Python the packages ``contract`` and ``provider``, and the version they are of; in sh
the files of ``extstorage.shell``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from extstorage.contract.methods import METHOD_NAMES
from extstorage.shell import render

_SOURCE = Path(__file__).parent
_PACKAGES = ("contract", "provider")
COPY = Path("lib/extstorage")
"""Where the copy lies in a provider's directory."""
LANGUAGES = ("sh", "python")
"""The languages that there is a runtime for."""


def vendor(provider_directory: Path, language: str = "") -> None:
    """Write the copy, replacing an older one.

    ``language`` is one of LANGUAGES, or ``""`` for that of the older copy or else of the
    scripts. Raises FileNotFoundError without a provider's directory.
    """
    if not provider_directory.is_dir():
        raise FileNotFoundError(f"no provider directory {provider_directory}")
    copy = provider_directory / COPY
    expected = _expected(language or language_of(provider_directory))
    shutil.rmtree(copy, ignore_errors=True)
    for name, content in expected.items():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def outdated(provider_directory: Path, language: str = "") -> list[str]:
    """Return one sentence for each file of the copy that is not as ``vendor`` would write it."""
    copy = provider_directory / COPY
    expected = _expected(language or language_of(provider_directory))
    present = {
        path.relative_to(copy).as_posix(): path.read_bytes()
        for path in copy.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return [_difference(name, expected, present) for name in sorted({*expected, *present})
            if expected.get(name) != present.get(name)]  # fmt: skip


def language_of(provider_directory: Path) -> str:
    """Return the language of the copy in a provider, or of its scripts if it has none."""
    copy = provider_directory / COPY
    if (copy / "extstorage.sh").exists():
        return "sh"
    if (copy / "__init__.py").exists():
        return "python"
    shebangs = [_first_line(provider_directory / name) for name in METHOD_NAMES]
    if any(b"sh" in line and b"python" not in line for line in shebangs):
        return "sh"
    return "python"


def _first_line(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            line = file.readline(200)
    except OSError:
        return b""
    return line if line.startswith(b"#!") else b""


def _difference(name: str, expected: dict[str, bytes], present: dict[str, bytes]) -> str:
    if name not in present:
        return f"{COPY / name} is missing"
    if name not in expected:
        return f"{COPY / name} is not part of the runtime"
    return f"{COPY / name} differs from this version"


def _expected(language: str) -> dict[str, bytes]:
    if language == "sh":
        return {name: text.encode("ascii") for name, text in render().items()}
    files = [_SOURCE / "__init__.py"]
    for package in _PACKAGES:
        files += sorted((_SOURCE / package).glob("*.py"))
    return {path.relative_to(_SOURCE).as_posix(): path.read_bytes() for path in files}
