"""Which of this machine's processors a guest has.

User-Mode Linux runs a guest's processes as traced ones of this machine: at each of their system
calls and page faults one process stops and another goes on. Between two processors each of these
waits for the other one to wake, so a guest keeps to one; more guests than processors share them.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def claimed(number: int) -> Iterator[int]:
    """Claim, in a ``with`` block, a processor for guest ``number`` (1, 2, ...) of a run.

    Gives the processor's number, one of those that this process may use. The first guests of all
    runs, which have most to do, are spread evenly, and so are the second. A claim is a name that
    only one socket of this machine can have: of runs that start at once each gets another, and the
    kernel forgets it with the process.
    """
    usable = sorted(os.sched_getaffinity(0))
    first = (number - 1) % len(usable)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as claim:
        yield next(
            processor
            for sharing in itertools.count()
            for processor in (*usable[first:], *usable[:first])
            if _is_ours(claim, f"{number}-{processor}-{sharing}")
        )


def _is_ours(claim: socket.socket, name: str) -> bool:
    try:
        claim.bind(f"\0extstorage-guest-{name}")
    except OSError as error:
        # Where no names can be had at all, the first processor will do.
        return error.errno != errno.EADDRINUSE
    return True
