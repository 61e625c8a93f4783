"""Rules about data: what was written is read, where it was written, and nowhere else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from extstorage_conformance import judge, stamps
from extstorage_conformance.life import given_lone_life, ordinary
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_CYCLES = 3
_AT_ONCE = 4  # on each node
_STEP_BYTES = 64 * 1024
_DENSE_MIB = 4
_LOST_IN_A_REBOOT = ("/run/", "/dev/shm/")  # noqa: S108 - looked at, not used
_NOT_THE_PROVIDERS = ("/run/udev/", "/run/lvm/", "/run/systemd/")


def _offsets(volume: Volume, count: int = 16) -> list[int]:
    """Return block offsets over the volume, without its last block: that has a rule of its own."""
    return volume.offsets(count)[:-1]


@rule(
    "ES-DATA-01",
    Level.MUST,
    source="derived: an instance that is stopped and started expects its disk as it was",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds=f"{_CYCLES} times",
)
def test_data_survives_detach_and_attach(subject: Subject) -> None:
    """Data that was written is there, unchanged, each time the volume is attached again."""
    volume = subject.attached()
    for generation in range(1, _CYCLES + 1):
        volume.stamp(generation)
        volume.given_stamps(generation)
        volume.given("detach")
        volume.attach()
        volume.judge_stamps(subject.calls[-1], generation)


@rule(
    "ES-DATA-02",
    Level.MUST,
    source="derived: two instances that share blocks destroy each other's data",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_volumes_share_no_block(subject: Subject) -> None:
    """Volumes that are written at the same time each read back exactly their own data."""
    uuid = subject.uuid()
    volumes = [subject.attached(uuid=uuid, index=index) for index in range(3)]
    with ThreadPoolExecutor(len(volumes)) as pool:
        list(pool.map(lambda volume: volume.stamp(offsets=_offsets(volume, 64)), volumes))
    for volume in volumes:
        volume.judge_stamps(subject.calls[-1], offsets=_offsets(volume, 64))


@rule(
    "ES-DATA-03",
    Level.MUST,
    source="derived: the instance's partition table counts on the size that Ganeti asked for",
    needs=("device",),
)
def test_first_and_last_block_can_be_used(subject: Subject) -> None:
    """The first and the last block of VOL_SIZE, and the device's own last block, hold data."""
    volume = subject.attached()
    attached = subject.calls[-1]
    recorded = volume.size_mib * stamps.MIB
    volume.make_ready()
    reported = int(volume.device_mib() * stamps.MIB)
    offsets = {0, *(_last_block(size) for size in (recorded, max(recorded, reported)))}
    volume.judge_io(attached, offsets=sorted(offsets))


