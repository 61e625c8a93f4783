"""What each method needs before it, what it owes when it says that it is done, how it is undone.

A scene takes one volume (or two) through any number of trials; every trial begins where the
first one did. What is judged here is judged with ordinary calls, nothing of which is broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance.faults.scenes.access import Close, Open, Verify
from extstorage_conformance.faults.scenes.changing import Grow, SetInfo
from extstorage_conformance.faults.scenes.existence import Create, Remove
from extstorage_conformance.faults.scenes.mapping import Attach, Detach
from extstorage_conformance.faults.scenes.scene import Scene
from extstorage_conformance.faults.scenes.snapshot import Snapshot
from extstorage_conformance.violation import Blocked

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage_conformance.subject import Subject

__all__ = ("SCENES", "Scene", "given", "scene_of")

SCENES: dict[str, type[Scene]] = {
    scene.method: scene
    for scene in (
        Create, Attach, Detach, Remove, Grow, SetInfo, Snapshot, Open, Close, Verify,
    )
}  # fmt: skip


def scene_of(subject: Subject, method: str) -> Scene:
    """Return a new scene of ``method``."""
    return SCENES[method](subject)


def given(scene: Scene) -> Call:
    """Make the scene's call as a given step; raises Blocked."""
    call = scene.subject.run(scene.invocation())
    if call.failed:
        raise Blocked(f"{scene.method} failed ({call.fail_reason})", call)
    return call
