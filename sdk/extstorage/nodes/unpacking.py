"""Writes a directory that came as an archive. Sent to nodes: standard library, Python 3.9."""

from __future__ import annotations

import base64
import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path


def unpack(archive: str, target: str) -> None:
    """Make the directory ``target`` from a base64 tar archive, whole or not at all.

    Raises FileExistsError if there is anything at ``target``; missing parents are made.
    """
    if os.path.lexists(target):
        raise FileExistsError(f"{target} exists: remove it first")
    parent = Path(target).parent
    parent.mkdir(parents=True, exist_ok=True)
    work = tempfile.mkdtemp(prefix=".new-", dir=parent)
    try:
        _extract(archive, f"{work}/directory")
        Path(work, "directory").rename(target)
    finally:
        shutil.rmtree(work)


def _extract(archive: str, directory: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(archive))) as tar:
        # The archive is our own. Releases that know filters want one to be named.
        options = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
        tar.extractall(directory, **options)  # type: ignore[arg-type]  # noqa: S202 - see above
