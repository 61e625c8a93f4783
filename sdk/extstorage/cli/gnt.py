"""What ``gnt-instance``, ``gnt-storage`` and ``gnt-backup`` have in common.

Source in Ganeti: GenericMain, SubmitOrSend and JobExecutor in ``lib/cli.py``.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from extstorage.cli import resident
from extstorage.cli.errors import CannotRun, CommandError, UsageError
from extstorage.cli.gnt_options import CommandLine, Values
from extstorage.cli.questions import ask
from extstorage.cluster import location, machines, trace
from extstorage.cluster.errors import GanetiError, NoClusterError, OpPrereqError, StateError
from extstorage.cluster.session import Session, full_name
from extstorage.cluster.state import State, find
from extstorage.nodes.node import NodeError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from extstorage.cluster.job import Job
    from extstorage.nodes.node import Node


@dataclass(frozen=True)
class Context:
    """What an act works with."""

    session: Session
    job: Job
    options: Values
    words: Sequence[str]


@dataclass(frozen=True)
class Command:
    """One command of a program.

    Attributes:
        usage: Its arguments, for --help.
        act: Does the work; returns the exit status.
        options: Adds its options.
        words: How many arguments it takes; None for any number.
        locks: How many of the first arguments are instances that are changed; None if the act
            locks the whole cluster itself.
        subjects: Returns the instances that it is about, where the arguments do not name them.
        many: What it does, if each argument is an instance with a job of its own.
        dry_run: Whether it has ``--dry-run``.
    """

    usage: str
    act: Callable[[Context], int | None]
    options: Callable[[CommandLine], None] = field(default=lambda _line: None)
    words: int | None = 1
    locks: int | None = 1
    many: str = ""
    dry_run: bool = True
    subjects: Callable[[State, Sequence[str]], Sequence[str]] | None = None


@dataclass(frozen=True)
class Cluster:
    """A cluster whose nodes are up.

    Attributes:
        state: Its records.
        nodes: Its nodes.
        daemon_environment: What the node daemons were started with, or None for the usual.
    """

    state: State
    nodes: Sequence[Node]
    daemon_environment: Mapping[str, str] | None = None

    def session(self, tell: Callable[[str], None], state: State | None = None) -> Session:
        """Return a session for one command, on other records than its own if they are given."""
        return Session(
            state or self.state, self.nodes, tell, daemon_environment=self.daemon_environment
        )


_CLUSTER_OPTION = "--cluster-dir"


def add_arguments(parser: argparse.ArgumentParser, commands: Mapping[str, Command]) -> None:
    """Add what all these programs take before Ganeti's own words, for the help."""
    parser.add_argument(_CLUSTER_OPTION, metavar="DIR", help="the cluster's state directory")
    parser.add_argument(
        "words",
        metavar="COMMAND ...",
        nargs="...",
        help=f"{', '.join(commands)}; see --help of each",
    )


def main(program: str, commands: Mapping[str, Command], argv: Sequence[str]) -> int:
    """Run the command that ``argv`` names; return its exit status.

    What ``add_arguments`` says is read here: to build a parser takes longer than many a command.
    """
    # What is told and what is complained about keep their order in one file or pipe.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    words = list(argv)
    directory = None
    while words and words[0].partition("=")[0] == _CLUSTER_OPTION:
        option, equals, directory = words.pop(0).partition("=")
        if not equals:
            if not words:
                raise UsageError(f"{option} expects a directory")
            directory = words.pop(0)
    if not words or words[0] not in commands:
        return _usage(program, commands, words)
    try:
        parsed = _parsed(program, commands, words)
        with _opened(directory) as (state, nodes):
            return _carried_out(parsed, Cluster(state, nodes))
    except GanetiError as error:
        return _said(error)
    except NoClusterError as error:
        raise UsageError(str(error)) from None
    except StateError as error:
        raise CommandError(str(error)) from None
    except NodeError as error:
        raise CannotRun(str(error)) from None


def execute(
    program: str, commands: Mapping[str, Command], words: Sequence[str], cluster: Cluster
) -> int:
    """Run a command of a program on a cluster whose nodes are up; return its exit status."""
    if not words or words[0] not in commands:
        return _usage(program, commands, words)
    try:
        return _carried_out(_parsed(program, commands, words), cluster)
    except GanetiError as error:
        return _said(error)
    except CommandError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return error.exit_status


def _said(error: GanetiError) -> int:
    print(error.formatted, file=sys.stderr)
    return 1


class _Parsed(NamedTuple):
    """A command line that was understood."""

    typed: str
    command: Command
    options: Values
    arguments: list[str]


def _parsed(program: str, commands: Mapping[str, Command], words: Sequence[str]) -> _Parsed:
    name, *rest = words
    options, arguments = command_line(program, name, commands[name]).read(rest)
    return _Parsed(f"{program} {shlex.join(words)}", commands[name], options, arguments)


def _carried_out(parsed: _Parsed, cluster: Cluster) -> int:
    return _Run(cluster, parsed.command, parsed.typed).run(parsed.options, parsed.arguments)


def command_line(program: str, name: str, command: Command) -> CommandLine:
    """Return the parser of one command of a program."""
    line = CommandLine(program, name, command.usage, command.words)
    if command.dry_run:
        line.add_option("--dry-run", action="store_true", help="only print what would be called")
    line.ignored("-d", "--debug", "-v", "--verbose", "--print-jobid")
    line.ignored("--priority", "--reason", takes_value=True)
    line.refuse("commands are carried out at once, there is no queue", "--submit")
    command.options(line)
    return line


