"""Arguments that several sub-commands take."""

from __future__ import annotations

import os
from pathlib import Path

from extstorage.cli.errors import UsageError
from extstorage.host.recognition import why_no_provider


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


def provider_to_read(given: str) -> Path:
    """Return a provider's directory for a command that works on all of it; raises UsageError.

    What has nothing of a provider's may be as large as ``/``, or a project around a provider.
    """
    directory = provider_directory(given)
    reason = why_no_provider(directory)
    if reason:
        raise UsageError(reason)
    return directory
