"""A process that keeps a block device open, as a running instance does."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from extstorage_conformance.violation import Blocked

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def held(path: str) -> Iterator[None]:
    """Keep the device ``path`` open for writing until the with block ends; raises Blocked.

    The holder is a process of its own: a provider that ends whoever uses a
    device does not end the suite.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise Blocked(f"the device {path} cannot be opened: {error}") from None
    try:
        holder = subprocess.Popen(
            ["sleep", "3600"], stdin=descriptor, stdout=subprocess.DEVNULL, start_new_session=True
        )
    finally:
        os.close(descriptor)
    try:
        yield
    finally:
        holder.kill()
        holder.wait()
