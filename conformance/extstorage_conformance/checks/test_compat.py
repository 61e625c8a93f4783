"""Rules about Ganeti's releases: those that conformance.toml names, and those to come."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from extstorage.contract.releases import Release, release
from extstorage.host.device import read_attach_output
from extstorage_conformance import judge
from extstorage_conformance.comparison import as_ganeti_calls, as_well
from extstorage_conformance.instance import Instance
from extstorage_conformance.migration import Migration
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Blocked, NotApplicable, Violation

if TYPE_CHECKING:
    from collections.abc import Callable

    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_TAGS = "tags v2.7.0 to v3.1.1: lib/bdev.py, lib/storage/extstorage.py"
_FUTURE = {
    "VOL_FUTURE": "1",
    "VOL_SIZE_BYTES": "1",
    "VOL_ENCRYPTION_KEY": "",
    "EXTP_FUTURE_PARAMETER": "1",
}
# What Ganeti 3.1 makes a -blockdev of: nothing after the image, no upper case in it.
_KVM_URIS = (
    re.compile(r"rbd:\w+/[-.a-z0-9]+\Z"),
    re.compile(r"gluster://[-.a-z0-9]+:\d+/[^/]+/.+\Z"),
)


def _declared(subject: Subject, wanted: Callable[[Release], bool]) -> list[str]:
    """Return the releases of conformance.toml that are wanted; raises NotApplicable for none."""
    names = [release(name).name for name in subject.configuration.run["releases"]]
    found = [name for name in names if wanted(release(name))]
    if not found:
        shown = ", ".join(names)
        raise NotApplicable(f"no such release is declared, in [run] releases: only {shown}")
    return found


def _whole_life(volume: Volume) -> None:
    """Judge all that a release does with a volume on one node; raises Violation."""
    subject = volume.subject
    try:
        judge.succeeds(volume.call("create"))
        _attach(volume)
        if subject.uses("open"):
            judge.succeeds(volume.call("open", exclusive=True))
        volume.judge_io(subject.calls[-1], offsets=volume.offsets()[:2])
        judge.succeeds(volume.call("setinfo", metadata="originstname+instance.example.test"))
        _attach(volume)
        judge.succeeds(volume.call("grow", new_size_mib=2 * volume.size_mib))
        _attach(volume)
        volume.judge_stamps(subject.calls[-1], offsets=volume.offsets()[:2])
    finally:
        ended = [volume.call(method) for method in ("detach", "remove")]
    for call in ended:
        judge.succeeds(call)


def _attach(volume: Volume) -> None:
    """Attach, and read what is printed as the release that is imitated does."""
    call = judge.succeeds(volume.call("attach"))
    if call.undecodable is not None:
        raise Violation("UTF-8", str(call.undecodable), call)
    path = read_attach_output(call.attach_output(), call.release).dev_path or ""
    clean = "\n" not in path
    told = f"the path alone, no newline (Ganeti {call.release.name} takes all of the output)"
    judge.holds(clean, told, repr(path[:80]), call)
    volume.path = judge.block_device(call)


def _judge_releases(subject: Subject, names: list[str]) -> None:
    """Judge that what works in the run's own release works in these; raises Violation, Blocked."""
    for name in names:
        with subject.imitating(name):
            try:
                _whole_life(subject.volume())
            except Violation as found:
                broken = Violation(f"{found.expected} (Ganeti {name})", found.got, found.call)
            else:
                continue
        _expect_own_release_works(subject, broken)
        raise broken


def _expect_own_release_works(subject: Subject, broken: Violation) -> None:
    try:
        _whole_life(subject.volume())
    except Violation as also:
        raise Blocked(f"other rules are broken first: {also}", broken.call) from None


@rule(
    "ES-COMPAT-01",
    Level.MUST,
    source="tags v2.7.0 to v2.10.2: lib/bdev.py _ExtStorageEnvironment",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_oldest_releases_send_less(subject: Subject) -> None:
    """A provider for Ganeti 2.7 to 2.10 needs neither VOL_UUID, VOL_CNAME nor EXTP_ACCESS.

    They send VOL_NAME, VOL_SIZE, VOL_NEW_SIZE, VOL_METADATA and the parameters; and they take
    all that attach prints for the path.
    """
    _judge_releases(subject, _declared(subject, lambda known: not known.at_least("2.11")))


@rule(
    "ES-COMPAT-02",
    Level.MUST,
    source=_TAGS,
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_every_declared_release(subject: Subject) -> None:
    """A provider works with every release that it is declared for.

    With the variables that each sends, the scripts that each calls, and the output that each
    understands; a run imitates only one of them in its other rules.
    """
    own = subject.host.release.name
    names = _declared(subject, lambda known: known.at_least("2.11") and known.name != own)
    _judge_releases(subject, names)


@rule(
    "ES-COMPAT-03",
    Level.MUST,
    source="lib/hypervisor/hv_kvm/kvm_utils.py ParseStorageUriToBlockdevParam",
    since="2.13",
)
def test_kvm_uri_can_be_translated(subject: Subject) -> None:
    """A kvm: URI is rbd:POOL/IMAGE or gluster://HOST:PORT/VOLUME/PATH, for Ganeti 3.1 and later.

    Ganeti makes a -blockdev of it and knows no others, nor options after the image: an instance
    with such a disk does not start.
    """
    if subject.host.release.at_least("3.1"):
        name = subject.host.release.name
    else:
        name = _declared(subject, lambda known: known.at_least("3.1"))[0]
    with subject.imitating(name):
        call = subject.created().given("attach")
    if call.undecodable is not None:
        raise Blocked("attach's output is not UTF-8, which ES-ATTACH-07 judges", call)
    uris = read_attach_output(call.attach_output(), call.release).uris
    found = [uri[4:] for uri in uris if uri.lower().startswith("kvm:")]
    if not found:
        raise NotApplicable("attach prints no kvm: URI")
    for uri in found:
        known = any(pattern.match(uri) for pattern in _KVM_URIS)
        judge.holds(known, f"a URI that Ganeti {name} can translate", repr(uri[:80]), call)


@rule("ES-COMPAT-04", Level.SHOULD, source="derived: each release so far has sent more than before")
def test_variables_to_come_are_ignored(subject: Subject) -> None:
    """Variables that a later release may send change nothing."""
    as_well(subject, lambda invocation: invocation.with_variables(_FUTURE), as_ganeti_calls)


@rule(
    "ES-COMPAT-07",
    Level.MUST,
    source="tags v2.7.0 to v2.13.3: lib/cmdlib/instance_migration.py _ExecMigration",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_migration_of_old_releases(subject: Subject) -> None:
    """For Ganeti 2.7 to 2.13, a migration succeeds although open and close are never called.

    The target attaches while the source has the volume attached; then the source detaches.
    """
    for name in _declared(subject, lambda known: not known.at_least("2.14")):
        with subject.imitating(name):
            source, target = subject.nodes
            migration = Migration(Instance.started(subject, source), source, target)
            with migration.instance.busy(source) as streams:
                migration.do(migration.steps_before())
            migration.instance.judge_written(target, streams)
            with migration.instance.busy(target):
                migration.do(migration.steps_after())
            migration.instance.operation = f"gnt-instance remove (Ganeti {name})"
            migration.instance.remove(target)
