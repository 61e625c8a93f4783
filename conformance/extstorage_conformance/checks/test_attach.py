"""Rules about attach: the script that Ganeti calls before nearly everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge, stamps
from extstorage_conformance.neighbours import named_as_its_snapshot
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Blocked, Violation

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_ATTACH = "lib/storage/extstorage.py ExtStorageDevice.Attach"
_MAN = "man ganeti-extstorage-interface(7) attach"
_REPEATS = 10


def _first_line(call: Call) -> str:
    return call.stdout.split("\n")[0]


@rule("ES-ATTACH-01", Level.MUST, source=f"{_ATTACH}; {_MAN}", needs=("device",))
def test_first_line_is_the_device_path(subject: Subject) -> None:
    """The first line of attach's output is the absolute path of the device.

    Progress, warnings and greetings belong on stderr: Ganeti takes whatever
    comes first for the device.
    """
    call = subject.created().call("attach")
    judge.succeeds(call)
    if not call.stdout.strip():
        raise Blocked("attach printed nothing, which ES-ATTACH-10 judges", call)
    line = _first_line(call)
    judge.holds(line.startswith("/"), "an absolute path on the first line", repr(line[:80]), call)


@rule("ES-ATTACH-02", Level.MUST, source=f"{_ATTACH} (os.stat, S_ISBLK)", needs=("device",))
def test_path_is_a_block_device_at_once(subject: Subject) -> None:
    """The path that attach prints is a block device at the moment that attach exits.

    Ganeti looks at the path right away; a device that udev makes a moment later
    is "not attached".
    """
    call = subject.created().call("attach")
    line = _first_line(call)
    if call.undecodable is not None or not line.startswith("/") or line != line.strip():
        raise Blocked("attach printed no clean path, which ES-ATTACH-01, 07 and 10 judge", call)
    judge.block_device(call)


@rule("ES-ATTACH-03", Level.MUST, source="lib/backend.py _RecursiveFindBD, BlockdevRemove")
def test_unknown_volume_is_refused(subject: Subject) -> None:
    """Attach of a volume that does not exist fails.

    Ganeti takes an attach that succeeds for proof that the volume exists.
    """
    judge.fails(subject.volume().call("attach"), "there is no such volume")


@rule("ES-ATTACH-04", Level.MUST, source=_MAN, needs=("device",), rounds=f"{_REPEATS} attaches")
def test_attached_volume_is_attached_again(subject: Subject) -> None:
    """Attach of an attached volume prints the same path and makes no second mapping."""
    volume = subject.attached()
    before = subject.survey.take()
    for _ in range(_REPEATS):
        call = volume.call("attach")
        path = judge.block_device(call)
        judge.holds(path == volume.path, f"{volume.path}, as the first time", path, call)
    made = sorted(subject.survey.take() - before)
    judge.holds(not made, "no new mapping", ", ".join(map(str, made[:3])), call)


@rule(
    "ES-ATTACH-05",
    Level.MUST,
    source="lib/backend.py _RecursiveFindBD",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds=f"{_REPEATS} attaches",
)
def test_attach_again_leaves_io_alone(subject: Subject) -> None:
    """Attach of an attached volume does not disturb I/O that is going on.

    Ganeti attaches before every operation on a disk, whatever the instance is doing.
    """
    volume = subject.attached()
    volume.make_ready()
    with volume.stream() as stream:
        for _ in range(_REPEATS):
            call = volume.given("attach")
    judge.undisturbed(stream, call)


@rule("ES-ATTACH-07", Level.MUST, source=f"{_ATTACH} (no strip); lib/utils/process.py RunCmd")
def test_output_is_clean(subject: Subject) -> None:
    """Attach's output is UTF-8 and has no blanks at the ends of its lines.

    Ganeti strips nothing: a blank becomes part of the path. Before 2.13 it took
    all of the output for the path, so that there a newline does, too.
    """
    call = subject.created().call("attach")
    if call.exit_code != 0:
        raise Blocked("attach failed, which ES-ATTACH-01 judges", call)
    judge.holds(call.undecodable is None, "UTF-8", str(call.undecodable), call)
    output = call.attach_output()
    if call.release.attach_output_lines:
        expected, pieces = "lines without blanks at their ends", output.split("\n")
    else:
        expected, pieces = f"the path alone (Ganeti {call.release.name} takes all of it)", [output]
    spoilt = [piece for piece in pieces if piece != piece.strip()]
    judge.holds(not spoilt, expected, ", ".join(repr(piece[:80]) for piece in spoilt[:3]), call)


@rule("ES-ATTACH-10", Level.MUST, source=f"{_ATTACH} ('\\n' gives uris == [''])")
def test_success_names_something(subject: Subject) -> None:
    """An attach that exits 0 has printed a device or a URI.

    A lone newline slips through Ganeti's own check: the instance starts without its disk.
    """
    call = subject.created().given("attach")
    judge.holds(call.stdout.strip(), "a device or a URI on stdout", "nothing", call)


@rule(
    "ES-ATTACH-11",
    Level.SHOULD,
    source="lib/backend.py DevCacheManager._ConvertPath",
    needs=("device",),
)
def test_path_is_under_dev(subject: Subject) -> None:
    """The device's path is under /dev.

    Ganeti's cache of devices, and the tools that read it, expect that.
    """
    volume = subject.attached()
    judge.holds(volume.path.startswith("/dev/"), "a path under /dev", volume.path)


@rule(
    "ES-ATTACH-12",
    Level.MUST,
    source="lib/hypervisor/hv_kvm GetCacheSettings (cache=none)",
    needs=("device",),
)
def test_device_is_written_and_read_directly(subject: Subject) -> None:
    """The attached device takes direct I/O for reading and writing, once it is opened.

    KVM uses ext disks without the node's page cache.
    """
    volume = subject.attached()
    call = volume.given("open", exclusive=True) if subject.opens() else None
    offsets = volume.offsets(3)[:2]
    try:
        volume.devices.write(volume.path, volume.name, offsets)
    except OSError as error:
        raise Violation("direct I/O to work", f"{volume.path}: {error}", call) from None
    volume.judge_stamps(call, offsets=offsets)


@rule(
    "ES-ATTACH-13",
    Level.MUST,
    source="derived: the name is the only identity that Ganeti gives",
    needs=("device",),
)
def test_names_are_matched_exactly(subject: Subject) -> None:
    """Volumes whose names are prefixes of each other get devices of their own, with their own data.

    disk1 answered with the device of disk10, or of disk1.snap, is the worst fault that real
    providers have.
    """
    uuid = subject.uuid()
    volumes = [subject.attached(uuid=uuid, index=index) for index in (10, 1, 11)]
    volumes += named_as_its_snapshot(volumes[1])
    numbers = [volume.device_number() for volume in volumes]
    for volume in volumes:
        volume.stamp()
    for volume in volumes:
        volume.judge_stamps(subject.calls[-1])
    for volume, number in zip(volumes, numbers, strict=True):
        volume.attach()
        others = set(numbers) - {number}
        confused = volume.device_number() in others
        call = subject.calls[-1]
        judge.holds(not confused, f"a device of {volume.name}", "another volume's device", call)
    for volume in volumes:  # the others are attached, it is not: what is found now is theirs
        volume.detach()
        volume.attach()
        volume.judge_stamps(subject.calls[-1])


@rule(
    "ES-ATTACH-14",
    Level.MUST,
    source="lib/storage/extstorage.py ExtStorageDevice.Shutdown (`if not self.minor`)",
    needs=("device",),
)
def test_one_detach_undoes_any_number_of_attaches(subject: Subject) -> None:
    """A volume that was attached twice is detached by one detach.

    Ganeti attaches as often as it likes and detaches once; what counts its
    attaches stays attached for ever.
    """
    volume = subject.attached()
    volume.stamp(offsets=[0])
    volume.detach()
    volume.attach()
    volume.attach()
    call = volume.given("detach")
    judge.holds(volume.is_gone(), "one detach to do", f"{volume.path} still shows it", call)


@rule(
    "ES-ATTACH-15",
    Level.MUST,
    source="derived: recreate-disks and snapshots use a name again",
    needs=("device",),
)
def test_a_removed_volumes_mapping_is_not_returned(subject: Subject) -> None:
    """A volume that was removed and created again is attached with its new, not its old storage.

    Data written to a mapping of storage that is gone is lost at the next detach.
    """
    volume = subject.attached()
    volume.stamp_for_good()
    # Best while the old mapping is there; a provider may refuse that.
    if volume.call("remove").succeeded:
        subject.excused = True  # Ganeti never does that: what is left of the mapping is no leak
    else:
        volume.detach()
        volume.given("remove")
    volume.given("create")
    call = _judge_new_storage(volume)
    volume.stamp(generation=2)
    volume.detach()
    volume.attach()
    volume.judge_stamps(call, generation=2)


def _judge_new_storage(volume: Volume) -> Call:
    """Attach what was removed and created again; judge that the device is not the old volume's."""
    call = volume.judge_attach()
    if "(deleted)" in volume.devices.mapping_of(volume.path):
        raise Violation("a device of the new volume", f"{volume.path} maps a deleted file", call)
    if volume.subject.configuration.capabilities["zeroed"]:
        old = volume.judge_read(call, lambda on, at: on.nonzero_blocks(at, volume.offsets()))
        judge.holds(not old, "an empty volume", f"{volume.path} shows the old one's data", call)
    return call


