"""Files: those whose name carries a volume's, and all in the back end's directories."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage_conformance.node_side.found import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# Where providers keep state, locks, links and temporary files on a node, and how
# many levels down: a survey is taken around every test and has to be quick.
_STATE_DIRECTORIES = {
    "/run": 5,
    "/dev": 4,
    "/tmp": 3,  # noqa: S108 - looked at, not used
    "/var/tmp": 3,  # noqa: S108 - looked at, not used
    "/dev/shm": 3,  # noqa: S108 - looked at, not used
    "/var/lib": 2,
}


def items(owns: Callable[[str], bool], directories: Iterable[str], ignore: str) -> Iterator[Found]:
    """Yield files of ours on the node, and every file below ``directories``.

    A directory without a volume's name counts for nothing: providers divide their
    space once and for all. ``ignore`` is the run's own directory, the suite's. Interpreters keep
    caches under the paths of scripts, and the provider can lie in the run's directory.
    """
    own_name = ignore.rpartition("/")[2]
    for directory, depth in _STATE_DIRECTORIES.items():
        for path in _walk(directory, depth, ignore):
            name = path.rpartition("/")[2]
            if owns(name) and name != own_name:
                yield Found("file", path)
    for directory in directories:
        for path in _walk(directory, None, ""):
            if owns(path.rpartition("/")[2]) or not Path(path).is_dir():
                yield Found("file", path)


def _walk(directory: str, depth: int | None, ignore: str) -> Iterator[str]:
    """Yield the paths below ``directory``, ``depth`` levels down, but for ``ignore``."""
    level = [directory]
    while level and depth != 0:
        below = []
        for parent in level:
            try:
                entries = os.scandir(parent)
            except OSError:
                continue
            for entry in entries:
                if entry.path != ignore:
                    yield entry.path
                    if entry.is_dir(follow_symlinks=False):
                        below.append(entry.path)
        level = below
        depth = depth and depth - 1


def release(name: str) -> None:
    """Delete the file or directory ``name``; raises OSError."""
    path = Path(name)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def total_bytes(paths: Iterable[str]) -> int:
    """Return how many bytes the regular files among ``paths`` have."""
    return sum(path.lstat().st_size for path in map(Path, paths) if path.is_file())


def age_s(path: str) -> float | None:
    """Return how many seconds ago the file was last written; None if there is none."""
    try:
        return time.time() - Path(path).stat().st_mtime
    except FileNotFoundError:
        return None


def digests(directory: str) -> dict[str, str]:
    """Return a digest of mode and content for each file and link; Python's caches are left out."""
    root = Path(directory)
    return {
        str(path.relative_to(root)): _digest(path)
        for path in root.rglob("*")
        if "__pycache__" not in path.parts and (path.is_file() or path.is_symlink())
    }


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"link {path.readlink()}"
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{path.stat().st_mode:o} {content}"


def set_aside(paths: Iterable[str], directory: str) -> dict[str, str]:
    """Move files to ``directory``, which is made; return where each is now."""
    Path(directory).mkdir()
    moved = {}
    for number, path in enumerate(paths):
        if os.path.lexists(path):  # it may have gone with the directory that it was in
            moved[path] = f"{directory}/{number}"
            shutil.move(path, moved[path])
    return moved


def put_back(moved: dict[str, str], directory: str) -> None:
    """Undo ``set_aside`` as far as there still is a place, and delete ``directory``."""
    for path, kept in moved.items():
        if Path(path).parent.is_dir() and not os.path.lexists(path):
            shutil.move(kept, path)
    delete(directory)


def link_programs(names: Iterable[str], search_path: str, directory: str) -> None:
    """Make ``directory`` with links to those of the programs that ``search_path`` has."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    for name in names:
        program = shutil.which(name, path=search_path)
        if program and not os.path.lexists(f"{directory}/{name}"):
            Path(directory, name).symlink_to(program)


def make_private(prefix: str, parent: str) -> str:
    """Make a private directory of a new name in ``parent`` and return its path."""
    return tempfile.mkdtemp(prefix=prefix, dir=parent)


def delete(path: str) -> None:
    """Delete a directory and all in it; no error if it is not there."""
    shutil.rmtree(path, ignore_errors=True)
