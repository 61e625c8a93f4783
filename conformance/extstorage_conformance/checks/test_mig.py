"""Rules about migration and failover: an instance's disks follow it to any node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge, stamps
from extstorage_conformance.instance import Instance, as_given
from extstorage_conformance.life import given_attach_tells, given_lone_life, ordinary
from extstorage_conformance.migration import Migration
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Violation

if TYPE_CHECKING:
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_MIGRATE = "lib/cmdlib/instance_migration.py TLMigrateInstance"
_CLEANUPS = 3
_MIGRATIONS = 20
_FEW_MIGRATIONS = 2


def _started(subject: Subject, disks: int = 1) -> Migration:
    """Return the migration of an instance that runs on the first node to the second."""
    source, target = subject.nodes[:2]
    return Migration(Instance.started(subject, source, disks), source, target)


@rule(
    "ES-MIG-01",
    Level.MUST,
    source=f"{_MIGRATE}._EnsureSecondary, CheckDiskConsistency (blockdev_find); Ganeti issue 1581",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_volume_is_attached_on_two_nodes(subject: Subject) -> None:
    """Attach succeeds on a node while another has the volume attached, open exclusively, in use.

    That is how every migration begins. Who may write is for open and close to say.
    """
    migration = _started(subject)
    instance, source, target = migration.instance, migration.source, migration.target
    with instance.busy(source) as streams:
        instance.operation = f"{source.name.partition('.')[0]} uses the volume"
        instance.find(target)
    instance.judge_written(target, streams)


@rule(
    "ES-MIG-02",
    Level.MUST,
    source=f"{_MIGRATE}._ExecMigration",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_live_migration(subject: Subject) -> None:
    """A live migration succeeds in Ganeti's order of calls, and the instance's I/O goes on.

    Two disks. The source writes until its memory is copied, the target from then on; what the
    source wrote is there on the target, and at the end the source shows nothing any more.
    """
    migration = _started(subject, disks=2)
    instance, source, target = migration.instance, migration.source, migration.target
    with instance.busy(source) as streams:
        migration.do(migration.steps_before())
    instance.judge_written(target, streams)
    with instance.busy(target) as streams:
        migration.do(migration.steps_after())
    with instance.busy(target):
        instance.assemble(target)


@rule(
    "ES-MIG-03",
    Level.MUST,
    source=f"{_MIGRATE}._RevertDiskStatus",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_migration_that_is_called_off(subject: Subject) -> None:
    """A migration that the target's hypervisor refuses is undone, and the instance notices nothing.

    The target closes and detaches, the source opens exclusively again.
    """
    migration = _started(subject)
    with migration.instance.busy(migration.source):
        with as_given():
            migration.do(migration.steps_before())
        migration.revert()
    with migration.instance.busy(migration.source):
        pass


@rule(
    "ES-MIG-04",
    Level.MUST,
    source="derived: each node has its own mapping of a volume",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_detach_is_for_one_node(subject: Subject) -> None:
    """Detach on one node does nothing to the volume's mapping, and to I/O, on another.

    What takes a volume away from all nodes of the array takes it from the instance. The node
    that detaches knows the volume from before it was grown: what was added stays, too.
    """
    migration = _started(subject)
    instance, source, target = migration.instance, migration.source, migration.target
    with as_given():
        instance.find(target)
    (there,) = instance.on(target)
    added = _grown(instance.on(source)[0])
    instance.operation = "another node detaches"
    with instance.busy(source):
        judge.succeeds(there.call("detach"))
    (here,) = instance.on(source)
    path = here.path
    call = here.judge_attach()
    judge.holds(here.path == path, f"{path}, as before", here.path, call)
    here.judge_stamps(call, offsets=added)


def _grown(volume: Volume) -> list[int]:
    """Grow an attached volume and stamp what is new, as given steps; return the offsets.

    None where it cannot be grown while another node has it attached.
    """
    if volume.run(ordinary(volume, "grow")).failed:
        return []
    volume.attach()
    added = [offset + volume.size_mib * stamps.MIB for offset in volume.offsets()]
    volume.stamp(offsets=added)
    return added


@rule(
    "ES-MIG-05",
    Level.MUST,
    source=f"{_MIGRATE}._ExecFailover",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_planned_failover(subject: Subject) -> None:
    """After a failover the disks are open on the target, with all that was written on the source.

    The source closes and detaches; then the target attaches and opens. Nothing else is done,
    by nobody: no lock is taken away by hand.
    """
    migration = _started(subject, disks=2)
    instance = migration.instance
    with instance.busy(migration.source) as streams:
        pass
    migration.failover()
    instance.judge_written(migration.target, streams)
    with instance.busy(migration.target):
        pass


@rule(
    "ES-MIG-06",
    Level.MUST,
    source=f"{_MIGRATE}._ExecFailover (the primary node is offline); Ganeti issues 1215, 1253",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
    power=True,
)
def test_failover_from_a_dead_node(subject: Subject) -> None:
    """A volume that a node had open when its power failed is attached and opened on another.

    Neither close nor detach was called, and nobody is there to take a lock away. What was
    synced is there.
    """
    migration = _started(subject)
    instance = migration.instance
    (disk,) = instance.on(migration.source)
    disk.stamp_through_cache()
    subject.suite.cut_power(migration.source)
    migration.activate_on_target()
    (there,) = instance.on(migration.target)
    there.judge_stamps(subject.calls[-1])
    with instance.busy(migration.target):
        pass


@rule(
    "ES-MIG-07",
    Level.MUST,
    source=f"{_MIGRATE}; derived: a node that was dead or cut off comes back with its old ideas",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
    power=True,
)
def test_stale_node_comes_back(subject: Subject) -> None:
    """A dead node that is back attaches, closes and detaches, and the new primary does not notice.

    Then it is a node like any other: the instance can be migrated back to it.
    """
    migration = _started(subject)
    instance, stale, primary = migration.instance, migration.source, migration.target
    subject.suite.cut_power(stale)
    with as_given():
        migration.activate_on_target()
    with instance.busy(primary):
        subject.suite.boot(stale)
        instance.operation = "a node that was dead is back"
        instance.find(stale)
        instance.close(stale)
        instance.shutdown(stale)
    back = Migration(instance, primary, stale)
    with instance.busy(primary) as streams:
        back.do(back.steps_before())
    back.do(back.steps_after())
    instance.judge_written(stale, streams)


@rule(
    "ES-MIG-08",
    Level.SHOULD,
    source=f"{_MIGRATE}._ExecCleanup",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
    rounds=f"{_CLEANUPS} clean-ups",
)
def test_cleanup_is_repeated(subject: Subject) -> None:
    """Migrate --cleanup succeeds any number of times, and the instance's I/O goes on."""
    migration = _started(subject)
    with migration.instance.busy(migration.source):
        for _ in range(_CLEANUPS):
            migration.clean_up()