def _usage(program: str, commands: Mapping[str, Command], words: Sequence[str]) -> int:
    if words:
        print(f"{program}: unknown command {words[0]!r}", file=sys.stderr)
    print(f"Usage: {program} {{command}} [options...] [argument...]", file=sys.stderr)
    print(f"Commands: {', '.join(commands)}", file=sys.stderr)
    return 1


@contextlib.contextmanager
def _opened(directory: str | None) -> Iterator[tuple[State, Sequence[Node]]]:
    state = State(find(directory, Path.cwd()))
    nodes_spec = state.cluster().nodes_spec
    with machines.connected(state, nodes_spec) as nodes:
        if machines.are_kept_up(nodes_spec):
            resident.start(state.directory)
        yield state, nodes


class _Run:
    """One run of a command."""

    def __init__(self, cluster: Cluster, command: Command, typed: str) -> None:
        self._cluster = cluster
        self._state = cluster.state
        self._command = command
        self._typed = typed
        self._told: list[str] = []

    def run(self, options: Values, arguments: Sequence[str]) -> int:
        if self._command.many:
            arguments = self._chosen(arguments)
        if self._command.dry_run and options.dry_run:
            return self._plan(options, arguments)
        if options.trace:
            _check_trace(Path(options.trace))
        if not self._command.many:
            return self._one(options, arguments)
        if len(arguments) > 1 and not (options.force_multiple or self._confirmed(arguments)):
            return 1
        numbers = [self._state.next_job() for _name in arguments]
        if len(numbers) > 1:
            self._tell(f"Submitted jobs {', '.join(map(str, numbers))}")
        jobs = zip(numbers, arguments, strict=True)
        return max([self._job_for(options, number, name) for number, name in jobs])

    def _chosen(self, given: Sequence[str]) -> list[str]:
        """Return the instances that are meant; Ganeti overlooks a name that is none's."""
        if not given:
            raise OpPrereqError("No instance names passed")
        wanted = {full_name(self._state, name) for name in given}
        found = [name for name in self._state.instance_names() if name in wanted]
        if not found:
            raise OpPrereqError("Selection filter does not match any instances")
        return found

    def _confirmed(self, names: Sequence[str]) -> bool:
        affected = "\n".join(f"  {name}" for name in names)
        return ask(
            f"The {self._command.many} will operate on {len(names)} instances.\n"
            f"Do you want to continue?\nAffected instances:\n{affected}"
        )

    def _tell(self, text: str) -> None:
        self._told.append(text)
        print(text)

    def _one(self, options: Values, arguments: Sequence[str]) -> int:
        session = self._cluster.session(self._tell)
        locks = self._command.locks
        names = [full_name(self._state, name) for name in arguments[: locks or 0]]
        subjects = self._command.subjects
        moved = subjects(self._state, arguments) if subjects else names or arguments[:1]
        before = trace.places(self._state, moved)
        status = 1
        try:
            with session.reading() if locks is None else session.job(*names) as job:
                status = self._command.act(Context(session, job, options, arguments)) or 0
        except GanetiError as error:
            self._told.append(error.formatted)
            raise
        finally:
            if options.trace:
                after = trace.places(self._state, moved)
                record = trace.record(
                    self._typed, self._state.cluster().release, session.log, before, after
                )
                record |= {"rc": status, "output": "".join(f"{line}\n" for line in self._told)}
                if not _traced(Path(options.trace), record):
                    status = status or 1
        return status

    def _job_for(self, options: Values, number: int, name: str) -> int:
        self._tell(f"Waiting for job {number} for {name} ...")
        try:
            return self._one(options, [name])
        except GanetiError as error:
            text = f"Job {number} for {name} has failed: {error.formatted}"
            print(text, file=sys.stderr)
            return 1

    def _plan(self, options: Values, arguments: Sequence[str]) -> int:
        """Do everything on a copy of the records, with scripts that are not run."""
        with tempfile.TemporaryDirectory(prefix="extstorage-plan-") as directory:
            copy = Path(directory, "cluster")
            shutil.copytree(
                self._state.directory,
                copy,
                ignore=shutil.ignore_patterns("nodes", "providers", "shared", location.RESIDENT),
            )
            session = self._cluster.session(lambda _text: None, State(copy))
            jobs = [[name] for name in arguments] if self._command.many else [arguments]
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
                for words in jobs:
                    self._command.act(Context(session, session.planning(), options, words))
        print(" - INFO: dry-run mode requested, not actually executing the operation")
        for line in trace.lines(session.log.calls):
            print(line)
        return 0


def _check_trace(path: Path) -> None:
    """Refuse a trace file that cannot be written, before anything is done; keep what it has."""
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise UsageError(
            f"--trace: {path} cannot be written ({error.strerror}): nothing was done; expected a"
            " file that is there, or one in a directory that is"
        ) from None


def _traced(path: Path, record: trace.Record) -> bool:
    """Append a record to a trace file; return whether that went well."""
    try:
        trace.append(path, record)
    except OSError as error:
        text = f"--trace: {path} cannot be written ({error.strerror}); the command is carried out"
        print(text, file=sys.stderr)
        return False
    return True
