"""Finding a provider and telling whether it is valid.

Source in Ganeti: ``lib/storage/extstorage.py`` (ExtStorageFromDisk, _CheckExtStorageFile),
``lib/utils/io.py`` (FindFile).
"""

from __future__ import annotations

import errno
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extstorage.contract import parameters
from extstorage.contract.methods import METHODS, PARAMETERS_FILE, Method
from extstorage.contract.names import is_provider_name
from extstorage.host import paths, text
from extstorage.host.errors import BlockDeviceError, MethodNotProvided

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from extstorage.contract.releases import Release
    from extstorage.nodes.node import Node


@dataclass(frozen=True)
class Provider:
    """A valid provider on a node.

    Attributes:
        name: Its name: the base name of its directory.
        path: Its directory, as the search path names it (symbolic links are kept).
        scripts: The path of each method's script; None for an optional one that is missing, and
            for a method that the release does not know.
        parameters: ``parameters.list`` as Ganeti splits it: at most two words a line.
    """

    name: str
    path: str
    scripts: Mapping[str, str | None]
    parameters: list[list[str]]

    def script(self, method: str) -> str:
        """Return the path of a method's script. Raises MethodNotProvided, KeyError."""
        path = self.scripts[method]
        if path is None:
            raise MethodNotProvided(self.name, method)
        return path


def find(node: Node, name: str, search_path: Iterable[str]) -> str:
    """Return the directory of the first provider of that name on the search path.

    Raises BlockDeviceError, with Ganeti's text, for a bad name too.
    """
    # FindFile: the mask ends in "$", which lets one newline pass.
    if is_provider_name(name.removesuffix("\n")):
        for directory in search_path:
            path = f"{directory}/{name}"
            if node.is_directory(path):
                return path
    raise BlockDeviceError(
        f"Directory for External Storage Provider {name} not found in search path",
    )


def load(node: Node, name: str, path: str, release: Release) -> Provider:
    """Return the provider in the directory ``path`` if ``release`` takes it as valid.

    Raises BlockDeviceError with Ganeti's text if not, UnicodeDecodeError for a
    ``parameters.list`` that Ganeti 3 cannot read, ValueError for a path that is not absolute.
    """
    scripts = {
        method.name: _script(node, path, method, release)
        if release.at_least(method.since)
        else None
        for method in METHODS
    }
    _require_parameters_file(node, path)
    return Provider(name, path, scripts, _parameters(node, path, release))


def problems(node: Node, path: str, release: Release) -> list[str]:
    """Return Ganeti's text for every file that makes the provider invalid.

    Ganeti tells one of them, and which one changes from run to run: it walks through a set.
    """
    found = []
    for method in METHODS:
        try:
            if release.at_least(method.since):
                _script(node, path, method, release)
        except BlockDeviceError as error:
            found.append(str(error))
    try:
        _require_parameters_file(node, path)
    except BlockDeviceError as error:
        found.append(str(error))
    return found


def _script(node: Node, directory: str, method: Method, release: Release) -> str | None:
    path = paths.join(directory, method.name)
    try:
        mode = node.stat(path).st_mode
    except OSError as error:
        if method.required:
            raise _missing(directory, method.name, error) from error
        return None
    try:
        _require_regular(directory, method.name, mode)
        _require_executable(directory, method.name, mode)
    except BlockDeviceError:
        if method.required or release.broken_optional_script_invalidates:
            raise
        return None
    return path


def _require_parameters_file(node: Node, directory: str) -> None:
    try:
        mode = node.stat(paths.join(directory, PARAMETERS_FILE)).st_mode
    except OSError as error:
        raise _missing(directory, PARAMETERS_FILE, error) from error
    _require_regular(directory, PARAMETERS_FILE, mode)


def _missing(directory: str, name: str, error: OSError) -> BlockDeviceError:
    return BlockDeviceError(
        f"File '{name}' under path '{directory}' is missing ({_error_name(error)})"
    )


def _require_regular(directory: str, name: str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise BlockDeviceError(f"File '{name}' under path '{directory}' is not a regular file")


def _require_executable(directory: str, name: str, mode: int) -> None:
    # Ganeti asks for the owner's bit alone, whoever the owner is.
    if not mode & stat.S_IXUSR:
        raise BlockDeviceError(f"File '{name}' under path '{directory}' is not executable")


def _parameters(node: Node, directory: str, release: Release) -> list[list[str]]:
    path = paths.join(directory, PARAMETERS_FILE)
    try:
        content = node.read_file(path)
    except OSError as error:
        raise BlockDeviceError(
            f"Error while reading the EXT parameters file at {path}: {_error_name(error)}",
        ) from error
    return parameters.parse(text.decode(content, release))


def _error_name(error: OSError) -> str:
    # ErrnoOrStr in lib/utils/io.py: the constant's name, not the sentence.
    return errno.errorcode[error.errno] if error.errno else str(error)
