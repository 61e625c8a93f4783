"""Rules about open and close: the scripts that say when, and how shared, a volume is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.life import ordinary
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Blocked, Violation

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_MAN = "man ganeti-extstorage-interface(7)"
_MIGRATION = "lib/cmdlib/instance_migration.py TLMigrateInstance"
_NEEDS = ("open", "device")
_BOTH = ("open", "close", "device")
_WRONG_VALUES = ("true", "false", "TRUE", "1", "0", "yes", "None", "")


def _opened(subject: Subject) -> Volume:
    """Return a new volume, attached and opened for exclusive access as given steps."""
    volume = subject.attached()
    volume.given("open", exclusive=True)
    return volume


@rule(
    "ES-OPEN-01",
    Level.MUST,
    source=f"{_MAN} open; lib/backend.py _RecursiveAssembleBD",
    since="2.14",
    needs=_NEEDS,
)
def test_open_makes_the_volume_ready(subject: Subject) -> None:
    """Open of an attached volume exits 0, and I/O works."""
    volume = subject.attached()
    call = volume.call("open", exclusive=True)
    judge.succeeds(call)
    volume.judge_io(call, 1, volume.offsets()[:2])


@rule(
    "ES-OPEN-02",
    Level.SHOULD,
    source="derived: Ganeti sends Python's True and False; what else arrives is a mistake",
    since="2.14",
    needs=_NEEDS,
)
def test_open_takes_only_true_and_false(subject: Subject) -> None:
    """Open refuses a VOL_OPEN_EXCLUSIVE that is missing or not exactly True or False.

    A script that asks whether the variable is set takes False for exclusive,
    and live migration fails.
    """
    invocation = ordinary(_opened(subject), "open")
    for value in _WRONG_VALUES:
        call = subject.run(invocation.with_variables(VOL_OPEN_EXCLUSIVE=value))
        judge.fails(call, f"VOL_OPEN_EXCLUSIVE is {value!r}")
    call = subject.run(invocation.without("VOL_OPEN_EXCLUSIVE"))
    judge.fails(call, "VOL_OPEN_EXCLUSIVE is not set")


@rule(
    "ES-OPEN-03",
    Level.MUST,
    source=f"{_MIGRATION}._OpenInstanceDisks, ._ExecMigration; lib/backend.py BlockdevAssemble",
    since="2.14",
    needs=_NEEDS,
)
def test_open_again_succeeds(subject: Subject) -> None:
    """Open of a volume that is open, or closed again, succeeds in either mode, and I/O works.

    gnt-instance add opens three times, and a migration goes from exclusive to
    shared, to closed and back, all without a detach.
    """
    volume = _opened(subject)
    for generation, exclusive in enumerate((True, True, False, False, True), start=1):
        _judge_open(volume, generation, exclusive=exclusive)
    if subject.provides("close"):
        _close(volume)
        _judge_open(volume, generation + 1, exclusive=True)


def _close(volume: Volume) -> Call:
    """Close as a given step; raises Blocked when it detaches: the path may be another's by now."""
    mapping = volume.devices.mapping_of(volume.path)
    call = volume.given("close")
    if not _still_shows(volume, mapping):
        raise Blocked(f"close detached {volume.path}", call)
    return call


def _still_shows(volume: Volume, mapping: str) -> bool:
    return (
        volume.devices.is_mapped(volume.path) and volume.devices.mapping_of(volume.path) == mapping
    )


def _judge_open(volume: Volume, generation: int, *, exclusive: bool) -> None:
    call = volume.call("open", exclusive=exclusive)
    history = "it was opened before, " + ("exclusively now" if exclusive else "shared now")
    judge.succeeds(call, history)
    volume.judge_io(call, generation, volume.offsets()[:2])


@rule(
    "ES-OPEN-04",
    Level.MUST,
    source=f"{_MIGRATION}._ExecMigration (the target is closed before it was ever opened)",
    since="2.14",
    needs=_BOTH,
)
def test_close_of_a_closed_volume_succeeds(subject: Subject) -> None:
    """Close exits 0 on a volume that was never opened, and when it is repeated.

    A live migration begins with it.
    """
    volume = subject.attached()
    judge.succeeds(volume.call("close"), "it was never opened")
    volume.given("open", exclusive=True)
    judge.succeeds(volume.call("close"))
    judge.succeeds(volume.call("close"), "it was closed before")


@rule(
    "ES-OPEN-05",
    Level.MUST,
    source=f"{_MAN} close; lib/backend.py BlockdevClose",
    since="2.14",
    needs=_BOTH,
)
def test_close_leaves_the_volume_attached(subject: Subject) -> None:
    """After close the volume is still attached at the same path, and detach works.

    Close ends I/O and detach ends the mapping: a migration that fails opens the
    volume again without attaching it, under a process that holds the device.
    """
    volume = _opened(subject)
    mapping = volume.devices.mapping_of(volume.path)
    call = volume.given("close")
    there = _still_shows(volume, mapping)
    judge.holds(there, f"{volume.path} to show the volume still", "it does not", call)
    judge.succeeds(volume.call("detach"), "a closed volume is detached next")


