"""Finding a provider and telling whether it is valid.

Source in Ganeti: ``lib/storage/extstorage.py`` (ExtStorageFromDisk, _CheckExtStorageFile),
``lib/utils/io.py`` (FindFile).
"""

from __future__ import annotations

import errno
import posixpath
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from extstorage.contract import parameters
from extstorage.contract.methods import METHODS, PARAMETERS_FILE, Method
from extstorage.contract.names import is_provider_name
from extstorage.host import paths, text
from extstorage.host.errors import BlockDeviceError, MethodNotProvided
from extstorage.nodes.node import Search

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from extstorage.contract.releases import Release
    from extstorage.nodes.node import FileStatus, Node


_FILES = [PARAMETERS_FILE, *(method.name for method in METHODS)]


class Files(Protocol):
    """What is looked at of a node; see ``nodes.node.Node``."""

    def stat(self, path: str) -> FileStatus: ...  # noqa: D102 - as in Node
    def is_directory(self, path: str) -> bool: ...  # noqa: D102 - as in Node
    def read_file(self, path: str) -> bytes: ...  # noqa: D102 - as in Node


class Glance:
    """A provider's files on a node, all looked at in one request and not again.

    Ganeti looks at a dozen files for each call; asked one by one, a node that is not this machine
    takes longer to answer than many a script to run.

    Attributes:
        has_log_directory: Whether the directory for log files is there.
    """

    def __init__(
        self, node: Node, name: str, search_path: Iterable[str], log_directory: str
    ) -> None:
        # A name that is none is refused without a look, and some cannot be looked at (NUL).
        directories = [f"{each}/{name}" for each in search_path] if _is_name(name) else []
        search = Search(directories, _FILES, PARAMETERS_FILE, log_directory)
        self._sight = node.look(search)
        self.has_log_directory = self._sight.has_beside

    def stat(self, path: str) -> FileStatus:
        """Return a file's status. Raises OSError."""
        found = self._sight.files[posixpath.basename(path)]
        if isinstance(found, OSError):
            raise found
        return found

    def is_directory(self, path: str) -> bool:
        """Return whether the path leads to the provider's directory."""
        return path == self._sight.directory

    def read_file(self, path: str) -> bytes:
        """Return the content of ``parameters.list``. Raises OSError."""
        content = self._sight.content
        if not isinstance(content, bytes):
            raise content or OSError(errno.EINVAL, "no regular file", path)
        return content


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


def find(node: Files, name: str, search_path: Iterable[str]) -> str:
    """Return the directory of the first provider of that name on the search path.

    Raises BlockDeviceError, with Ganeti's text, for a bad name too.
    """
    if _is_name(name):
        for directory in search_path:
            path = f"{directory}/{name}"
            if node.is_directory(path):
                return path
    raise BlockDeviceError(
        f"Directory for External Storage Provider {name} not found in search path",
    )


def _is_name(name: str) -> bool:
    # FindFile: the mask ends in "$", which lets one newline pass.
    return is_provider_name(name.removesuffix("\n"))


def load(node: Files, name: str, path: str, release: Release) -> Provider:
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


def problems(node: Files, path: str, release: Release) -> list[str]:
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


def _script(node: Files, directory: str, method: Method, release: Release) -> str | None:
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


def _require_parameters_file(node: Files, directory: str) -> None:
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


def _parameters(node: Files, directory: str, release: Release) -> list[list[str]]:
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
