"""Rules about grow: VOL_NEW_SIZE is the size that the volume has afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from extstorage_conformance import judge, stamps
from extstorage_conformance.life import through
from extstorage_conformance.odd_sizes import beyond_32_bits, odd_and_large
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Blocked

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_MAN = "man ganeti-extstorage-interface(7) grow"
_LU = "lib/cmdlib/instance_storage.py LUInstanceGrowDisk"
_HUGE_MIB = 2**26  # 64 TiB: few back ends have that, and no script refuses it for its digits
_IMPOSSIBLE_MIB = 2**43  # 8 EiB: one byte more than a Linux block device can have


def _size_mib(subject: Subject) -> int:
    return subject.configuration.rounded_mib(subject.configuration.sizes["default"])


def larger_mib(subject: Subject) -> int:
    """Return a size half as large again as that of ``to_grow``."""
    return subject.configuration.rounded_mib(_size_mib(subject) * 3 // 2)


def to_grow(subject: Subject) -> Volume:
    """Return an attached volume, open if it can be: so does Ganeti, stopped instance or not."""
    volume = subject.attached(size_mib=_size_mib(subject))
    through(volume, "open")
    return volume


def mapped_anew_mib(volume: Volume) -> float:
    """Detach, attach and open as given steps; return the size that the storage has now."""
    volume.detach()
    through(volume, "attach", "open")
    return volume.device_mib()


def _given_growth(volume: Volume, new_mib: int) -> float:
    """Grow as a given step; return the size in MiB, or raise Blocked if it is a wrong one."""
    before = volume.device_mib()
    call = volume.given("grow", new_size_mib=new_mib)
    after = mapped_anew_mib(volume)
    if not new_mib <= after < new_mib + before:
        raise Blocked(f"grow to {new_mib} MiB gave {after:g} MiB, which ES-GROW-01 judges", call)
    return after


@rule("ES-GROW-01", Level.MUST, source=_MAN, needs=("device",))
def test_volume_has_the_new_size(subject: Subject) -> None:
    """After grow the volume has VOL_NEW_SIZE MiB; more only by rounding.

    It is the whole size, not the difference; VOL_SIZE is what Ganeti had on record before.
    """
    volume, new_mib = to_grow(subject), larger_mib(subject)
    before = volume.device_mib()
    call = volume.call("grow", new_size_mib=new_mib)
    if call.exit_code:
        volume.detach()
        if volume.call("grow", new_size_mib=new_mib).succeeded:
            raise Blocked("grow refuses an attached volume, which ES-GROW-03 judges", call)
    judge.succeeds(call)
    after = mapped_anew_mib(volume)
    judge.holds(after >= new_mib, f"at least {new_mib} MiB", f"{after:g} MiB", call)
    # The volume had a whole number of the back end's units: rounding adds less than it had.
    most = new_mib + before
    judge.holds(after < most, f"{new_mib} MiB, rounded up at most", f"{after:g} MiB", call)


@rule("ES-GROW-02", Level.MUST, source="derived: data safety", needs=("device",))
def test_old_contents_are_unchanged(subject: Subject) -> None:
    """Grow leaves everything that was on the volume where it was, however often it is grown.

    Also what was written to the space that an earlier grow has added.
    """
    volume = to_grow(subject)
    written = _stamp_from(volume, 0)
    for new_mib in sorted({larger_mib(subject), 2 * volume.size_mib} - {volume.size_mib}):
        call = volume.given("grow", new_size_mib=new_mib)
        volume.attach()
        volume.judge_stamps(call, offsets=written)
        volume.detach()
        volume.attach()
        volume.judge_stamps(call, offsets=written)
        old_mib = volume.size_mib
        volume.disk = replace(volume.disk, size_mib=new_mib)
        written += _stamp_from(volume, old_mib)


def _stamp_from(volume: Volume, start_mib: int) -> list[int]:
    """Stamp all from ``start_mib`` on, for good, as a given step; return where.

    Raises Blocked when detach and attach lose it.
    """
    start = start_mib * stamps.MIB
    offsets = [start + at for at in stamps.spread(volume.size_mib * stamps.MIB - start)]
    volume.stamp(offsets=offsets)
    volume.detach()
    through(volume, "attach", "open")
    volume.given_stamps(offsets=offsets)
    return offsets


@rule("ES-GROW-03", Level.MUST, source=f"{_LU}.Exec", profile=Profile.STANDARD, needs=("device",))
def test_io_goes_on_while_growing(subject: Subject) -> None:
    """Grow of a volume in use exits 0, keeps the device's path and does not disturb I/O.

    Ganeti grows the disks of running instances, which go on using the device that they have open.
    """
    volume = to_grow(subject)
    if subject.opens():
        volume.given("open", exclusive=True)
    volume.make_ready()
    volume.attach_again()
    with volume.stream() as stream:
        call = judge.succeeds(volume.call("grow", new_size_mib=larger_mib(subject)))
    judge.undisturbed(stream, call)
    path = volume.path
    volume.attach()
    judge.holds(volume.path == path, f"{path}, as before", volume.path, call)


@rule(
    "ES-GROW-04", Level.MUST, source=f"{_LU}.Exec (wipe); BlockdevGetdimensions", needs=("device",)
)
def test_attached_device_shows_the_new_size(subject: Subject) -> None:
    """A volume that was grown while attached shows its new size after the next attach.

    Nothing else happens before Ganeti wipes the new space or tells the instance of it.
    """
    volume, new_mib = to_grow(subject), larger_mib(subject)
    call = volume.given("grow", new_size_mib=new_mib)
    volume.attach()
    shown = volume.device_mib()
    if shown < new_mib and mapped_anew_mib(volume) < new_mib:
        raise Blocked("grow did not grow the volume, which ES-GROW-01 judges", call)
    judge.holds(shown >= new_mib, f"a device of {new_mib} MiB", f"{shown:g} MiB", call)


@rule(
    "ES-GROW-05",
    Level.SHOULD,
    source="src/Ganeti/OpParams.hs pDiskChgAmount (not negative); LUInstanceGrowDisk (delta < 0)",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_same_size_is_no_error(subject: Subject) -> None:
    """Grow to the size that the volume has exits 0.

    Ganeti lets an amount of 0 pass, although the man page promises more.
    """
    volume, new_mib = to_grow(subject), larger_mib(subject)
    _given_growth(volume, new_mib)
    judge.succeeds(subject.run(_to_same_size(volume, new_mib)), "it has that size")


def _to_same_size(volume: Volume, size_mib: int) -> Invocation:
    same = volume.prepare("grow", new_size_mib=size_mib)
    return same.with_variables(VOL_SIZE=str(size_mib))


@rule("ES-GROW-06", Level.MUST, source="derived: data safety", needs=("device",))
def test_volume_is_never_made_smaller(subject: Subject) -> None:
    """Grow to less than the volume has, or from less, takes nothing off it, failed or not.

    The recorded size can be behind the real one, as after a grow that failed half-way: VOL_SIZE
    is not where the data ends, and what lies behind it is neither cut off nor cleared.
    """
    volume = subject.attached(size_mib=larger_mib(subject))
    volume.stamp_for_good()
    before = volume.device_mib()
    smaller_mib = _size_mib(subject)
    refused = volume.call("grow", new_size_mib=smaller_mib)
    stale = volume.prepare("grow", new_size_mib=smaller_mib).with_variables(
        VOL_SIZE=str(smaller_mib // 2)
    )
    for call in (judge.ended(refused), judge.ended(subject.run(stale))):
        after = mapped_anew_mib(volume)
        judge.holds(after >= before, f"{before:g} MiB, as before", f"{after:g} MiB", call)
        volume.judge_stamps(call)
    for new_mib in (volume.size_mib, 2 * volume.size_mib):
        behind = volume.prepare("grow", new_size_mib=new_mib).with_variables(
            VOL_SIZE=str(smaller_mib)
        )
        call = judge.ended(subject.run(behind))
        mapped_anew_mib(volume)
        volume.judge_stamps(call)


@rule(
    "ES-GROW-07",
    Level.SHOULD,
    source="derived: a grow that fails in Ganeti leaves the recorded size as it was",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_grow_is_repeated(subject: Subject) -> None:
    """Grow with the same variables a second time exits 0 and adds nothing.

    The volume's real size decides, not VOL_SIZE, which is what Ganeti believes.
    """
    volume, new_mib = to_grow(subject), larger_mib(subject)
    first = _given_growth(volume, new_mib)
    if subject.run(_to_same_size(volume, new_mib)).failed:
        raise Blocked("grow refuses the size that there is, which ES-GROW-05 judges")
    call = judge.succeeds(volume.call("grow", new_size_mib=new_mib), "it has that size")
    second = mapped_anew_mib(volume)
    judge.holds(second == first, f"{first:g} MiB, as after the first", f"{second:g} MiB", call)


@rule(
    "ES-GROW-08",
    Level.MUST,
    source="derived: Ganeti keeps the old size on record when grow fails",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_failed_grow_changes_nothing(subject: Subject) -> None:
    """Grow to a size that cannot be had fails and leaves size and data as they were."""
    volume = to_grow(subject)
    volume.stamp()
    before = _given_growth(volume, larger_mib(subject))
    volume.given_stamps()
    for new_mib in (_HUGE_MIB, _IMPOSSIBLE_MIB):
        call = judge.ended(volume.call("grow", new_size_mib=new_mib))
        volume.detach()
        volume.judge_attach()
        after = volume.device_mib()
        if call.succeeded and after >= new_mib:
            break  # the back end is that large: nothing failed
        judge.fails(call, f"the volume has {after:g} MiB, not {new_mib} MiB")
        judge.holds(after == before, f"{before:g} MiB, as before", f"{after:g} MiB", call)
    volume.judge_stamps(call)


@rule(
    "ES-GROW-09",
    Level.SHOULD,
    source="derived: another instance's data may be there",
    profile=Profile.STANDARD,
    needs=("zeroed", "device"),
)
def test_new_space_reads_as_zeros(subject: Subject) -> None:
    """The space that grow adds reads as zeros."""
    volume, new_mib = to_grow(subject), larger_mib(subject)
    _given_growth(volume, new_mib)
    call = subject.calls[-1]
    old_bytes, added_bytes = (
        mib * stamps.MIB for mib in (volume.size_mib, new_mib - volume.size_mib)
    )
    offsets = [old_bytes + offset for offset in stamps.spread(added_bytes, 64)]
    dirty = volume.judge_read(call, lambda on, at: on.nonzero_blocks(at, offsets))
    got = (
        f"data in {len(dirty)} of {len(offsets)} blocks, the first at byte {min(dirty, default=0)}"
    )
    judge.holds(not dirty, "zeros (or capability zeroed = false)", got, call)


@rule("ES-GROW-12", Level.MUST, source="derived: failure told as success")
def test_unknown_volume_is_refused(subject: Subject) -> None:
    """Grow of a volume that does not exist fails."""
    call = subject.volume().call("grow", new_size_mib=larger_mib(subject))
    judge.fails(call, "there is no such volume")


@rule(
    "ES-GROW-10",
    Level.SHOULD,
    source="lib/cmdlib/instance_migration.py: the target of a migration may be attached already",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_other_nodes_see_the_new_size(subject: Subject) -> None:
    """A volume that was grown on one node shows its new size on another after the next attach.

    Also where it was attached all the while, as the target of a migration that failed is.
    """
    volume, new_mib = to_grow(subject), larger_mib(subject)
    other = volume.on(subject.nodes[1])
    other.attach()
    call = volume.given("grow", new_size_mib=new_mib)
    volume.attach()
    if volume.device_mib() < new_mib:
        raise Blocked("grow is not seen on its own node, which ES-GROW-04 judges", call)
    other.judge_attach()
    shown = other.device_mib()
    expected = f"a device of {new_mib} MiB on {other.node.name}"
    judge.holds(shown >= new_mib, expected, f"{shown:g} MiB", call)


@rule(
    "ES-GROW-13",
    Level.MUST,
    source=_MAN,
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_odd_and_large_sizes_are_had(subject: Subject) -> None:
    """Grow gives what it is told for sizes that are no round numbers, beyond a GiB, beyond 4 GiB.

    Units of 4, 32 or 1024 MiB, and numbers that are cut off, show at such sizes only. sizes.large
    of conformance.toml says what has to be had; more may be refused, as for want of space.
    """
    volume = to_grow(subject)
    for new_mib in odd_and_large(subject):
        if new_mib > volume.device_mib():  # what rounding gave already is for ES-GROW-05
            call = judge.succeeds(volume.call("grow", new_size_mib=new_mib), f"to {new_mib} MiB")
            _judge_growth(volume, new_mib, call)
    for new_mib in beyond_32_bits(subject):
        call = volume.call("grow", new_size_mib=new_mib)
        if call.failed:
            return
        _judge_growth(volume, new_mib, call)


def _judge_growth(volume: Volume, new_mib: int, call: Call) -> None:
    """Judge that the volume has ``new_mib`` MiB since ``call``, to its last block."""
    after = mapped_anew_mib(volume)
    most = volume.subject.configuration.rounded_mib(new_mib)
    judge.holds(new_mib <= after <= most, f"{most} MiB", f"{after:g} MiB", call)
    volume.disk = replace(volume.disk, size_mib=new_mib)
    volume.stamp(generation=new_mib)
    volume.judge_stamps(call, generation=new_mib)
