"""Rules about what attach prints after the device: URIs, by which a hypervisor opens a volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.host.device import read_attach_output
from extstorage_conformance import judge
from extstorage_conformance.life import snapshot_of, through
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Blocked, NotApplicable

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_ATTACH = "lib/storage/extstorage.py ExtStorageDevice.Attach"
_MAN = "man ganeti-extstorage-interface(7) attach"
_HYPERVISORS = ("chroot", "fake", "kvm", "lxc", "xen-hvm", "xen-pvm")  # Ganeti's HYPER_TYPES


def _uris(call: Call) -> list[str]:
    """Return the further lines as Ganeti reads them, without the empty one after the last."""
    if call.undecodable is not None:
        raise Blocked("attach's output is not UTF-8, which ES-ATTACH-07 judges", call)
    uris = read_attach_output(call.attach_output(), call.release).uris
    return [uri for uri in uris if uri]


@rule("ES-ATTACH-08", Level.MUST, source=f"{_MAN}; GetUserspaceAccessUri", since="2.13")
def test_further_lines_are_hypervisor_uris(subject: Subject) -> None:
    """Every line of attach's output after the first is a hypervisor's name, a colon and a URI.

    Ganeti passes what follows the colon to that hypervisor. From 3.1 on its KVM
    knows only rbd and gluster.
    """
    call = subject.created().given("attach")
    uris = _uris(call)
    if not uris:
        raise NotApplicable("attach prints no line after the first")
    for uri in uris:
        hypervisor, _, rest = uri.partition(":")
        known = hypervisor.lower() in _HYPERVISORS and rest
        judge.holds(known, f"<{'|'.join(_HYPERVISORS)}>:<uri>", repr(uri[:80]), call)
        schemes = call.release.kvm_uri_schemes if hypervisor.lower() == "kvm" else ()
        expected = f"a KVM URI of {' or '.join(schemes)} (Ganeti {call.release.name})"
        judge.holds(not schemes or rest.split(":")[0] in schemes, expected, repr(uri[:80]), call)


@rule(
    "ES-ATTACH-09",
    Level.MUST,
    source=f"{_MAN}; {_ATTACH}",
    since="2.14",
    needs=("userspace_only",),
)
def test_volume_without_device_has_an_empty_first_line(subject: Subject) -> None:
    """Attach of a volume that has no block device prints an empty line, then at least one URI.

    Ganeti looks at the first line for a device alone: a URI there is a path that
    does not exist.
    """
    call = subject.created().given("attach")
    line = call.stdout.split("\n")[0]
    judge.holds(not line, "an empty first line", repr(line[:80]), call)
    judge.holds(_uris(call), "a URI on the second line", "no further line", call)


@rule(
    "ES-ATTACH-18",
    Level.MUST,
    source="derived: with userspace access KVM opens what the URI names; GetUserspaceAccessUri",
    since="2.13",
    profile=Profile.STANDARD,
    nodes=2,
)
def test_uri_is_of_one_volume(subject: Subject) -> None:
    """On each node, a URI that attach prints for one volume is printed for no other.

    Neither for another disk of the instance, nor for the same of another instance, nor for a
    snapshot, whatever EXTP_ACCESS says; and a volume that is attached again has the same URIs.
    """
    volumes = _alike(subject)
    found = [
        _judge_apart([volume.on(node) for volume in volumes], access)
        for node in subject.nodes
        for access in ("kernelspace", "userspace")
    ]
    if not any(found):
        raise NotApplicable("attach prints no line after the first")


def _alike(subject: Subject) -> list[Volume]:
    """Return volumes whose names have much in common; of the first there is a snapshot."""
    uuid = subject.uuid()
    volumes = [subject.created(uuid=uuid, index=index) for index in (1, 10)]
    volumes.append(subject.created(index=1))
    if subject.uses("snapshot"):
        volumes[0].given("attach")
        through(volumes[0], "snapshot")
        volumes.append(snapshot_of(volumes[0]))
    return volumes


def _judge_apart(volumes: list[Volume], access: str) -> bool:
    """Judge the volumes' URIs with this EXTP_ACCESS; return whether there are any."""
    owners: dict[str, Volume] = {}
    for volume in volumes:
        for uri in _uris_with(volume, access):
            other = owners.setdefault(uri, volume)
            got = f"{uri[:80]!r}, as for {other.name}"
            call = volume.subject.calls[-1]
            judge.holds(other is volume, f"a URI of {volume.name} alone", got, call)
    first = volumes[0]
    own = {uri for uri, owner in owners.items() if owner is first}
    again = _uris_with(first, access)
    got = ", ".join(sorted(again)) or "none"
    judge.holds(again == own, f"the URIs of the first attach, {own}", got, first.subject.calls[-1])
    return bool(owners)


def _uris_with(volume: Volume, access: str) -> set[str]:
    attach = volume.prepare("attach").with_variables(EXTP_ACCESS=access)
    call = volume.run(attach)
    if call.failed:
        raise Blocked(f"attach failed ({call.fail_reason})", call)
    return {uri for uri in _uris(call) if uri.partition(":")[0].lower() in _HYPERVISORS}
