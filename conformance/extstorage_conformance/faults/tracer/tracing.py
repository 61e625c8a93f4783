"""Follows a script and all that it starts from step to step, and breaks the one that is planned."""

from __future__ import annotations

import errno
import os
import signal

from extstorage_conformance.faults.tracer import calls, clock, kernel
from extstorage_conformance.faults.tracer import plan as plans
from extstorage_conformance.faults.tracer.hanging import Hanging
from extstorage_conformance.faults.tracer.kernel import Registers
from extstorage_conformance.faults.tracer.memory import Memory
from extstorage_conformance.faults.tracer.sightings import Sightings
from extstorage_conformance.faults.tracer.steps import Step, Steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from extstorage_conformance.faults.tracer.plan import Plan

_STOPPING = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


class Process:
    """One traced process (or thread).

    ``is_own`` tells the script's own code from the programs that it calls. ``commands`` are the
    commands that it runs for, outermost first. ``step`` is what it is in the middle of, ``asks``
    the call, if it asks for the time.
    """

    __slots__ = ("asks", "commands", "execs", "is_own", "step", "to_do")

    def __init__(self, *, is_own: bool, commands: tuple[Step, ...] = ()) -> None:
        self.is_own = is_own
        self.commands = commands
        self.step: Step | None = None
        self.execs = False
        self.to_do = ""
        self.asks: tuple[str, tuple[int, ...]] | None = None


