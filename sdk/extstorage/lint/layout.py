"""Rules about the provider's directory: what Ganeti looks at to call a provider valid.

Source in Ganeti: ``lib/storage/extstorage.py`` (ExtStorageFromDisk, _CheckExtStorageFile).
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from extstorage.contract.methods import OPTIONAL_METHODS, PARAMETERS_FILE, REQUIRED_METHODS
from extstorage.contract.names import is_provider_name
from extstorage.lint.finding import Lint, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from extstorage.lint.source import ProviderSource


def _name(source: ProviderSource) -> Iterator[Place]:
    if not is_provider_name(source.name):
        yield ".", None, f"{source.name!r} is no provider name: expected ^[a-zA-Z0-9_-]+$"


def _scripts_exist(source: ProviderSource) -> Iterator[Place]:
    for name in REQUIRED_METHODS:
        if not _exists(source.directory / name):
            yield name, None, "is missing: Ganeti requires it"


def _scripts_are_files(source: ProviderSource) -> Iterator[Place]:
    for name in REQUIRED_METHODS:
        if _exists(source.directory / name):
            yield from _not_a_file(source.directory / name)


def _scripts_are_executable(source: ProviderSource) -> Iterator[Place]:
    for name in REQUIRED_METHODS:
        yield from _not_executable(source.directory / name)


def _parameters_file(source: ProviderSource) -> Iterator[Place]:
    path = source.directory / PARAMETERS_FILE
    if not _exists(path):
        yield path.name, None, "is missing: Ganeti requires it, empty if there are no parameters"
        return
    yield from _not_a_file(path)
    if path.is_file():
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            yield path.name, None, f"is not UTF-8: every call of the provider fails ({error})"
        except OSError as error:
            yield path.name, None, f"cannot be read ({error.strerror})"


def _optional_scripts(source: ProviderSource) -> Iterator[Place]:
    for name in OPTIONAL_METHODS:
        path = source.directory / name
        # Ganeti takes a link that leads nowhere for a script that is not there.
        if path.exists():
            yield from _not_a_file(path)
            yield from _not_executable(path)


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _not_a_file(path: Path) -> Iterator[Place]:
    if not path.exists():
        yield path.name, None, f"is a link to {path.readlink()}, which does not exist"
    elif not path.is_file():
        yield path.name, None, "is not a regular file: Ganeti calls the whole provider invalid"


def _not_executable(path: Path) -> Iterator[Place]:
    # Ganeti asks for the owner's bit alone, whoever the owner is.
    if path.is_file() and not path.stat().st_mode & stat.S_IXUSR:
        yield path.name, None, "is not executable by its owner: run chmod +x"


LINTS = (
    Lint("ES-DISC-01", "MUST", _name),
    Lint("ES-DISC-02", "MUST", _scripts_exist),
    Lint("ES-DISC-03", "MUST", _scripts_are_files),
    Lint("ES-DISC-04", "MUST", _scripts_are_executable),
    Lint("ES-DISC-05", "MUST", _parameters_file),
    Lint("ES-DISC-06", "MUST", _optional_scripts),
)
