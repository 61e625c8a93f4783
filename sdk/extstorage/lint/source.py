"""The files of a provider, read once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from extstorage.contract.methods import METHOD_NAMES, PARAMETERS_FILE
from extstorage.vendoring import COPY

_LARGEST_FILE = 1 << 20
_NOT_CODE = frozenset(
    {".adoc", ".cfg", ".conf", ".html", ".ini", ".json", ".md", ".rst", ".toml", ".txt", ".yaml"}
    | {".list", ".pyc", ".yml"}
)
_SHELLS = frozenset({"sh", "ash", "bash", "dash", "ksh", "ksh93", "mksh", "zsh"})


@dataclass(frozen=True)
class SourceFile:
    """One regular file of a provider: its path below the provider's directory, its bytes."""

    path: Path
    name: str
    content: bytes

    @cached_property
    def text(self) -> str:
        """The content; bytes that are no UTF-8 are replaced."""
        return self.content.decode("utf-8", errors="replace")

    @property
    def is_native(self) -> bool:
        """Whether the kernel runs it without an interpreter."""
        return self.content.startswith(b"\x7fELF")

    @property
    def is_text(self) -> bool:
        """Whether it is a file that people write."""
        return b"\0" not in self.content

    @cached_property
    def shebang(self) -> tuple[str, ...]:
        """The words after ``#!``: the interpreter and its arguments; empty if there is none."""
        first_line = self.content.partition(b"\n")[0]
        if not first_line.startswith(b"#!"):
            return ()
        return tuple(first_line[2:].decode("utf-8", errors="replace").split())

    @cached_property
    def interpreter(self) -> tuple[str, ...]:
        """The words of the shebang without ``env`` and its options."""
        words = self.shebang
        if not words or words[0].rpartition("/")[2] != "env":
            return words
        if not words[1:] or not words[1].startswith("-"):
            # The kernel passes one argument: without -S env looks for a program with blanks.
            return (" ".join(words[1:]),) if words[1:] else ()
        return tuple(word for word in words[1:] if not word.startswith("-") and "=" not in word)

    @cached_property
    def language(self) -> str:
        """``"sh"``, ``"python"`` or ``""``, by the shebang or else by the file's suffix."""
        names = [word.rpartition("/")[2] for word in self.interpreter[:2]]
        if not names:
            return {".sh": "sh", ".bash": "sh", ".py": "python"}.get(self.path.suffix, "")
        if names[0] in _SHELLS or names == ["busybox", "sh"]:
            return "sh"
        return "python" if names[0].startswith(("python", "pypy")) else ""


@dataclass(frozen=True)
class ProviderSource:
    """A provider's directory and the files in it, whether it is valid or not.

    ``files`` has every readable regular file of at most 1 MiB, symbolic links to files followed,
    without caches and without the runtime in ``lib/extstorage``.
    """

    directory: Path
    files: tuple[SourceFile, ...]

    @classmethod
    def read(cls, directory: Path) -> ProviderSource:
        """Read a provider. Raises NotADirectoryError."""
        # abspath and not resolve: a provider has the name of the link that leads to it.
        directory = Path(os.path.abspath(directory))  # noqa: PTH100
        if not directory.is_dir():
            raise NotADirectoryError(f"{directory} is not a directory")
        return cls(directory, tuple(_files(directory)))

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.directory.name

    @cached_property
    def scripts(self) -> tuple[SourceFile, ...]:
        """The scripts of the methods, those that are there."""
        return tuple(file for file in self.files if file.name in METHOD_NAMES)

    @cached_property
    def code(self) -> tuple[SourceFile, ...]:
        """Every text file that may be program code, each once though links lead to it."""
        distinct = {
            file.path.resolve(): file
            for file in reversed(self.files)
            if file.is_text and (file.shebang or file.path.suffix not in _NOT_CODE)
        }
        return tuple(reversed(distinct.values()))

    @cached_property
    def runtime(self) -> tuple[SourceFile, ...]:
        """The files of the runtime in ``lib/extstorage``, which ``files`` leaves out."""
        return tuple(_files(self.directory / COPY))

    @cached_property
    def parameters(self) -> str | None:
        """The text of ``parameters.list``; None if it cannot be read."""
        for file in self.files:
            if file.name == PARAMETERS_FILE:
                return file.text
        return None


def _files(directory: Path) -> list[SourceFile]:
    found = []
    for folder, folders, names in os.walk(directory):
        relative = Path(folder).relative_to(directory)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith((".", "__"))
            and relative / name != COPY  # the runtime is tested where it comes from
        )
        for name in sorted(names):
            path = Path(folder, name)
            content = _content(path)
            if content is not None and not name.startswith("."):
                found.append(SourceFile(path, str(relative / name), content))
    return found


def _content(path: Path) -> bytes | None:
    """Return a regular file's bytes; None for anything else, or too large, or unreadable."""
    try:
        if path.is_file() and path.stat().st_size <= _LARGEST_FILE:
            return path.read_bytes()
    except OSError:
        return None
    return None
