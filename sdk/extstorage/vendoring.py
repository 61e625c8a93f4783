"""The copy of the provider runtime that travels inside a provider's directory.

Ganeti installs nothing on a node, so a provider brings ``lib/extstorage/`` along:
the packages ``contract`` and ``provider``, and the version they are of.
"""

from __future__ import annotations

import shutil
from pathlib import Path

_SOURCE = Path(__file__).parent
_PACKAGES = ("contract", "provider")
COPY = Path("lib/extstorage")
"""Where the copy lies in a provider's directory."""


def vendor(provider_directory: Path) -> None:
    """Write the copy, replacing an older one; raise FileNotFoundError without a provider."""
    if not provider_directory.is_dir():
        raise FileNotFoundError(f"no provider directory {provider_directory}")
    copy = provider_directory / COPY
    shutil.rmtree(copy, ignore_errors=True)
    for name, content in _expected().items():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def outdated(provider_directory: Path) -> list[str]:
    """Return one sentence for each file of the copy that is not as ``vendor`` would write it."""
    copy = provider_directory / COPY
    expected = _expected()
    present = {
        path.relative_to(copy).as_posix(): path.read_bytes()
        for path in copy.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return [_difference(name, expected, present) for name in sorted({*expected, *present})
            if expected.get(name) != present.get(name)]  # fmt: skip


def _difference(name: str, expected: dict[str, bytes], present: dict[str, bytes]) -> str:
    if name not in present:
        return f"{COPY / name} is missing"
    if name not in expected:
        return f"{COPY / name} is not part of the runtime"
    return f"{COPY / name} differs from this version"


def _expected() -> dict[str, bytes]:
    files = [_SOURCE / "__init__.py"]
    for package in _PACKAGES:
        files += sorted((_SOURCE / package).glob("*.py"))
    return {path.relative_to(_SOURCE).as_posix(): path.read_bytes() for path in files}
