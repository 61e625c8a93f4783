"""Rules about setinfo: a text about the volume, for people who look at the back end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.contract.names import METADATA_LENGTH
from extstorage_conformance import judge
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import NotApplicable

if TYPE_CHECKING:
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_MAN = "man ganeti-extstorage-interface(7) setinfo"
_ORIGIN = "originstname+"
_BOUNDARIES = (
    "a",
    "0",
    "_" * 3,
    "+instance.example.test",
    f"{_ORIGIN}Web-1_a.example.test",
    (_ORIGIN + "0123456789-" * METADATA_LENGTH)[:METADATA_LENGTH],
)


@rule("ES-SETINFO-01", Level.MUST, source="lib/storage/extstorage.py ExtStorageDevice.SetInfo")
def test_every_text_of_ganeti_is_accepted(subject: Subject) -> None:
    """Setinfo exits 0 for every text that Ganeti can send: [-A-Za-z0-9_+.], 1 to 128 characters.

    A limit of the back end's own is setinfo's to deal with: when it fails, so
    does the creation of the instance. A setinfo that does nothing is fine.
    """
    volume = subject.created()
    volume.given("attach")
    for text in _BOUNDARIES:
        because = f"VOL_METADATA has {len(text)} characters that Ganeti sends"
        judge.succeeds(volume.call("setinfo", metadata=text), because)


@rule("ES-SETINFO-02", Level.MUST, source="derived: Ganeti renames instances", needs=("device",))
def test_volume_is_left_alone(subject: Subject) -> None:
    """Setinfo changes neither data nor size nor mapping of the volume."""
    volume = subject.attached()
    volume.stamp()
    volume.attach_again()
    path, size_mib = volume.path, volume.device_mib()
    call = volume.given("setinfo", metadata=f"{_ORIGIN}instance.example.test")
    volume.attach()
    judge.holds(volume.path == path, f"{path}, as before", volume.path, call)
    now_mib = volume.device_mib()
    judge.holds(now_mib == size_mib, f"{size_mib:g} MiB, as before", f"{now_mib:g} MiB", call)
    volume.judge_stamps(call)


@rule(
    "ES-SETINFO-03",
    Level.SHOULD,
    source="lib/cmdlib/instance_utils.py GetInstanceInfoText; gnt-instance rename",
    profile=Profile.STANDARD,
    needs=("metadata",),
)
def test_second_text_replaces_the_first(subject: Subject) -> None:
    """Setinfo replaces what an earlier call has set.

    After a rename the old instance's name leads people to the wrong volume. The
    hook ``metadata`` of conformance.toml shows what is stored.
    """
    volume = subject.created()
    volume.given("attach")
    old, new = f"{_ORIGIN}before.example.test", f"{_ORIGIN}after.example.test"
    volume.given("setinfo", metadata=old)
    stored = _stored(subject, volume)
    judge.holds(old in stored, f"{old} to be stored", repr(stored[:200]), subject.calls[-1])
    call = volume.given("setinfo", metadata=new)
    stored = _stored(subject, volume)
    replaced = new in stored and old not in stored
    judge.holds(replaced, f"{new} alone", repr(stored[:200]), call)


def _stored(subject: Subject, volume: Volume) -> str:
    stored = subject.suite.hook("metadata", {"VOL_NAME": volume.name})
    if stored is None:
        raise NotApplicable("conformance.toml has no hook metadata to look with")
    return stored


@rule(
    "ES-SETINFO-05",
    Level.SHOULD,
    source="derived: failure told as success",
    profile=Profile.STANDARD,
    needs=("metadata",),
)
def test_unknown_volume_is_refused(subject: Subject) -> None:
    """Setinfo of a volume that does not exist fails.

    With the capability metadata = false it may do nothing, as the man page allows.
    """
    call = subject.volume().call("setinfo", metadata=f"{_ORIGIN}instance.example.test")
    judge.fails(call, "there is no such volume")