@rule(
    "ES-OPEN-06",
    Level.SHOULD,
    source=f"{_MAN} close (disables I/O)",
    since="2.14",
    needs=(*_BOTH, "close_stops_writes"),
)
def test_close_stops_writes(subject: Subject) -> None:
    """After close a write to the device is refused, also once attach has been called again.

    It keeps an instance that is still alive from writing under the one that
    took over. Nearly every RPC of Ganeti's attaches: that opens nothing.
    """
    volume = _opened(subject)
    _judge_refuses_writes(volume, _close(volume))
    volume.attach_again()
    _judge_refuses_writes(volume, subject.calls[-1])


def _judge_refuses_writes(volume: Volume, call: Call) -> None:
    try:
        volume.devices.write(volume.path, volume.name, volume.offsets()[:1])
    except OSError:
        return
    raise Violation("a write to be refused", f"{volume.path} took it", call)


@rule("ES-OPEN-08", Level.SHOULD, source="derived: what open takes, close gives back", since="2.14")
def test_open_and_close_come_together(subject: Subject) -> None:
    """A provider has both open and close, or neither."""
    there = [method for method in ("open", "close") if subject.provides(method)]
    judge.holds(len(there) != 1, "both open and close, or neither", f"only {there}")


@rule(
    "ES-OPEN-09",
    Level.SHOULD,
    source="NEWS 2.14.0: older releases never call open",
    since="2.7",
    needs=_NEEDS,
)
def test_attach_alone_gives_io(subject: Subject) -> None:
    """I/O works on a volume that is attached and was not opened.

    Releases before 2.14 call neither open nor close.
    """
    volume = subject.attached()
    volume.judge_io(subject.calls[-1], 1, volume.offsets()[:2])


@rule(
    "ES-OPEN-10",
    Level.MUST,
    source="lib/backend.py BlockdevShutdown, BlockdevRemove (neither closes)",
    since="2.14",
    needs=_NEEDS,
)
def test_detach_releases_what_open_took(subject: Subject) -> None:
    """A volume that was detached without close can be attached, opened and used again.

    Close is called in migration and failover only; a lock that waits for it
    stays for ever.
    """
    volume = _opened(subject)
    volume.given("detach")
    volume.attach()
    call = volume.call("open", exclusive=True)
    judge.succeeds(call, "detach released the volume")
    volume.judge_io(call, 1, volume.offsets()[:2])


@rule(
    "ES-OPEN-11",
    Level.SHOULD,
    source="derived: Ganeti attaches first, but goes on to open when attach names no device",
    since="2.14",
    needs=("open",),
)
def test_open_of_nothing_is_refused(subject: Subject) -> None:
    """Open of a volume that does not exist fails."""
    judge.fails(subject.volume().call("open", exclusive=True), "there is no such volume")


@rule(
    "ES-OPEN-07",
    Level.SHOULD,
    source="derived: two nodes that both write destroy the instance's data; Ganeti issue 1581",
    since="2.14",
    profile=Profile.STANDARD,
    needs=("open", "exclusive_open", "device"),
    nodes=2,
)
def test_exclusive_open_is_for_one_node(subject: Subject) -> None:
    """An exclusive open fails while another node has the volume open; attach alone does not.

    Once the other node has closed, or detached without close, it succeeds. What it holds no
    call on this node frees: close and detach end what their own node has.
    """
    first, second = subject.nodes
    holder = _opened(subject)
    other = holder.on(second)
    other.judge_attach()
    judge.fails(other.call("open", exclusive=True), f"{first.name} has it open exclusively")
    _close_and_attach_anew(other)
    call = other.call("open", exclusive=True)
    judge.fails(call, f"{first.name} has it open: close and detach on {second.name} free nothing")
    holder.given("open", exclusive=False)
    judge.fails(other.call("open", exclusive=True), f"{first.name} has it open, shared")
    holder.judge_io(call, 1, holder.offsets()[:2])
    if subject.provides("close"):
        holder.given("close")
        judge.succeeds(other.call("open", exclusive=True), f"{first.name} has closed it")
        other.given("close")
        holder.given("open", exclusive=True)
    holder.given("detach")
    judge.succeeds(other.call("open", exclusive=True), f"{first.name} has detached it")
    other.judge_io(subject.calls[-1], 2, other.offsets()[:2])


def _close_and_attach_anew(volume: Volume) -> None:
    if volume.subject.provides("close"):
        volume.given("close")
    volume.given("detach")
    volume.attach()