@rule(
    "ES-MIG-09",
    Level.MUST,
    source="man ganeti-extstorage-interface(7) (volumes are shared by all nodes)",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=3,
)
def test_no_node_keeps_a_volume_to_itself(subject: Subject) -> None:
    """A volume that was created on one node is used on a second and removed on a third.

    All that a node has to know of a volume is its name and parameters. On each node it is gone
    at the end.
    """
    given_attach_tells(subject)
    given_lone_life(subject)
    first, second, third = subject.nodes
    volume = subject.volume(node=first)
    volume.given("create")
    user = volume.on(second)
    user.judge_attach()
    user.make_ready()
    user.judge_io(subject.calls[-1])
    judge.succeeds(user.call("detach"))
    remover = volume.on(third)
    for method in ("attach", "detach", "remove"):
        call = judge.succeeds(remover.call(method), f"on {third.name}, which never saw the volume")
    for node in subject.nodes:
        gone = volume.on(node).call("attach").failed
        judge.holds(gone, f"no such volume on {node.name}", "attach succeeds", call)


@rule(
    "ES-MIG-10",
    Level.SHOULD,
    source="derived: an instance is migrated each time that a node is serviced, for years",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
    rounds=f"{_FEW_MIGRATIONS} migrations (full: {_MIGRATIONS})",
)
def test_migrating_back_and_forth_leaves_nothing(subject: Subject) -> None:
    """Migrations back and forth leave no more on the nodes and in the back end than one leaves.

    Twenty of them in profile full, a few in standard; then the instance is shut down.
    """
    migration = _started(subject)
    instance, source, target = migration.instance, migration.source, migration.target
    there, back = migration, Migration(instance, target, source)
    with as_given():
        there.whole()
        back.whole()
        instance.shutdown(source)
        before = subject.survey.take()
        instance.assemble(source)
    count = _MIGRATIONS if subject.suite.profile is Profile.FULL else _FEW_MIGRATIONS
    for _ in range(count // 2):
        there.whole()
        back.whole()
    instance.shutdown(source)
    left = subject.survey.left_since(before)
    expected = f"what one migration leaves, after {count} more"
    judge.holds(not left, expected, "more: " + "; ".join(map(str, left[:3])), subject.calls[-1])


@rule(
    "ES-MIG-11",
    Level.MUST,
    source=f"{_MIGRATE}._ExecCleanup; Ganeti issue 1153, Debian bug 782123",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_failed_migration_is_cleaned_up(subject: Subject) -> None:
    """Wherever a migration fails before the memory is copied, migrate --cleanup puts things right.

    The instance stays on the source and writes on all the while. After the last clean-up the
    migration succeeds.
    """
    migration = _started(subject)
    instance = migration.instance
    count = len(migration.steps_before())
    for number in range(1, count + 1):
        with instance.busy(migration.source):
            with as_given():
                migration.do(migration.steps_before()[:number])
            try:
                migration.clean_up()
            except Violation as found:
                where = f"after step {number} of {count} of a migration"
                raise Violation(f"{found.expected} {where}", found.got, found.call) from None
    with instance.busy(migration.source) as streams:
        migration.do(migration.steps_before())
    migration.do(migration.steps_after())
    instance.judge_written(migration.target, streams)


@rule(
    "ES-MIG-12",
    Level.MUST,
    source=f"{_MIGRATE}._ExecCleanup (3.0.2, 3.1.1: opens on the old primary node)",
    since="2.14",
    profile=Profile.STANDARD,
    needs=("open", "close", "device"),
    nodes=2,
)
def test_cleanup_on_the_wrong_node_harms_nobody(subject: Subject) -> None:
    """An exclusive open on the old primary never takes the volume from the node that uses it.

    A migration that fails after the memory was copied leaves the instance on the target, and
    migrate --cleanup then closes and, by mistake, opens exclusively on the source. That may fail;
    the instance's I/O must not.
    """
    for finished in (False, True):
        _clean_up_on_the_wrong_node(subject, finished=finished)


def _clean_up_on_the_wrong_node(subject: Subject, *, finished: bool) -> None:
    """``finished``: the target had opened exclusively, and only detach on the source failed."""
    migration = _started(subject)
    instance, source, target = migration.instance, migration.source, migration.target
    with as_given():
        migration.do(migration.steps_before())
        migration.do(migration.steps_after()[: 2 if finished else 0])
    with instance.busy(target):
        for call in migration.clean_up_on_the_wrong_node():
            judge.ended(call)
    instance.shutdown(source)
    with instance.busy(target):
        instance.open(target, exclusive=True)