def _last_block(size: int) -> int:
    return (size // stamps.BLOCK_BYTES - 1) * stamps.BLOCK_BYTES


@rule(
    "ES-DATA-04",
    Level.MUST,
    source="derived: a map that wraps around or repeats overwrites the volume with itself",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_every_block_is_its_own(subject: Subject) -> None:
    """Different blocks of a volume hold different data: none is another one under a second address.

    Every block at the beginning, and one each 64 KiB after that.
    """
    volume = subject.attached()
    attached = subject.calls[-1]
    volume.make_ready()
    size = volume.size_mib * stamps.MIB
    dense = range(0, min(_DENSE_MIB * stamps.MIB, size), stamps.BLOCK_BYTES)
    volume.judge_io(attached, offsets=sorted({*dense, *range(0, size, _STEP_BYTES)}))


@rule(
    "ES-DATA-06",
    Level.SHOULD,
    source="derived: instances discard blocks of file systems that they shrink or trim",
    profile=Profile.FULL,
    needs=("device",),
)
def test_discard_stays_in_its_range(subject: Subject) -> None:
    """A discard takes data from the range that it names only, if the device supports discard."""
    uuid = subject.uuid()
    volumes = [subject.attached(uuid=uuid, index=index) for index in range(2)]
    attached = subject.calls[-1]
    for volume in volumes:
        volume.stamp(offsets=_offsets(volume, 64))
    for volume in volumes:
        volume.given_stamps(offsets=_offsets(volume, 64))
    discarded = volumes[0]
    start = discarded.size_mib * stamps.MIB // 4
    length = discarded.size_mib * stamps.MIB // 2
    try:
        discarded.devices.discard(discarded.path, start, length)
    except OSError as error:
        raise NotApplicable(f"the device supports no discard: {error}") from None
    outside = [at for at in _offsets(discarded, 64) if not start <= at < start + length]
    discarded.judge_stamps(attached, offsets=outside)
    volumes[1].judge_stamps(attached, offsets=_offsets(volumes[1], 64))


@rule(
    "ES-DATA-07",
    Level.MUST,
    source="derived: a reboot empties /run, and other nodes never had what is in it",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_nothing_is_lost_with_temporary_files(subject: Subject) -> None:
    """A detached volume is attached, with its data, without what the provider kept of it in /run.

    Each call is a process of its own: what it has to know of the volume, the
    back end tells, wherever and whenever it runs.
    """
    volume = _kept(subject)
    volume.given("detach")
    with _set_aside(volume):
        call = volume.judge_attach()
        volume.judge_stamps(call, offsets=_offsets(volume))


def _kept(subject: Subject) -> Volume:
    """Return a stamped volume that was detached and attached, and kept its data, as given steps."""
    volume = subject.attached()
    volume.stamp(offsets=_offsets(volume))
    volume.given("detach")
    volume.attach()
    volume.given_stamps(offsets=_offsets(volume))
    return volume


@contextmanager
def _set_aside(volume: Volume) -> Iterator[None]:
    """Take away the files of ``volume`` that a reboot takes away, for the length of a block."""
    aside = f"{volume.subject.suite.run_directory}/aside-{volume.disk.uuid}"
    moved = volume.node.ask("set_aside", _temporary_files(volume), aside)
    try:
        yield
    finally:
        volume.node.ask("put_back", moved, aside)


def _temporary_files(volume: Volume) -> list[str]:
    """Return files that carry the volume's name and that neither conformance.toml nor EXTP_* name.

    A back end may lie in a temporary directory, in a test of a provider.
    """
    survey = volume.subject.survey
    named = tuple(value for value in volume.disk.parameters.values() if value.startswith("/"))
    return [
        item.name
        for item in sorted(survey.take())
        if item.kind == "file"
        and volume.name in item.name.rpartition("/")[2]
        and item.name.startswith(_LOST_IN_A_REBOOT)
        and not item.name.startswith((*_NOT_THE_PROVIDERS, *named))
        and not survey.is_of_back_end(item)
    ]


@rule(
    "ES-DATA-08",
    Level.MUST,
    source="derived: Ganeti never grows a volume again that it has on record as grown",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_growth_survives_detach_and_attach(subject: Subject) -> None:
    """A grown volume has its new size, and data in all of it, after detach and attach.

    A grow that changes the mapping alone is gone with it.
    """
    _kept(subject)  # one that loses its data without having grown is another rule's finding
    volume = subject.attached()
    new_mib = volume.size_mib * 2
    grown = volume.given("grow", new_size_mib=new_mib)
    volume.attach()
    offsets = stamps.spread(new_mib * stamps.MIB)[:-1]
    volume.stamp(offsets=offsets)
    volume.given("detach")
    volume.attach()
    found = volume.device_mib()
    judge.holds(found >= new_mib, f"{new_mib} MiB or more, as grown", f"{found:g} MiB", grown)
    volume.judge_stamps(grown, offsets=offsets)


@rule(
    "ES-DATA-05",
    Level.MUST,
    source="derived: a migration hands over the disk, not what a node has in its memory",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_synced_data_is_seen_on_the_other_node(subject: Subject) -> None:
    """What was written and synced on one node is read on the other, and back, at each hand-over.

    The other node had the volume attached, and had read it, before.
    """
    here = subject.attached()
    there = here.on(subject.nodes[1])
    here.stamp(1)
    there.attach()
    there.given_stamps(1)
    for generation in (2, 3):
        _write_both_ways(here, generation)
        if subject.uses("close"):
            here.given("close")
        call = there.given("attach")
        if subject.uses("open"):
            there.given("open", exclusive=True)
        there.judge_stamps(call, generation)
        here, there = there, here


def _write_both_ways(volume: Volume, generation: int) -> None:
    """Write with direct I/O, and through the page cache and synced, as given steps."""
    volume.stamp(generation, volume.offsets()[::2])
    volume.stamp_through_cache(generation, volume.offsets()[1::2])


@rule(
    "ES-DATA-09",
    Level.MUST,
    source="derived: jobs on different nodes run at the same time, and each changes its volume",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
    rounds=f"{_AT_ONCE} volumes on each node, once",
)
def test_volumes_made_and_grown_on_two_nodes_at_once(subject: Subject) -> None:
    """Volumes created, and grown, on different nodes at the same time all exist and share no block.

    What keeps a map of the array's space without a lock between the nodes gives space away twice.
    Each volume is made beside others, then grown beside others that are grown or made.
    """
    given_lone_life(subject)
    volumes = _on_each_node(subject)
    _at_once([volume.prepare("create") for volume in volumes], volumes)
    for volume in volumes:
        volume.judge_attach()
    more = _on_each_node(subject)
    calls = _at_once(
        [ordinary(volume, "grow") for volume in volumes]
        + [volume.prepare("create") for volume in more],
        [*volumes, *more],
    )
    for volume, grown in zip(volumes, calls, strict=False):
        _judge_growth(volume, 2 * volume.size_mib, grown)
    for volume in more:
        volume.judge_attach()
    _judge_own_blocks([*volumes, *more], calls[-1])


def _on_each_node(subject: Subject) -> list[Volume]:
    return [subject.volume(node=node) for _ in range(_AT_ONCE) for node in subject.nodes]


def _at_once(invocations: list[Invocation], volumes: list[Volume]) -> list[Call]:
    """Make calls for volumes on their nodes, all at the same time; each must succeed."""
    subject, nodes = volumes[0].subject, [volume.node for volume in volumes]
    for invocation, node in zip(invocations, nodes, strict=True):
        subject.announce(invocation, node)
    with ThreadPoolExecutor(len(volumes)) as pool:
        calls = list(pool.map(subject.execute, invocations, nodes))
    for call in calls:
        subject.note(call)
    for call in calls:
        judge.succeeds(call, f"{len(calls)} calls, for different volumes, ran at the same time")
    return calls


def _judge_growth(volume: Volume, new_mib: int, grown: Call) -> None:
    volume.detach()
    volume.judge_attach()
    found = volume.device_mib()
    judge.holds(found >= new_mib, f"{new_mib} MiB or more, as grown", f"{found:g} MiB", grown)


def _judge_own_blocks(volumes: list[Volume], call: Call) -> None:
    """Write each volume over its whole length, and only then read each."""
    places = [stamps.spread(int(volume.device_mib()) * stamps.MIB)[:-1] for volume in volumes]
    for volume, offsets in zip(volumes, places, strict=True):
        volume.stamp(offsets=offsets)
    for volume, offsets in zip(volumes, places, strict=True):
        volume.judge_stamps(call, offsets=offsets)


@rule(
    "ES-DATA-10",
    Level.MUST,
    source="derived: an instance's partition table counts in the sectors that the disk had",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_sectors_keep_their_size(subject: Subject) -> None:
    """A volume's logical sectors have one size: attached again, grown, and on every node.

    The bytes are the same, and an instance that finds sectors of 4096 bytes, not of 512, finds
    no partition.
    """
    volume = subject.attached()
    size = volume.devices.sector_bytes(volume.path)
    there = volume.on(subject.nodes[1])
    _judge_sectors(there, size, there.judge_attach())
    there.given("detach")
    call = volume.given("grow", new_size_mib=2 * volume.size_mib)
    volume.given("detach")
    for node in (volume, there):
        node.judge_attach()
        _judge_sectors(node, size, call)
        node.given("detach")


def _judge_sectors(volume: Volume, size: int, call: Call) -> None:
    found = volume.devices.sector_bytes(volume.path)
    expected = f"sectors of {size} bytes on {volume.node.name}, as at first"
    judge.holds(found == size, expected, f"sectors of {found} bytes", call)
