"""``python3 -IS tracer PLAN SCRIPT [ARGUMENT]...``: run a script as if nobody looked on.

The process that the node started waits for the script and ends as the script does; its child is
the tracer, which outlives both for as long as the script has left something running, because a
process whose tracer is gone cannot go on.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

CANNOT_TRACE = 125
DIED = 119
"""The tracer ended before it could tell how the script did; there is no report."""
_STATUS = struct.Struct("i?")


def main() -> NoReturn:
    """Run the script; the exit status is the script's own."""
    orders, argv = json.loads(sys.argv[1]), sys.argv[2:]
    reader, writer = os.pipe()
    tracer = os.fork()
    if tracer == 0:
        os.close(reader)
        _trace(orders, argv, writer)
    os.close(writer)
    _ignore_signals()
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    answer = os.read(reader, _STATUS.size)
    if len(answer) < _STATUS.size:
        status = os.waitpid(tracer, 0)[1]
        could = not os.WIFEXITED(status) or os.WEXITSTATUS(status) != CANNOT_TRACE
        os._exit(DIED if could else CANNOT_TRACE)
    status, leaves = _STATUS.unpack(answer)
    if not leaves:
        os.waitpid(tracer, 0)
    _end_as(status)


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _end_as(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _trace(orders: dict[str, object], argv: list[str], writer: int) -> NoReturn:
    from extstorage_conformance.faults.tracer import clock, kernel
    from extstorage_conformance.faults.tracer.calls import LOOKS, NUMBERS
    from extstorage_conformance.faults.tracer.memory import outputs_of
    from extstorage_conformance.faults.tracer.plan import MISSING, Plan
    from extstorage_conformance.faults.tracer.tracing import Tracing

    if os.uname().machine != kernel.MACHINE:
        os.write(2, f"the tracer does not know {os.uname().machine}\n".encode())
        os._exit(CANNOT_TRACE)
    try:
        # Interpreters look for files by the hundred, and each stop takes long in a guest.
        unseen = () if orders.get("do") == MISSING else LOOKS
        watched = [number for name, number in NUMBERS.items() if name not in unseen]
        watched += clock.NUMBERS if orders.get("clock") else ()
        script = _stopped_child(argv, watched)
        outputs = outputs_of(script)
        kernel.seize(script)
        os.kill(script, signal.SIGCONT)
    except OSError as error:
        os.write(2, f"the tracer cannot start: {error}\n".encode())
        os._exit(CANNOT_TRACE)
    _ignore_signals()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    plan = Plan(orders)

    def ended(status: int, leaves: bool) -> None:  # noqa: FBT001 - Tracing's callback
        report = {
            "fired": tracing.fired,
            "taken": tracing.taken,
            "said": tracing.said,
            "stubborn": tracing.hanging.stubborn,
            "leaves": leaves,
            "steps": [step.to_json() for step in tracing.steps.taken],
            "sightings": tracing.sightings.to_json() if tracing.sightings else None,
        }
        try:
            with open(plan.report, "w", encoding="utf-8") as file:
                json.dump(report, file)
        except OSError:
            pass  # a replay: the run's own directory is gone
        os.write(writer, _STATUS.pack(status, leaves))
        os.close(writer)

    tracing = Tracing(script, plan, outputs, ended)
    tracing.run()
    os._exit(0)


def _stopped_child(argv: list[str], numbers: object) -> int:
    """Start the script in a child that waits, stopped, to be traced; return its number."""
    from extstorage_conformance.faults.tracer import kernel

    child = os.fork()
    if child:
        os.waitpid(child, os.WUNTRACED)
        return child
    try:
        os.kill(os.getpid(), signal.SIGSTOP)
        kernel.trace_calls(numbers)  # type: ignore[arg-type]
        os.execv(argv[0], argv)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"{argv[0]}: {error}\n".encode())
    os._exit(CANNOT_TRACE)


if __name__ == "__main__":
    main()