@rule(
    "ES-ATTACH-19",
    Level.MUST,
    source="derived: migrate --cleanup and a failed failover leave volumes attached elsewhere",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_what_another_node_removed_is_not_returned(subject: Subject) -> None:
    """A volume that another node removed and created again is attached with its new storage.

    Where a node has the old one's mapping still, what is written to it is lost. A provider may
    refuse to remove what another node has attached.
    """
    volume = subject.attached()
    volume.stamp()
    other = volume.on(subject.nodes[1])
    other.attach()
    volume.detach()
    if judge.ended(volume.call("remove")).exit_code != 0:
        return
    subject.excused = True  # what is left of the old mapping there is no leak of a detach
    volume.given("create")
    call = _judge_new_storage(other)
    other.stamp(generation=2)
    other.given("detach")
    for node in (other, volume):
        node.judge_attach()
        node.judge_stamps(call, generation=2)
        node.given("detach")


@rule(
    "ES-ATTACH-16",
    Level.MUST,
    source="derived: Ganeti attaches and opens disks that are in use",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_contents_are_left_alone(subject: Subject) -> None:
    """Attach and open of an attached volume change nothing of what is on it.

    Labels and other marks are written where instances keep partition tables and
    boot loaders: every block of the first and the last MiB is compared.
    """
    volume = subject.attached()
    end = volume.size_mib * stamps.MIB
    first = range(0, stamps.MIB, stamps.BLOCK_BYTES)
    last = range(end - stamps.MIB, end, stamps.BLOCK_BYTES)
    offsets = sorted({*first, *volume.offsets(), *last})
    volume.stamp(offsets=offsets)
    call = volume.given("attach")
    volume.judge_stamps(call, offsets=offsets)
    if subject.opens():
        call = volume.given("open", exclusive=True)
        volume.judge_stamps(call, offsets=offsets)


@rule(
    "ES-ATTACH-17",
    Level.SHOULD,
    source="derived: an instance partitions its disk",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_partition_table_is_no_obstacle(subject: Subject) -> None:
    """A volume with a partition table is detached and attached like any other.

    What scans the device on the node and maps its partitions keeps it busy.
    """
    volume = subject.attached()
    volume.detach()
    volume.attach()
    volume.make_ready()
    try:
        volume.devices.write_block(volume.path, 0, _partition_table(volume.size_mib))
    except OSError as error:
        raise Blocked(f"writing to {volume.path} failed: {error}") from None
    volume.attach()
    judge.succeeds(volume.call("detach"), "a partition table does not make it busy")
    volume.judge_attach()


def _partition_table(size_mib: int) -> bytes:
    """Return a first block with one Linux partition, from the first half MiB to the end."""
    sectors, first = size_mib * 2048, 1024
    entry = bytes([0, 0, 2, 0, 0x83, 0, 0, 0])
    entry += first.to_bytes(4, "little") + (sectors - first).to_bytes(4, "little")
    return (bytes(446) + entry + bytes(48) + b"\x55\xaa").ljust(stamps.BLOCK_BYTES, b"\0")
