"""Rules about create: the size that was asked for, or an error and nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge, stamps
from extstorage_conformance.checks.test_param import invalid_values
from extstorage_conformance.faults.limits import without_tools, without_writes
from extstorage_conformance.odd_sizes import beyond_32_bits, odd_and_large
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Blocked, NotApplicable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.host.invocation import Invocation
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_MAN = "man ganeti-extstorage-interface(7) create"
_RECREATE = "lib/cmdlib/instance_storage.py LUInstanceRecreateDisks"
_IMPOSSIBLE_SIZES = ("0", "-1", "1e3", "10G", "many", str(2**63))


@rule(
    "ES-CREATE-01",
    Level.MUST,
    source=f"{_MAN}; lib/storage/base.py GetActualSize",
    needs=("device",),
)
def test_device_has_the_size_asked_for(subject: Subject) -> None:
    """The device of a new volume has at least VOL_SIZE MiB, whether that is a round number or not.

    Ganeti does not look: an instance finds its disk too small when it is written to the end.
    """
    default = subject.configuration.sizes["default"]
    for size_mib in (default, default + 1):
        volume = subject.volume(size_mib=size_mib)
        call = volume.call("create")
        if call.failed and size_mib != default:
            return  # an odd size that is refused is a matter of ES-CREATE-09
        if call.failed:
            raise Blocked(f"create failed ({call.fail_reason})", call)
        volume.attach()
        got = volume.device_mib()
        judge.holds(got >= size_mib, f"a device of at least {size_mib} MiB", f"{got:g} MiB", call)


@rule(
    "ES-CREATE-02",
    Level.SHOULD,
    source="derived: what Ganeti accounts for is VOL_SIZE",
    needs=("device",),
)
def test_device_is_not_much_larger(subject: Subject) -> None:
    """The device of a new volume is no larger than VOL_SIZE, rounded up to sizes.granularity."""
    volume = subject.attached()
    limit = subject.configuration.rounded_mib(volume.size_mib)
    got = volume.device_mib()
    judge.holds(got <= limit, f"a device of at most {limit} MiB", f"{got:g} MiB", subject.calls[0])


@rule("ES-CREATE-03", Level.MUST, source="lib/storage/extstorage.py ExtStorageDevice.Create")
def test_volume_can_be_attached_at_once(subject: Subject) -> None:
    """Create exits 0 when the volume exists, and attach succeeds at once.

    Ganeti attaches right after create and does not try again.
    """
    volume = subject.volume()
    call = judge.succeeds(volume.call("create"))
    attached = volume.call("attach")
    if attached.undecodable is not None:
        raise Blocked("attach's output is not UTF-8, which ES-ATTACH-07 judges", attached)
    judge.holds(attached.succeeded, "a volume to attach", f"attach {attached.fail_reason}", call)


@rule(
    "ES-CREATE-04",
    Level.MUST,
    source="lib/cmdlib/instance_storage.py CreateDisks (undoes only the disks before)",
)
def test_failed_create_leaves_nothing(subject: Subject) -> None:
    """A create that fails leaves nothing behind.

    Ganeti never calls remove for it. Failures here: impossible sizes, invalid
    parameters, no program found in PATH, a full disk.
    """
    failed = False
    for invocation in _hopeless(subject):
        before = subject.survey.take()
        call = subject.run(invocation)
        if call.failed:
            failed = True
            left = subject.survey.left_since(before)
            judge.holds(not left, "nothing left", ", ".join(map(str, left[:3])), call)
    if not failed:
        raise Blocked("create exits 0 whatever it is given", subject.calls[-1])


def _hopeless(subject: Subject) -> Iterator[Invocation]:
    """Yield calls of create that ought to fail, each for a volume of its own."""
    # The first call of all may set the back end up.
    subject.created()
    for size in ("0", *_too_large(subject)):
        yield subject.volume().prepare("create").with_variables(VOL_SIZE=size)
    if subject.configuration.invalid_values:
        for variable, value in invalid_values(subject):
            yield subject.volume().prepare("create").with_variables({variable: value})
    yield without_tools(subject, subject.volume().prepare("create"))
    yield without_writes(subject.volume().prepare("create"))


def _too_large(subject: Subject) -> list[str]:
    """Return a size above the declared maximum, if there is one."""
    maximum = subject.configuration.sizes["maximum"]
    return [str(subject.configuration.rounded_mib(maximum + 1))] if maximum else []


@rule(
    "ES-CREATE-05",
    Level.MUST,
    source=f"{_RECREATE} (create with the same name, without remove)",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_existing_volume_is_not_harmed(subject: Subject) -> None:
    """Create never changes the data of a volume that exists under the name already."""
    volume = subject.attached()
    volume.stamp()
    volume.detach()
    call = judge.ended(volume.call("create"))
    attached = volume.call("attach")
    judge.holds(attached.succeeded, "the volume as before", "a volume without attach", call)
    volume.path = judge.block_device(attached)
    volume.judge_stamps(call)


@rule(
    "ES-CREATE-14",
    Level.MUST,
    source=f"{_RECREATE} (with other nodes than the disks were made on)",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_another_nodes_volume_is_not_harmed(subject: Subject) -> None:
    """Create never changes the data of a volume of that name that another node has made.

    Whether it is attached there or not: what a node knows by itself of volumes is not enough.
    """
    volume = subject.attached()
    volume.stamp_for_good()
    elsewhere = volume.on(subject.nodes[1])
    for _ in ("attached", "detached"):
        call = judge.ended(elsewhere.call("create"))
        volume.judge_attach()
        volume.judge_stamps(call)
        volume.detach()


@rule(
    "ES-CREATE-06", Level.MUST, source=f"derived: success would promise another size; {_RECREATE}"
)
def test_existing_volume_of_another_size_is_an_error(subject: Subject) -> None:
    """Create fails when the name exists with a smaller size."""
    volume = subject.created()
    volume.given("attach")
    larger = subject.volume(name=volume.name, size_mib=2 * volume.size_mib)
    judge.fails(larger.call("create"), f"{volume.name} exists with {volume.size_mib} MiB")


@rule("ES-CREATE-07", Level.SHOULD, source=f"derived: {_RECREATE}")
def test_existing_volume_is_treated_as_declared(subject: Subject) -> None:
    """Create of a name that exists with the same size fails, or succeeds if that is declared.

    The capability create_existing of conformance.toml declares it; what is
    there already is other data than a new instance expects.
    """
    volume = subject.created()
    volume.given("attach")
    call = volume.call("create")
    declared = subject.configuration.capabilities["create_existing"]
    if declared == "fails":
        judge.fails(call, "the name exists; or declare create_existing")
    else:
        judge.succeeds(call, f"create_existing = {declared!r} is declared")


@rule("ES-CREATE-08", Level.MUST, source="derived: a volume of another size than was asked for")
def test_impossible_sizes_are_refused(subject: Subject) -> None:
    """Create refuses a VOL_SIZE that is zero, negative, no number, or too large for any storage."""
    for size in _IMPOSSIBLE_SIZES:
        invocation = subject.volume().prepare("create").with_variables(VOL_SIZE=size)
        judge.fails(subject.run(invocation), f"VOL_SIZE={size} is no size")


@rule(
    "ES-CREATE-09",
    Level.SHOULD,
    source="derived: jobs and RAPI can ask for any number of MiB",
    profile=Profile.STANDARD,
)
def test_odd_sizes_work(subject: Subject) -> None:
    """Create accepts sizes that are no round numbers, from sizes.minimum on."""
    sizes = subject.configuration.sizes
    for size_mib in (sizes["minimum"], sizes["minimum"] + 2, sizes["default"] + 1):
        call = subject.volume(size_mib=size_mib).call("create")
        judge.succeeds(call, f"{size_mib} MiB are no less than sizes.minimum")


@rule("ES-CREATE-10", Level.SHOULD, source="derived: sizes.maximum of conformance.toml promises it")
def test_too_large_sizes_are_refused(subject: Subject) -> None:
    """Create refuses a size above sizes.maximum."""
    too_large = _too_large(subject)
    if not too_large:
        raise NotApplicable("sizes.maximum is not configured")
    for size in too_large:
        invocation = subject.volume().prepare("create").with_variables(VOL_SIZE=size)
        judge.fails(subject.run(invocation), f"sizes.maximum is less than {size} MiB")


@rule(
    "ES-CREATE-11",
    Level.SHOULD,
    source="derived: another tenant's data; lib/cmdlib/instance_storage.py prealloc_wipe_disks",
    profile=Profile.STANDARD,
    needs=("zeroed", "device"),
)
def test_new_volume_reads_as_zeros(subject: Subject) -> None:
    """A new volume reads as zeros, even after another was removed, unless declared otherwise."""
    before = subject.attached()
    before.stamp()
    before.detach()
    before.given("remove")
    volume = subject.attached()
    offsets = volume.offsets()
    dirty = _nonzero(volume, offsets)
    described = stamps.describe(volume.devices.read_block(volume.path, dirty[0])) if dirty else ""
    judge.holds(not dirty, "zeros", f"{len(dirty)} blocks of data: {described}", subject.calls[-1])


def _nonzero(volume: Volume, offsets: list[int]) -> list[int]:
    volume.make_ready()
    try:
        return volume.devices.nonzero_blocks(volume.path, offsets)
    except OSError as error:
        raise Blocked(f"reading {volume.path} failed: {error}") from None


@rule("ES-CREATE-12", Level.MUST, source="lib/cmdlib/instance_storage.py _GenerateUniqueNames")
def test_ganetis_names_are_kept_whole(subject: Subject) -> None:
    """Volumes whose names differ in the last of their 46 or 47 characters only are distinct.

    Back ends that cut names short take the second for the first; a script that asks whether
    any name begins with disk1 finds disk10, and never makes disk1.
    """
    uuid = subject.uuid()
    first = subject.created(uuid=uuid, index=10)
    size_mib = first.size_mib
    for index in (1, 2, 15):
        # Larger each time: if it is taken for one before it, create cannot succeed.
        size_mib += first.size_mib
        volume = subject.volume(uuid=uuid, index=index, size_mib=size_mib)
        judge.succeeds(volume.call("create"), f"it is another volume than {first.name}")


@rule(
    "ES-CREATE-13",
    Level.MUST,
    source=f"{_MAN}; lib/storage/base.py GetActualSize",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_odd_and_large_sizes_are_had(subject: Subject) -> None:
    """A new volume has the size asked for, to its last block: odd, beyond a GiB, beyond 4 GiB.

    Units of 32 or 1024 MiB, and numbers that are cut off, show at such sizes only. What create
    refuses, as for want of space, is not judged here.
    """
    sizes = [*odd_and_large(subject), *beyond_32_bits(subject)]
    if not [size_mib for size_mib in sizes if _is_had(subject, size_mib)]:
        raise Blocked("create refuses all of these sizes", subject.calls[-1])


def _is_had(subject: Subject, size_mib: int) -> bool:
    """Return whether create accepts a size; judge that the volume has all of it then."""
    volume = subject.volume(size_mib=size_mib)
    call = volume.call("create")
    if call.failed:
        subject.excused |= call.timed_out  # it was killed while it wrote all those zeros
        return False
    volume.attach()
    got = volume.device_mib()
    judge.holds(got >= size_mib, f"a device of at least {size_mib} MiB", f"{got:g} MiB", call)
    volume.stamp()
    volume.detach()
    volume.attach()
    volume.judge_stamps(call)
    volume.detach()
    volume.given("remove")
    return True
