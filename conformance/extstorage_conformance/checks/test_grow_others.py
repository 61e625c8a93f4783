"""Rules about what grow of one volume leaves of others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.checks.test_grow import larger_mib, to_grow
from extstorage_conformance.life import snapshot_of, through
from extstorage_conformance.neighbours import neighbours
from extstorage_conformance.rules import Level, Profile, rule

if TYPE_CHECKING:
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume


@rule(
    "ES-GROW-11",
    Level.MUST,
    source="derived: the name is the only identity that Ganeti gives",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_other_volumes_keep_size_and_data(subject: Subject) -> None:
    """Grow of one volume leaves all others as they are, even if their names begin with its own."""
    volume, others = neighbours(subject)
    for other in others:
        other.stamp_for_good()
    sizes = {other.name: other.device_mib() for other in others}
    call = volume.call("grow", new_size_mib=larger_mib(subject))
    if call.failed:  # it may be so while there is a snapshot, or what has its name
        others = [other for other in others if not _is_out_of_the_way(other)]
        call = volume.given("grow", new_size_mib=larger_mib(subject))
    for other in others:
        other.given("detach")
        other.judge_attach()
        before, after = sizes[other.name], other.device_mib()
        judge.holds(after == before, f"{other.name}: {before:g} MiB", f"{after:g} MiB", call)
        other.judge_stamps(call)


def _is_out_of_the_way(other: Volume) -> bool:
    """Remove a volume, as given steps, if it has a snapshot's name; return whether it has."""
    if not other.name.endswith(".snap"):
        return False
    other.detach()
    other.given("remove")
    return True


@rule(
    "ES-GROW-14",
    Level.MUST,
    source="derived: gnt-backup export leaves VOL_NAME.snap behind when it fails; data safety",
    since="2.13",
    profile=Profile.STANDARD,
    needs=("snapshot", "device"),
)
def test_snapshot_is_unchanged(subject: Subject) -> None:
    """Grow of a volume that has a snapshot leaves the data of both as they are, or is refused.

    The snapshot is attached, as while it is exported, and then it is not.
    """
    origin = to_grow(subject)
    offsets = origin.offsets()
    origin.stamp(1, offsets)
    through(origin, "snapshot")
    snapshot = snapshot_of(origin)
    snapshot.attach()
    snapshot.given("detach")
    snapshot.attach()
    _as_origin(snapshot, origin).given_stamps(1, offsets)
    origin.stamp(2, offsets)
    for new_mib in (larger_mib(subject), 2 * origin.size_mib):
        call = judge.ended(origin.call("grow", new_size_mib=new_mib))
        for each, generation in ((snapshot, 1), (origin, 2)):
            each.judge_attach()
            _as_origin(each, origin).judge_stamps(call, generation, offsets)
        if call.succeeded:
            origin.disk = replace(origin.disk, size_mib=new_mib)
        snapshot.given("detach")


def _as_origin(snapshot: Volume, origin: Volume) -> Volume:
    """Return what the snapshot's device shows, to be compared with what ``origin`` was told."""
    shown = origin.on(snapshot.node)
    shown.path = snapshot.path
    return shown
