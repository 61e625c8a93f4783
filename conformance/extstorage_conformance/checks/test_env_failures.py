"""Rules about calls that cannot succeed: the exit status is true, and nothing is done."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from extstorage.contract.methods import METHOD_NAMES
from extstorage_conformance import judge
from extstorage_conformance.comparison import as_ganeti_calls, compare
from extstorage_conformance.faults.limits import without_tools, without_writes
from extstorage_conformance.life import ordinary
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Blocked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.host.call import Call
    from extstorage_conformance.comparison import Change
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_COMMON_BEHAVIOUR = "man ganeti-extstorage-interface(7) Common behaviour"
_SHOWN_LINES = 20


@rule(
    "ES-ENV-07",
    Level.MUST,
    source="lib/storage/extstorage.py _ExtStorageAction (result.failed)",
    profile=Profile.STANDARD,
)
def test_success_is_true(subject: Subject) -> None:
    """A script that meets a fault exits non-zero, or has done its work all the same.

    Faults here: no program is found in PATH; the disk is full. A failure
    told as success is the commonest grave fault of real providers.
    """
    faults: tuple[Change, ...] = (
        partial(without_tools, subject),
        without_writes,
    )
    truths = [_create, _attach, _remove]
    if not subject.configuration.capabilities["userspace_only"]:
        truths += [_grow, _detach]
    if subject.provides("snapshot"):
        truths += [_snapshot]
    for truth in truths:
        for fault in faults:
            compare(partial(truth, subject, fault), partial(truth, subject, as_ganeti_calls))


def _create(subject: Subject, change: Change) -> None:
    volume = subject.volume()
    call = subject.run(change(volume.prepare("create")))
    if call.succeeded:
        attached = volume.call("attach").succeeded
        judge.holds(attached, "exit 0 only if the volume exists", "no such volume", call)


def _attach(subject: Subject, change: Change) -> None:
    call = subject.run(change(subject.created().prepare("attach")))
    if call.succeeded and not subject.configuration.capabilities["userspace_only"]:
        judge.block_device(call)


def _grow(subject: Subject, change: Change) -> None:
    volume = subject.attached()
    call = subject.run(change(ordinary(volume, "grow")))
    if call.succeeded:
        volume.attach()
        grown = volume.device_mib() >= 2 * volume.size_mib
        judge.holds(grown, "exit 0 only if it has grown", f"{volume.device_mib():g} MiB", call)


def _detach(subject: Subject, change: Change) -> None:
    volume = subject.attached()
    volume.stamp()
    call = subject.run(change(volume.prepare("detach")))
    if call.succeeded:
        judge.holds(volume.is_gone(), "exit 0 only if it is detached", "still attached", call)


def _remove(subject: Subject, change: Change) -> None:
    volume = subject.created()
    call = subject.run(change(volume.prepare("remove")))
    if call.succeeded:
        gone = volume.call("attach").failed
        judge.holds(gone, "exit 0 only if it is removed", "a volume that can be attached", call)


def _snapshot(subject: Subject, change: Change) -> None:
    volume = subject.created()
    volume.given("attach")
    call = subject.run(change(ordinary(volume, "snapshot")))
    if call.succeeded:
        taken = subject.volume(name=f"{volume.name}.snap").call("attach").succeeded
        judge.holds(taken, "exit 0 only if the snapshot exists", "no such snapshot", call)


@rule(
    "ES-ENV-08",
    Level.SHOULD,
    source="lib/storage/extstorage.py _ExtStorageAction (the last 20 lines are the error)",
)
def test_failures_are_explained(subject: Subject) -> None:
    """A script that fails says so in a line of ASCII, within the last 20 lines of its output.

    They are all that an operator sees; bytes beyond ASCII hide them, or crash the client.
    """
    unknown = subject.volume()
    for call in _failures(subject, unknown):
        output = _output(call)
        lines = output.splitlines()[-_SHOWN_LINES:]
        judge.holds(any(line.strip() for line in lines), "a line that says why", "none", call)
        judge.holds(output.isascii(), "ASCII only", repr(output[:80]), call)


@rule(
    "ES-ENV-09",
    Level.SHOULD,
    source="lib/storage/extstorage.py _ExtStorageAction (the last 20 lines are the error)",
)
def test_explanations_do_not_scroll_away(subject: Subject) -> None:
    """When the output of a script that fails names the volume, one of the last 20 lines does.

    A usage text after the message hides the message: operators see 20 lines.
    """
    unknown = subject.volume()
    name = unknown.name.encode()
    for call in _failures(subject, unknown):
        lines = _output(call).splitlines()
        naming = [number for number, line in enumerate(lines, start=1) if name in line]
        judge.holds(
            not naming or naming[-1] > len(lines) - _SHOWN_LINES,
            f"the message within the last {_SHOWN_LINES} lines",
            f"it is line {naming[-1] if naming else 0} of {len(lines)}",
            call,
        )


def _failures(subject: Subject, unknown: Volume) -> list[Call]:
    """Make calls that cannot succeed; raises Blocked if all do."""
    calls = [
        unknown.call("attach"),
        unknown.call("grow", new_size_mib=2 * unknown.size_mib),
        # The last one, as it makes the volume if it does succeed.
        subject.run(unknown.prepare("create").with_variables(VOL_SIZE="0")),
    ]
    failures = [call for call in calls if call.failed]
    if not failures:
        raise Blocked("calls that cannot succeed all exited 0", calls[0])
    return failures


def _output(call: Call) -> bytes:
    return call.log_bytes + call.stdout_bytes + call.stderr_bytes


@rule(
    "ES-ENV-14",
    Level.MUST,
    source="derived: a volume with half a name is nobody's, and is never removed",
    profile=Profile.STANDARD,
)
def test_missing_input_is_refused(subject: Subject) -> None:
    """A call whose VOL_ variable is empty or missing fails and does nothing.

    Ganeti always sends them; an administrator's own call, or a script's own
    mistake, must not make a volume with half a name or remove a whole pool.
    """
    attached, stored = (_known(subject) for _ in range(2))
    stored.given("detach")
    before = subject.survey.take()
    for call in _incomplete_calls(subject, attached):
        if call.invocation.method not in ("detach", "remove"):
            judge.fails(call, "its input is incomplete")
        made = subject.survey.left_since(before)
        judge.holds(not made, "no effect", f"made: {', '.join(map(str, made[:3]))}", call)
    for volume in (attached, stored):
        _judge_known(volume, call)
    attached.given("detach")
    _judge_known(attached, call)


def _known(subject: Subject) -> Volume:
    """Return an attached volume with data, as a given step; without where there is no device."""
    volume = subject.created()
    if subject.configuration.capabilities["userspace_only"]:
        volume.given("attach")
    else:
        volume.attach()
        volume.stamp()
    return volume


def _judge_known(volume: Volume, call: Call) -> None:
    """Judge that a volume that ``call`` was not about is there, with its data."""
    if volume.subject.configuration.capabilities["userspace_only"]:
        judge.succeeds(volume.call("attach"), "the volume was there")
    else:
        volume.judge_attach()
        volume.judge_stamps(call)


def _incomplete_calls(subject: Subject, bystander: Volume) -> Iterator[Call]:
    needed = {
        "create": ("VOL_NAME", "VOL_SIZE"),
        "attach": ("VOL_NAME",),
        "grow": ("VOL_NAME", "VOL_NEW_SIZE"),
        "snapshot": ("VOL_NAME", "VOL_SNAPSHOT_NAME"),
        "detach": ("VOL_NAME",),
        "remove": ("VOL_NAME",),
    }
    for method, names in needed.items():
        if not subject.provides(method):
            continue
        volume = subject.volume() if method == "create" else bystander
        for name in names:
            invocation = ordinary(volume, method)
            yield subject.run(invocation.without(name))
            yield subject.run(invocation.with_variables({name: ""}))


@rule("ES-ENV-15", Level.SHOULD, source=_COMMON_BEHAVIOUR, profile=Profile.STANDARD)
def test_help_is_given(subject: Subject) -> None:
    """Called with -h or --help a script prints how it is used, exits 0 and does nothing."""
    volume = subject.created()
    for _ in range(2):  # it is judged by a further attach
        volume.given("attach")
    future = subject.volume()
    for method in filter(subject.provides, METHOD_NAMES):
        invocation = ordinary(future if method == "create" else volume, method)
        for option in ("-h", "--help"):
            call = subject.run(invocation.with_arguments(option))
            _judge_nothing_done(call, volume, future)
            judge.succeeds(call, f"{option} asks for help")
            judge.holds(call.output.strip(), "a text on how it is used", "no output", call)


@rule("ES-ENV-16", Level.SHOULD, source=_COMMON_BEHAVIOUR, profile=Profile.STANDARD)
def test_arguments_are_refused(subject: Subject) -> None:
    """Called with arguments that it does not take a script says how it is used and does nothing.

    verify is left out: its arguments choose checks.
    """
    volume = subject.created()
    for _ in range(2):  # it is judged by a further attach
        volume.given("attach")
    future = subject.volume()
    for method in filter(subject.provides, METHOD_NAMES):
        if method != "verify":
            invocation = ordinary(future if method == "create" else volume, method)
            call = subject.run(invocation.with_arguments("one", "two", "three"))
            _judge_nothing_done(call, volume, future)
            judge.fails(call, "it takes no arguments")
            judge.holds(call.output.strip(), "a text on how it is used", "no output", call)


def _judge_nothing_done(call: Call, volume: Volume, future: Volume) -> None:
    """Judge that the call, if it was create or remove, has not done what its name says."""
    method = call.invocation.method
    if method == "create" and future.call("attach").succeeded:
        # It tells nothing if attach takes any name.
        told = future.subject.volume().call("attach").failed
        judge.holds(not told, "no effect", "a new volume", call)
    elif method == "remove":
        there = volume.call("attach").succeeded
        judge.holds(there, "no effect", f"{volume.name} is gone", call)
