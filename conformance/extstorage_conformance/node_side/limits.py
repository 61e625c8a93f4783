"""A limit for what may wait in the kernel for ever, as I/O does when a device's back end is gone.

Such a wait cannot be ended from here. It is left to a thread, and whoever asked is told.
"""

from __future__ import annotations

import errno
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def within(limit_s: float, work: Callable[[], Any], what: str) -> Any:  # noqa: ANN401 - as it is
    """Return what ``work`` returns; raises what it raises, OSError if it takes too long."""
    future: Future[Any] = Future()

    def do() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever waits raises it
            future.set_exception(error)

    threading.Thread(target=do, daemon=True).start()
    try:
        return future.result(limit_s)
    except NotDone:
        if future.done():  # since Python 3.11 it may be an error of the work's own
            return future.result()
        raise OSError(errno.ETIMEDOUT, f"{what} takes longer than {limit_s:g} s") from None
