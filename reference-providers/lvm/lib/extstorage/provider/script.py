"""The entry point of every script: from Ganeti's call to one method of the provider, and back."""

from __future__ import annotations

import os
import sys

from extstorage.contract.methods import METHOD_NAMES
from extstorage.provider.errors import FAILED, USAGE, ProviderError, printable
from extstorage.provider.variables import arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, TextIO

    from extstorage.provider.device import Device
    from extstorage.provider.provider import Provider

_HELP = ("-h", "--help")


def main(provider_class: type[Provider]) -> NoReturn:
    """Run the method that the script's name says and exit.

    0: done. 1: failed or refused. 2: the call is wrong, nothing was done. Any
    message is one ASCII line on stderr; stdout carries attach's device and nothing else.

    SIGTERM keeps its default action: a provider must survive SIGKILL between any
    two steps, so it has no use for a second way to stop.
    """
    exit_code = run(provider_class)
    for stream in (sys.stdout, sys.stderr):
        _flush(stream)
    # Without the interpreter's tidying up, a tenth of what a script costs; nothing waits for it.
    os._exit(exit_code)


def run(provider_class: type[Provider]) -> int:
    """Run the method that the script's name says; return the exit code."""
    directory, method = os.path.split(os.path.abspath(sys.argv[0]))
    words = sys.argv[1:]
    if method not in METHOD_NAMES:
        return _complain(f"{method}: no such method: {' '.join(METHOD_NAMES)}", USAGE)
    if words and words[0] in _HELP:
        return _print_usage(provider_class, method, 1)
    if words and method != "verify":
        return _print_usage(provider_class, method, 2)
    return _run(provider_class, os.path.basename(directory), method, words)


def _run(provider_class: type[Provider], name: str, method: str, words: list[str]) -> int:
    label = _label(name, method)
    try:
        answer = _reserve_stdout()
        _answer(answer, _call(provider_class, name, method, words))
    except ProviderError as error:
        return _complain(f"{label}: {error}", error.exit_code)
    except KeyboardInterrupt:
        return _complain(f"{label}: interrupted", FAILED)
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback in a job log
        return _complain(f"{label}: {_reason(error)}", FAILED)
    return 0


def _call(provider_class: type[Provider], name: str, method: str, words: list[str]) -> str:
    """Return what stdout is to get."""
    if method == "verify":
        provider_class(name, os.environ, bare=True).verify(words)
        return ""
    values = arguments(method, os.environ)
    function = getattr(provider_class(name, os.environ), method, None)
    if function is None:
        raise ProviderError(f"this provider has no {method}: remove the script")
    device: Device | None = function(*values)
    return device.output() if device is not None else ""


def _reserve_stdout() -> int:
    """Return the real stdout; whatever is printed from now on, by tools too, goes to stderr."""
    answer = os.dup(1)
    os.dup2(2, 1)
    return answer


def _answer(answer: int, output: str) -> None:
    # Not reaching Ganeti is a failure, so this is not left to the interpreter's exit.
    rest = output.encode("ascii")
    while rest:
        rest = rest[os.write(answer, rest) :]


def _flush(stream: TextIO) -> None:
    try:
        stream.flush()
    except OSError:  # nobody reads it any more
        pass


def _label(name: str, method: str) -> str:
    volume = os.environ.get("VOL_NAME") if method != "verify" else None
    return f"{name} {method} {volume[:200]}" if volume else f"{name} {method}"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename is not None else ""
        return f"{error.strerror or error}{where}"
    return f"internal error: {type(error).__name__}: {error} (at {_place(error)})"


def _place(error: Exception) -> str:
    """Return where ``error`` arose, innermost call first: a traceback in one line."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        file = os.path.basename(trace.tb_frame.f_code.co_filename)
        places.append(f"{file}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " < ".join(reversed(places))


def _complain(line: str, exit_code: int) -> int:
    os.write(2, (printable(line) + "\n").encode("ascii"))
    return exit_code


def _print_usage(provider_class: type[Provider], method: str, stream: int) -> int:
    from extstorage.provider.usage import usage

    os.write(stream, usage(provider_class, method).encode("ascii"))
    return 0 if stream == 1 else USAGE
