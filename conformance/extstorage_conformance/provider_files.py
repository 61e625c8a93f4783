"""What stands in the files of a provider's directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST_BYTES = 10_000_000


def content(path: Path) -> bytes:
    """Return a file's bytes; none of what is no file, is larger than 10 MB, or cannot be read."""
    try:
        is_small = path.is_file() and path.stat().st_size < _LARGEST_BYTES
        return path.read_bytes() if is_small else b""
    except OSError:  # gone meanwhile: an editor's, or a log's
        return b""
