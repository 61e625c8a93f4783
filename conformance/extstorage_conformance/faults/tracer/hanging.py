"""What follows a step that never returns: SIGTERM to the script, and what is still there then."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from extstorage_conformance.faults.tracer.plan import Plan

LEFT = ".left"
END = ".end"
"""With these behind the report's name: a file that is there as long as the script has left
something, and what it is renamed to when that is to end."""
_LOOK_S = 0.05
_FORGOTTEN_S = 600.0


class Hanging:
    """Ends a script that hangs as an operator would: SIGTERM for its session, and a wait.

    Not only for its process group: a tool that a script gives a time limit has one of its own.
    ``terminate`` sends that, ``end_all`` SIGKILL to all that is left. ``stubborn`` says whether
    the script went on for the plan's ``linger`` seconds after SIGTERM.
    """

    def __init__(
        self, plan: Plan, terminate: Callable[[], None], end_all: Callable[[], None]
    ) -> None:
        self._plan = plan
        self._terminate = terminate
        self._end_all = end_all
        self._waits_s = 0.0
        self.stubborn = False

    def begins(self) -> None:
        """Note that the step hangs now."""
        if self._plan.patience:
            _after(self._plan.patience, self._end_script)

    def _end_script(self) -> None:
        _after(self._plan.linger, self._lose_patience)
        self._terminate()

    def _lose_patience(self) -> None:
        self.stubborn = True
        self._end_all()

    def script_ended(self, *, leaves: bool) -> None:
        """Note that the script has ended; what it leaves goes on until it is told to end too.

        A tool in a session of its own hangs on, with the script's lock: the calls that come next
        have to live with that.
        """
        _after(0, _nothing)
        if leaves and self._plan.patience:
            try:
                os.close(os.open(self._plan.report + LEFT, os.O_WRONLY | os.O_CREAT, 0o600))
            except OSError:
                pass  # a replay: the run's own directory is gone, and what is left goes at once
            _after(_LOOK_S, self._look)

    def _look(self) -> None:
        self._waits_s += _LOOK_S
        if os.path.exists(self._plan.report + LEFT) and self._waits_s < _FORGOTTEN_S:
            _after(_LOOK_S, self._look)
        else:
            self._end_all()

    def all_ended(self) -> None:
        """Tell who waits for it that nothing is left."""
        for what in (LEFT, END):
            _unlink(self._plan.report + what)


def _after(seconds: float, action: Callable[[], None]) -> None:
    signal.signal(signal.SIGALRM, lambda _number, _frame: action())
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _nothing() -> None:
    pass
