"""Running an external program so that its failure cannot be overlooked."""

from __future__ import annotations

import os
import select

from extstorage.provider.errors import ProviderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from extstorage.provider.locks import Lock, VolumeLock

    Held = Lock | VolumeLock

TIMEOUT_S = 300.0
_KILL = 9  # SIGKILL everywhere; the module signal would bring in enum and collections
_SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ToolError(ProviderError):
    """The program failed; ``status`` is its exit code, or minus the signal that ended it."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def run(
    program: str,
    *words: str,
    timeout_s: float = TIMEOUT_S,
    launcher: Sequence[str] = (),
    holding: Sequence[Held] = (),
) -> str:
    """Run ``program`` with the arguments ``words``; return what it printed on stdout.

    ``launcher`` is a command that runs it, such as ``("nice", "-n", "5")``; an error names
    ``program`` all the same.

    It sees an empty stdin, ``LC_ALL=C`` and no other descriptors but those of the locks
    ``holding``: should this script be killed, they are held until the program has ended. A relative
    directory in PATH is not searched, since a script's working directory is the
    provider's. Raises ProviderError if there is no such program, ToolError if it
    exits non-zero, dies of a signal, or was killed because it was not done after
    ``timeout_s`` seconds.
    """
    argv = [*launcher, program, *words]
    path = _find(argv[0])
    # Files, not pipes: a child that the program leaves behind cannot keep the script waiting.
    output = os.memfd_create("stdout")
    errors = os.memfd_create("stderr")
    try:
        status = _wait(_spawn(path, argv, output, errors, holding), timeout_s)
        if status != 0:
            raise ToolError(_failure(program, status, _text(errors), timeout_s), status)
        return _text(output)
    finally:
        os.close(output)
        os.close(errors)


def _find(program: str) -> str:
    if program.startswith("/"):
        candidates = [program]
    else:
        directories = os.environ.get("PATH", _SEARCH_PATH).split(":")
        candidates = [f"{each}/{program}" for each in directories if each.startswith("/")]
    for candidate in candidates:
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise ProviderError(f"the program {program} is not in PATH: install it on this node")


def _spawn(path: str, argv: list[str], output: int, errors: int, holding: Sequence[Held]) -> int:
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, errors, 2),
    ]
    # Onto itself: all that this does is let the program have it.
    actions += [(os.POSIX_SPAWN_DUP2, lock.fileno(), lock.fileno()) for lock in holding]
    environment = {**os.environ, "LC_ALL": "C"}
    # Its own process group, so that a time-out ends the program's children too.
    return os.posix_spawn(path, argv, environment, file_actions=actions, setpgroup=0)


def _wait(process: int, timeout_s: float) -> int:
    """Return the exit code, or minus the number of the signal that ended the process."""
    handle = os.pidfd_open(process)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        if not poll.poll(timeout_s * 1000):
            os.killpg(process, _KILL)
    finally:
        os.close(handle)
        _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


def _text(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0).decode("ascii", "backslashreplace")


def _failure(program: str, status: int, errors: str, timeout_s: float) -> str:
    how = f"exit code {status}" if status > 0 else f"signal {-status}"
    if status == -_KILL:
        how += f" (killed after {timeout_s:g} s, or by someone else)"
    lines = errors.split("\n")
    said = [line.strip() for line in lines if line.strip()]
    return f"{program} failed: {how}: {said[-1] if said else 'no message on stderr'}"