class Tracing:
    """The script ``main`` under trace; ``run`` lasts until the script and all of its are gone.

    ``ended`` is told the script's wait status as soon as it has ended. ``fired`` says whether
    what is planned came to pass, ``taken`` how many calls asked for space in a file system,
    ``said`` how many wrote to standard output or error.
    """

    def __init__(
        self, main: int, plan: Plan, outputs: frozenset[str], ended: Callable[[int, bool], None]
    ) -> None:
        self._main = main
        self._group = os.getpgid(main)
        self._session = os.getsid(main)
        self._plan = plan
        self._outputs = outputs
        self._ended = ended
        self._processes = {main: Process(is_own=True)}
        self._early: set[int] = set()
        self._started = False
        self.steps = Steps(plan.names)
        self.sightings = Sightings() if plan.watches else None
        self.clock = clock.Clock(plan.clock, plan.after) if plan.clock else None
        self.hanging = Hanging(plan, self._terminate_session, self._end_all)
        self.fired = False
        self.taken = 0
        self.said = 0

    def run(self) -> None:
        """Trace until nobody is left."""
        while self._processes or self._early:
            try:
                process, status = os.waitpid(-1, kernel.WALL)
            except ChildProcessError:
                break
            if os.WIFSTOPPED(status):
                self._stopped(process, status)
                continue
            self._processes.pop(process, None)
            self._early.discard(process)
            if not self._processes:
                self._end_all()  # who was killed while it forked tells nobody whose these are
            if process == self._main:
                self.hanging.script_ended(leaves=bool(self._processes))
                self._ended(status, bool(self._processes))
        self.hanging.all_ended()

    def _end_all(self) -> None:
        for process in [*self._processes, *self._early]:
            _signal(process, signal.SIGKILL)

    def _stopped(self, process: int, status: int) -> None:
        if process not in self._processes:
            self._early.add(process)  # its parent's event, which tells whose it is, comes yet
            if not self._processes:
                self._end_all()
            return
        try:
            self._handle(process, os.WSTOPSIG(status), status >> 16)
        except ProcessLookupError:
            pass  # killed meanwhile: its end is reported too

    def _handle(self, process: int, stop: int, event: int) -> None:
        if event in (kernel.EVENT_FORK, kernel.EVENT_VFORK, kernel.EVENT_CLONE):
            self._born(process, kernel.event_message(process))
            kernel.resume(process)
        elif event == kernel.EVENT_EXEC:
            self._executed(process)
        elif event == kernel.EVENT_EXIT:
            self._exits(process, kernel.event_message(process))
            kernel.resume(process)
        elif event == kernel.EVENT_SECCOMP:
            self._enters(process)
        elif event == kernel.EVENT_STOP:
            if stop in _STOPPING:
                kernel.listen(process)
            else:
                kernel.resume(process)
        elif stop == kernel.SYSCALL_STOP:
            self._at_syscall(process)
        else:
            kernel.resume(process, stop)

    def _born(self, parent: int, child: int) -> None:
        of = self._processes[parent]
        self._processes[child] = Process(is_own=of.is_own, commands=of.commands)
        if child in self._early:
            self._early.discard(child)
            kernel.resume(child)

    # System calls

    def _enters(self, process: int) -> None:
        registers = Registers(process)
        if registers.number in clock.NUMBERS:
            of = self._processes[process]
            of.asks = clock.NUMBERS[registers.number], registers.arguments
            kernel.resume(process, to_syscall=True)
            return
        name = calls.NAMES[registers.number]
        memory = Memory(process, self._outputs, self._plan.provider)
        if name in calls.EXECUTES:
            self._executes(process, name, registers, memory)
        elif name in calls.LOOKS:
            self._looks(process, name, registers, memory)
        else:
            self._calls(process, name, registers, memory)

    def _looks(self, process: int, name: str, registers: Registers, memory: Memory) -> None:
        if self._plan.do == plans.MISSING and self._is_missing(
            calls.path_of(name, registers.arguments, memory)
        ):
            self.fired = True
            registers.fail(errno.ENOENT)
        kernel.resume(process)

    def _is_missing(self, path: str) -> bool:
        return os.path.basename(path) == self._plan.tool and os.path.basename(
            os.path.dirname(path)
        ) in ("bin", "sbin")

    def _executes(self, process: int, name: str, registers: Registers, memory: Memory) -> None:
        of = self._processes[process]
        path = calls.path_of(name, registers.arguments, memory)
        if not self._started:
            self._started = True
            kernel.resume(process)
            return
        if self._plan.do == plans.MISSING and self._is_missing(path):
            self.fired = True
            registers.fail(errno.ENOENT)
            kernel.resume(process)
            return
        if not os.path.exists(path):
            kernel.resume(process)
            return
        argv = memory.words(registers.arguments[calls.EXECUTES[name][1] + 1])
        if self.sightings is not None:
            self.sightings.executes(argv)
        if of.is_own and self._is_script(path):
            kernel.resume(process)
            return
        step = self.steps.command(path, argv, process)
        if of.commands and of.commands[-1].process == process:
            of.commands[-1].wraps = True
        of.step, of.execs = step, True
        if self._plan.is_at(step) and self._plan.do in (plans.FAIL, plans.HANG):
            of.to_do = self._plan.do
        kernel.resume(process, to_syscall=True)

    def _is_script(self, path: str) -> bool:
        """Return whether a program is the script's own code: an interpreter, or the provider's."""
        return (
            os.path.basename(path).rstrip("0123456789.") in self._plan.interpreters
            or os.path.realpath(path).startswith(self._plan.provider)
            or path.startswith(self._plan.provider)
        )

    def _calls(self, process: int, name: str, registers: Registers, memory: Memory) -> None:
        of = self._processes[process]
        if self.sightings is not None:
            self.sightings.calls(name, registers.arguments, memory)
        if name in ("write", "writev") and memory.descriptor(registers.arguments[0]) in (
            self._outputs
        ):
            self._says(process, registers)
            return
        effect = calls.effect(name, registers.arguments, memory)
        if effect is None:
            kernel.resume(process)
            return
        error = self._plan.error_everywhere(effect, self.taken)
        self.taken += plans.takes_space(effect)
        if error:
            self.fired = True
            registers.fail(error)
            kernel.resume(process)
        elif of.is_own:
            step = self.steps.call(name, effect.kind, effect.paths, effect.what, effect.text)
            step.changes = effect.changes
            of.step = step
            self._own_call(process, step, registers)
        else:
            self._command_calls(process, of, changes=effect.changes)

    def _says(self, process: int, registers: Registers) -> None:
        self.said += 1
        if self._plan.do == plans.LOG_FULL:
            self.fired = True
            registers.fail(errno.ENOSPC)
        kernel.resume(process)

    def _own_call(self, process: int, step: Step, registers: Registers) -> None:
        if self._plan.is_at(step):
            if self._plan.do == plans.ERROR:
                self.fired = True
                registers.fail(self._plan.error)
            elif self._plan.do == plans.HANG:
                self._hangs(registers)
        kernel.resume(process, to_syscall=True)

    def _command_calls(self, process: int, of: Process, *, changes: bool) -> None:
        if changes:
            for command in of.commands:
                command.inside += 1
                if (
                    self._plan.do == plans.DURING
                    and self._plan.is_at(command)
                    and command.inside == self._plan.inside
                ):
                    of.to_do = plans.AFTER
                    kernel.resume(process, to_syscall=True)
                    return
        kernel.resume(process)

    def _at_syscall(self, process: int) -> None:
        of = self._processes[process]
        if kernel.syscall_stop(process) == kernel.ENTRY:
            self._at_entry(process, of)
            return
        if of.asks is not None:
            self._has_asked(process, of.asks)
            of.asks = None
            return
        if of.to_do == plans.AFTER:
            of.to_do = ""
            self._signal_all()
        step, of.step = of.step, None
        if step is not None:
            self._at_exit(process, of, step)
        if of.to_do in (plans.FAIL, plans.HANG):
            kernel.resume(process, to_syscall=True)
        else:
            kernel.resume(process)

    def _has_asked(self, process: int, asked: tuple[str, tuple[int, ...]]) -> None:
        if self.clock is not None:
            self.clock.has_read(process, *asked)
            self.fired = self.fired or self.clock.read > self._plan.after
        kernel.resume(process)

    def _at_exit(self, process: int, of: Process, step: Step) -> None:
        result = Registers(process).result
        if of.execs:
            of.execs = False
            if result < 0:
                of.to_do = ""
                self.steps.retract(step)
            return
        step.outcome = min(result, 0)
        if self._plan.do == plans.AFTER and self._plan.is_at(step):
            self._signal_all()

    def _executed(self, process: int) -> None:
        """Take a process into the command that it has begun to run."""
        of = self._processes[process]
        if self.clock is not None:
            clock.hide_page(process)
        if of.execs and of.step is not None:
            of.is_own = False
            of.commands = (*of.commands, of.step)
            of.step, of.execs = None, False
        elif of.step is None and not of.commands:
            of.is_own = True
        kernel.resume(process, to_syscall=bool(of.to_do))

    def _at_entry(self, process: int, of: Process) -> None:
        """Let a program that has just begun end, or hang, instead of making its first call."""
        what, of.to_do = of.to_do, ""
        if what == plans.FAIL:
            self.fired = True
            _write(process, self._plan.message)
            Registers(process).become(calls.EXIT_GROUP, self._plan.status)
        elif what == plans.HANG:
            self._hangs(Registers(process))
        kernel.resume(process)

    def _hangs(self, registers: Registers) -> None:
        self.fired = True
        registers.become(calls.PAUSE)
        self.hanging.begins()

    def _exits(self, process: int, status: int) -> None:
        """Act after a command: it has ended, and the script does not know yet."""
        for command in self._processes[process].commands:
            if command.process == process:
                command.outcome = os.waitstatus_to_exitcode(status)
                if self._plan.do == plans.AFTER and self._plan.is_at(command):
                    self._signal_all()

    def _signal_all(self) -> None:
        """Signal the whole script; what has made a session of its own is no part of it."""
        self.fired = True
        if self._plan.signal != signal.SIGKILL:
            os.killpg(self._group, self._plan.signal)
            return
        self._signal_session(signal.SIGKILL)

    def _terminate_session(self) -> None:
        self._signal_session(signal.SIGTERM)

    def _signal_session(self, number: signal.Signals) -> None:
        for process in [*self._processes, *self._early]:
            if self._is_of_session(process):
                _signal(process, number)

    def _is_of_session(self, process: int) -> bool:
        try:
            return os.getsid(process) == self._session
        except ProcessLookupError:
            return False


def _signal(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass


def _write(process: int, message: str) -> None:
    """Write to a process's standard error, whatever that is."""
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(f"/proc/{process}/fd/2", flags)
    except OSError:
        return
    try:
        os.write(file, message.encode())
    except OSError:
        pass
    finally:
        os.close(file)
