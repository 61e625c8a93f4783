"""Rules about detach: it ends what attach began on this node, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.neighbours import neighbours
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Blocked

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage_conformance.inventory import Item
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_MAN = "man ganeti-extstorage-interface(7) detach"


def _attached_again(subject: Subject) -> Volume:
    """Return a stamped, attached volume that a plain detach has detached before."""
    volume = subject.attached()
    volume.stamp_for_good()
    return volume


@rule("ES-DETACH-01", Level.MUST, source=_MAN, needs=("device",))
def test_volume_is_no_longer_reached(subject: Subject) -> None:
    """Detach exits 0, and the path that attach gave no longer leads to the volume.

    A mapping that stays lets two nodes write after a migration, and keeps the
    storage busy when the volume is removed.
    """
    volume = subject.attached()
    volume.stamp(offsets=[0])
    call = judge.succeeds(volume.call("detach"))
    expected = "no mapping (or declare visible_after_detach, of storage local to the node)"
    judge.holds(volume.is_gone(), expected, f"{volume.path} still shows the volume", call)


@rule("ES-DETACH-02", Level.MUST, source=_MAN)
def test_detached_volume_is_detached_again(subject: Subject) -> None:
    """Detach of a volume that is not attached exits 0, before the first attach and after detach.

    Ganeti detaches without knowing whether the volume is attached, and repeats that for 30 s.
    """
    volume = subject.created()
    judge.succeeds(volume.call("detach"), "it was never attached")
    volume.given("attach")
    volume.given("detach")
    judge.succeeds(volume.call("detach"), "it is detached already")


@rule(
    "ES-DETACH-03",
    Level.SHOULD,
    source="derived: lib/backend.py BlockdevRemove repeats detach and remove together",
    profile=Profile.STANDARD,
)
def test_unknown_volume_is_no_error(subject: Subject) -> None:
    """Detach of a volume that does not exist exits 0.

    What does not exist is not attached; an error only stops a clean-up that is being repeated.
    """
    judge.succeeds(subject.volume().call("detach"), "it is not attached")


@rule("ES-DETACH-04", Level.MUST, source=_MAN, needs=("device",))
def test_volume_and_data_survive(subject: Subject) -> None:
    """A volume that was detached is attached again with all its data."""
    volume = subject.attached()
    volume.stamp()
    volume.given("detach")
    call = volume.judge_attach()
    volume.judge_stamps(call)


@rule(
    "ES-DETACH-05",
    Level.MUST,
    source="derived: the name is the only identity that Ganeti gives",
    needs=("device",),
)
def test_other_volumes_stay_attached(subject: Subject) -> None:
    """Detach of one volume leaves all others attached and usable.

    disk10 of a running instance must not go with disk1, nor disk1.snap that is being exported;
    neither when disk1 is detached once more.
    """
    volume, others = neighbours(subject)
    for generation in (1, 2):
        call = volume.given("detach")
        for other in others:
            other.judge_stamps(call, generation)
            _judge_writable(other, call, generation + 1)


def _judge_writable(other: Volume, call: Call, generation: int) -> None:
    """Judge that the attached volume still takes stamps and gives them back."""
    try:
        other.devices.write(other.path, other.name, other.offsets(), generation)
        found = other.devices.mismatches(other.path, other.name, other.offsets(), generation)
    except OSError as error:
        found = [f"{other.path}: {error}"]
    judge.holds(not found, f"{other.name} to be usable", "; ".join(found[:3]), call)


@rule(
    "ES-DETACH-06",
    Level.MUST,
    source="derived: Ganeti takes exit 0 for detached and removes, or starts elsewhere",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_truth_is_told_about_a_device_in_use(subject: Subject) -> None:
    """Detach of a device in use either fails and leaves it usable, or really ends the mapping.

    The kernel only marks a loop device that is open and tells success: such a
    "detached" volume is still written to. Once the device is free, detach works.
    """
    volume = _attached_again(subject)
    volume.attach_again()
    volume.make_ready()
    with volume.held():
        call = judge.ended(volume.call("detach"))
        if call.exit_code == 0:
            still = f"exit 0, and {volume.path} still shows the volume"
            judge.holds(volume.is_gone(), "no mapping, or a non-zero exit", still, call)
        else:
            volume.judge_attach()
            volume.judge_stamps(call)
            volume.judge_io(call, generation=2)
    call = judge.succeeds(volume.call("detach"), "the device is no longer in use")
    judge.holds(volume.is_gone(), "no mapping", f"{volume.path} still shows the volume", call)


@rule("ES-DETACH-07", Level.MUST, source=_MAN, profile=Profile.STANDARD, needs=("device",))
def test_everything_that_attach_made_is_undone(subject: Subject) -> None:
    """After detach no device, mount, link or process of the attached volume is left on the node.

    Ganeti attaches a volume on many nodes in its life and removes it on one.
    """
    _attached_again(subject).detach()  # what is made once for all volumes is there now
    volume = subject.created()
    before = subject.survey.take()
    volume.attach()
    volume.stamp(offsets=[0])
    if subject.opens():
        volume.given("open", exclusive=True)
    if subject.provides("close"):
        volume.given("close")  # failover closes before it detaches
    call = volume.given("detach")
    # At once: the next user of the device may come any moment, and inherits the flag.
    visible = subject.configuration.capabilities["visible_after_detach"]
    flag = volume.devices.is_read_only(volume.path) and not visible
    judge.holds(not flag, "nothing left of close", f"{volume.path} is read-only", call)
    if not volume.is_gone():
        raise Blocked("the volume is still attached, which ES-DETACH-01 judges", call)
    new = subject.survey.left_since(before)
    left = [item for item in new if _is_of_attach(subject, item)]
    judge.holds(not left, "nothing left of attach", "; ".join(map(str, left[:3])), call)


def _is_of_attach(subject: Subject, item: Item) -> bool:
    """Return whether detach owes to undo ``item``; notes in the back end are its own matter."""
    if item.kind == "file":
        return item.name.startswith("/dev/") or subject.node.ask("is_link", item.name)
    visible = subject.configuration.capabilities["visible_after_detach"]
    return item.kind in {"mount", "process"} or (item.kind != "object" and not visible)


@rule(
    "ES-DETACH-08",
    Level.MUST,
    source="lib/cmdlib/instance_storage.py ShutdownInstanceDisks (no close)",
    since="2.14",
    needs=("open", "device"),
)
def test_open_volume_is_detached_without_close(subject: Subject) -> None:
    """Detach of a volume that was opened, and never closed, exits 0 and detaches it.

    Ganeti closes for migration and failover alone; a shutdown attaches and detaches.
    """
    volume = _attached_again(subject)
    volume.given("open", exclusive=True)
    call = judge.succeeds(volume.call("detach"), "Ganeti does not close at shutdown")
    judge.holds(volume.is_gone(), "no mapping", f"{volume.path} still shows the volume", call)
