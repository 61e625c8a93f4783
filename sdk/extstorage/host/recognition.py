"""Whether a directory can be a provider's at all, told without reading what is below it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from extstorage.contract.methods import ATTACH, CREATE, METHOD_NAMES, PARAMETERS_FILE

if TYPE_CHECKING:
    from pathlib import Path


def why_no_provider(directory: Path) -> str:
    """Return a sentence if a directory has nothing of what a provider consists of, else ``""``.

    Ask before reading all that a directory holds: it may be ``/``. A provider that lacks a
    script, or has nothing but its parameters yet, is one.
    """
    if any(os.path.lexists(directory / name) for name in (*METHOD_NAMES, PARAMETERS_FILE)):
        return ""
    advice = "".join(f"; give {each}, which has them" for each in _providers_in(directory)[:1])
    first = ", ".join(METHOD_NAMES[:3])
    return (
        f"{directory} is no provider's directory: expected the scripts {first},"
        f" ... or {PARAMETERS_FILE} in it, found none of them{advice}"
    )


def _providers_in(directory: Path) -> list[Path]:
    try:
        names = sorted(each.name for each in os.scandir(directory) if each.is_dir())
    except OSError:
        return []
    return [
        directory / name
        for name in names
        if all((directory / name / method.name).is_file() for method in (CREATE, ATTACH))
    ]
