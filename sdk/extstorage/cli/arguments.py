"""Arguments that several sub-commands take."""

from __future__ import annotations

import os
from pathlib import Path

from extstorage.cli.errors import UsageError


def provider_directory(given: str) -> Path:
    """Return the absolute path of a provider's directory, links kept; raises UsageError."""
    if not given:
        # abspath("") is the current directory, which nobody has named.
        raise UsageError("DIR is empty: expected a provider's directory (is a variable unset?)")
    # abspath and not resolve: a provider has the name of the link that leads to it.
    path = Path(os.path.abspath(given))  # noqa: PTH100
    if not path.exists():
        raise UsageError(f"{given} does not exist: expected a provider's directory")
    if not path.is_dir():
        raise UsageError(f"{given} is a file: expected a provider's directory")
    return path
