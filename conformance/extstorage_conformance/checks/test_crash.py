"""Rules about what breaks on the way: commands that fail, scripts that are killed, full disks.

Each rule runs a method's script once under the tracer, which sees the external commands and
system calls that reach outside, and then once for each of these boundaries with a fault there.
What the calls owe afterwards is judged with ordinary calls. The order is that of the script's
own steps, so there is no seed; nothing is tried twice. Every call may take run.script_timeout.
Profile standard samples each class of boundary, full tries them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance.faults import choices
from extstorage_conformance.faults.clock import survive_jumps
from extstorage_conformance.faults.corruption import survive_corruption
from extstorage_conformance.faults.explanation import judge_explained
from extstorage_conformance.faults.reboot import survive_reboot
from extstorage_conformance.faults.scenes import SCENES
from extstorage_conformance.faults.sweep import sweep
from extstorage_conformance.rules import Level, Profile, rule

if TYPE_CHECKING:
    from extstorage_conformance.subject import Subject

_POWER = "derived: power fails, and the out-of-memory killer strikes, between any two steps"


@rule("ES-CRASH-01", Level.MUST, source=_POWER, profile=Profile.STANDARD, needs=("device",))
def test_killed_create(subject: Subject) -> None:
    """After SIGKILL anywhere in create, create makes a whole volume, or remove leaves nothing."""
    sweep(subject, ("create",), choices.kills)


@rule("ES-CRASH-02", Level.MUST, source=_POWER, profile=Profile.STANDARD, needs=("device",))
def test_killed_attach(subject: Subject) -> None:
    """After SIGKILL anywhere in attach, attach gives one mapping with the data; detach ends it."""
    sweep(subject, ("attach",), choices.kills)


@rule("ES-CRASH-03", Level.MUST, source=_POWER, profile=Profile.STANDARD, needs=("device",))
def test_killed_detach(subject: Subject) -> None:
    """After SIGKILL anywhere in detach, detach completes it, and attach gives the volume back."""
    sweep(subject, ("detach",), choices.kills)


@rule("ES-CRASH-04", Level.MUST, source=_POWER, profile=Profile.STANDARD, needs=("device",))
def test_killed_remove(subject: Subject) -> None:
    """After SIGKILL anywhere in remove, remove completes it and leaves nothing."""
    sweep(subject, ("remove",), choices.kills)


@rule("ES-CRASH-05", Level.MUST, source=_POWER, profile=Profile.STANDARD, needs=("device",))
def test_killed_grow(subject: Subject) -> None:
    """After SIGKILL anywhere in grow the data is intact, and grow reaches the size."""
    sweep(subject, ("grow",), choices.kills)


@rule("ES-CRASH-13", Level.MUST, source=_POWER, profile=Profile.STANDARD, needs=("device",))
def test_killed_elsewhere(subject: Subject) -> None:
    """After SIGKILL anywhere in setinfo, snapshot, open or close the same call completes it.

    The volume's data is intact, its metadata is what it was or what it was to
    be, and a snapshot is whole or not there.
    """
    sweep(subject, ("setinfo", "snapshot", "open", "close"), choices.kills)


@rule(
    "ES-CRASH-06",
    Level.MUST,
    source="derived: power fails; Ganeti starts the instances again and attaches their disks",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_reboot(subject: Subject) -> None:
    """After a reboot every volume attaches with its data, whatever calls the power cut short.

    Scripts are killed half-way, each on a volume of its own; then the node's
    power is cut, or the hook reboot runs, and all mappings and /run are gone.
    """
    survive_reboot(subject)


@rule(
    "ES-CRASH-07",
    Level.MUST,
    source="derived: lib/storage/extstorage.py knows of a failure by the exit status alone",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_every_failure_counts(subject: Subject) -> None:
    """When any one command or system call fails, the script fails, or has done its work anyway.

    If it fails the volume is usable or cleanly absent, and the same call again
    succeeds. Exit 0 without the work is the commonest grave fault of real
    providers, and the good path never shows it.
    """
    sweep(subject, SCENES, choices.failures)


@rule(
    "ES-CRASH-08",
    Level.MUST,
    source="derived: an operator who is not told which program to install cannot help himself",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_missing_tool_is_named(subject: Subject) -> None:
    """When a tool is not installed, the script fails and names it, or does its work without."""
    sweep(subject, SCENES, choices.missing_tools)


@rule(
    "ES-CRASH-09",
    Level.SHOULD,
    source="lib/rpc_defs.py RPC_TMO_NORMAL (the master stops waiting, the script goes on for ever)",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_hanging_script_can_be_ended(subject: Subject) -> None:
    """A script that waits for a command or call that never returns ends when SIGTERM reaches it.

    Ganeti gives scripts no time limit, so it is the operator who ends one: SIGTERM for its session,
    the tools that it waits for included, has to do within five seconds. The same call succeeds
    then, whatever else the script has left running: a tool in a session of its own must not hold
    the volume's lock. What hangs inside the kernel no signal ends; that is not judged.
    """
    sweep(subject, SCENES, choices.hangs)


@rule(
    "ES-CRASH-10",
    Level.SHOULD,
    source="lib/utils/process.py (a command whose time is up gets SIGTERM)",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_sigterm_can_be_retried(subject: Subject) -> None:
    """After SIGTERM anywhere in a script the same call can be made again, and completes it."""
    sweep(subject, SCENES, choices.terminations)


@rule(
    "ES-CRASH-11",
    Level.MUST,
    source="derived: a power cut leaves files empty or short, and no volume may pay for another",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_corrupt_notes(subject: Subject) -> None:
    """When a note that the provider keeps of a volume is corrupt, no script acts on another volume.

    Each file that carries the volume's name, its data aside, is emptied, cut in
    half and garbled. Attach and detach do their work or fail; a neighbour's
    data stay readable; and with the note as it was all is well again.
    """
    survive_corruption(subject)


@rule(
    "ES-CRASH-12",
    Level.MUST,
    source="derived: a full disk is the fault that every node meets one day",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_full_file_systems(subject: Subject) -> None:
    """With every file system full a script fails, or has done its work, and nothing is half done.

    A volume that could not be grown has its old size. Once there is space again
    the same call succeeds.
    """
    sweep(subject, SCENES, choices.full_file_systems)


@rule(
    "ES-CRASH-14",
    Level.SHOULD,
    source="derived: an error makes a file system read-only; the log fills up first",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_unwritable_places(subject: Subject) -> None:
    """With every file system read-only, or no room for its log, a script fails or does its work."""
    sweep(subject, SCENES, choices.unwritable_places)


@rule(
    "ES-CRASH-15",
    Level.SHOULD,
    source="lib/storage/extstorage.py _ExtStorageAction (the last 20 lines are the error)",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_failing_tool_is_named(subject: Subject) -> None:
    """When a command fails a script, one of its last 20 lines names the command.

    The command's own message does: it is the one that says why. What goes to
    /dev/null nobody can act on.
    """
    judge_explained(subject, SCENES)


@rule(
    "ES-CRASH-16",
    Level.SHOULD,
    source="derived: the clock of a node that was off, or asleep, is set when it is up",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_clock_may_jump(subject: Subject) -> None:
    """When the time of day jumps by a day, forth or back, between calls or in one, all goes well.

    Locks that expire, names made of the time and "the newest wins" are what it confuses. The times
    of files stay those of the kernel.
    """
    survive_jumps(subject)
