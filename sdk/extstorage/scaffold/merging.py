"""Three versions of a project's files: as it was made, as it is, as it would be made today."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage.scaffold.record import File

if TYPE_CHECKING:
    from collections.abc import Mapping

MARKER = "<<<<<<< yours\n"
"""The line that begins what both sides have changed."""


class MergeError(Exception):
    """The merge cannot be done at all."""


@dataclass(frozen=True)
class Change:
    """What becomes of one file: its new content (None: it goes), and what to say about it.

    ``kind`` is ``added``, ``updated``, ``merged``, ``removed``, ``conflict`` or ``kept``
    (the template's change is left out, ``reason`` says why).
    """

    name: str
    kind: str
    file: File | None
    reason: str = ""


def merge(
    base: Mapping[str, File], yours: Mapping[str, File], template: Mapping[str, File]
) -> list[Change]:
    """Return what has to be done to ``yours``; nothing for files that stay as they are."""
    names = sorted({*base, *template})
    changes = (_change(name, base.get(name), yours.get(name), template.get(name)) for name in names)
    return [change for change in changes if change]


def _change(
    name: str, base: File | None, yours: File | None, template: File | None
) -> Change | None:
    if template in (base, yours):
        return None
    if template is None:
        return _gone(name, base, yours)
    if yours is None:
        if base is None:
            return Change(name, "added", template)
        return Change(name, "kept", None, "you have deleted it, the template has changed it")
    if yours == base:
        return Change(name, "updated", template)
    return _merged(name, base, yours, template)


def _gone(name: str, base: File | None, yours: File | None) -> Change | None:
    if yours is None:
        return None
    if yours == base:
        return Change(name, "removed", None)
    return Change(name, "kept", yours, "the template no longer has it, you have changed it")


def _merged(name: str, base: File | None, yours: File, template: File) -> Change:
    text, conflicts = _merge_texts(base.text if base else "", yours.text, template.text)
    was = base.executable if base else yours.executable
    executable = template.executable if template.executable != was else yours.executable
    merged = File(text, executable)
    if conflicts:
        return Change(name, "conflict", merged, f"{conflicts} places changed by both")
    return Change(name, "merged", merged)


def _merge_texts(base: str, yours: str, template: str) -> tuple[str, int]:
    """Return the merged text, and how many places both have changed; these are marked."""
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory, name) for name in ("yours", "before", "template")]
        for path, text in zip(paths, (yours, base, template), strict=True):
            path.write_bytes(text.encode("utf-8"))
        labels = [word for path in paths for word in ("-L", path.name)]
        try:
            done = subprocess.run(
                ["git", "merge-file", "-p", *labels, *paths], capture_output=True, check=False
            )
        except FileNotFoundError:
            raise MergeError("git is not installed, which merges files: install it") from None
    # The status is the number of conflicts, at most 127; an error is 128 or more.
    if not 0 <= done.returncode < 128:  # noqa: PLR2004
        raise MergeError(f"git merge-file failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode("utf-8"), done.returncode
