"""The command ``extstorage``.

This file runs on every Python 3, so that one that is too old is told so in words.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (default: this process's) and return its exit status.

    0: done, the provider conforms. 1: it does not, or a script failed. 2: the command line or a
    file that it names is wrong. 3: this machine cannot run it. 130: interrupted.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - a checkout runs without pip, which would tell
        found = ".".join(str(part) for part in sys.version_info[:2])
        print(
            f"extstorage: needs Python 3.11 or later, found {found}: run it with a newer python3",
            file=sys.stderr,
        )
        return 3
    try:
        return _run(argv)
    except KeyboardInterrupt:
        from extstorage.cli.errors import interrupted  # noqa: PLC0415 - as below

        return interrupted()


def _run(argv: Sequence[str] | None) -> int:
    words = sys.argv[1:] if argv is None else argv
    from extstorage.cli.handover import handed_over  # noqa: PLC0415 - not for an old Python

    status = handed_over(words)
    if status is not None:
        if argv is None:
            # Without the interpreter's tidying up, a tenth of a short command's time.
            os._exit(status)
        return status
    from extstorage.cli.command import run  # noqa: PLC0415 - takes long, and may not be needed

    return run(words)
