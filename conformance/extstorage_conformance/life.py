"""The calls that a volume lives through, as Ganeti makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance.violation import Blocked

if TYPE_CHECKING:
    from extstorage.host.daemon import CallValues
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume


def ordinary(volume: Volume, method: str) -> Invocation:
    """Return an ordinary call of ``method`` for ``volume``, as Ganeti makes it."""
    values: dict[str, CallValues] = {
        "grow": {"new_size_mib": 2 * volume.size_mib},
        "setinfo": {"metadata": "originstname+instance1.example.com"},
        "snapshot": {
            "snapshot_name": f"{volume.name}.snap",
            "snapshot_size_mib": volume.size_mib,
        },
        "open": {"exclusive": True},
    }
    return volume.prepare(method, **values.get(method, {}))


def through(volume: Volume, *methods: str) -> None:
    """Run those of ``methods`` that Ganeti calls, in order, as given steps; raises Blocked."""
    for method in filter(volume.subject.uses, methods):
        if method == "attach":
            volume.attach()
            continue
        call = volume.run(ordinary(volume, method))
        if call.failed:
            raise Blocked(f"{method} failed ({call.fail_reason})", call)


def given_attach_tells(subject: Subject) -> None:
    """Make sure that an attach that succeeds shows that there is a volume; raises Blocked."""
    call = subject.volume().call("attach")
    if call.succeeded:
        raise Blocked("attach accepts a volume that never was, which ES-ATTACH-03 judges", call)


def given_lone_life(subject: Subject) -> None:
    """Make sure that one volume alone can be attached, detached, removed; raises Blocked.

    What becomes of it beside others can be told only then.
    """
    volume = subject.attached()
    volume.detach()
    volume.given("remove")


def snapshot_of(volume: Volume) -> Volume:
    """Return the volume that a snapshot becomes, under the name that Ganeti gives it."""
    return volume.subject.volume(
        name=f"{volume.name}.snap", size_mib=volume.size_mib, node=volume.node
    )
