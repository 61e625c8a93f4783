"""Calls that are killed, and then the node loses its power: what is there when it is back."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.faults import fault, scenes, tracing
from extstorage_conformance.faults.sweep import recorded_calls
from extstorage_conformance.faults.trial import Trial, Tried, as_violation, told
from extstorage_conformance.violation import Blocked, NotApplicable, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.host.call import Call
    from extstorage_conformance.faults.extent import Extent
    from extstorage_conformance.faults.scenes import Scene
    from extstorage_conformance.subject import Subject

_METHODS = ("attach", "detach", "grow", "snapshot", "open", "close")
"""Those that work on a volume that has data."""


def survive_reboot(subject: Subject) -> None:
    """Kill calls, each on a volume of its own, cut the power once, and judge every volume.

    Raises Violation, Blocked, and NotApplicable where there is no way to cut the power.
    """
    if not (subject.node.has_power_switch or subject.configuration.hooks["reboot"]):
        raise NotApplicable("this node cannot be switched off, and there is no hook reboot")
    extent = subject.suite.extent
    extent.begin()
    killed = list(_killed(subject))
    if not killed and subject.reach.skipped:
        return
    if not killed:
        raise NotApplicable("none of the scripts changes anything where it is to be killed")
    _reboot(subject)
    for scene, trial, call in killed:
        try:
            _judge_back(scene)
        except (Violation, Blocked) as found:
            _note(extent, trial, passed=False)
            raise told(as_violation(found), trial.name, trial, call) from None
        _note(extent, trial, passed=True)


def _note(extent: Extent, trial: Trial, *, passed: bool) -> None:
    if extent.done is not None:
        extent.done.note(trial, passed=passed)


def _killed(subject: Subject) -> Iterator[tuple[Scene, Trial, Call]]:
    extent = subject.suite.extent
    for method in filter(extent.wants_method, filter(subject.uses, _METHODS)):
        for trial in filter(extent.wants, _trials(subject, method)):
            if extent.done is not None and extent.done.has(trial):
                subject.reach.skipped += 1
                continue
            scene = scenes.scene_of(subject, method)
            scene.ready()
            traced = tracing.run(subject, scene.invocation(), trial.fault)
            subject.reach.note(Tried(trial, traced.call, traced.fired), traced.call.seconds)
            yield scene, trial, traced.call


def _trials(subject: Subject, method: str) -> Iterator[Trial]:
    calls = recorded_calls(subject, method)
    leaving = list(calls.leaving())
    for boundary in leaving if subject.suite.extent.is_whole else leaving[len(leaving) // 2 :][:1]:
        yield Trial(method, fault.signalled(boundary, signal.SIGKILL), reboot=True)


def _reboot(subject: Subject) -> None:
    if not subject.node.has_power_switch:
        subject.suite.hook("reboot")
        return
    subject.node.kill()
    subject.suite.bring_back(subject.node)


def _judge_back(scene: Scene) -> None:
    volume = scene.volume
    call = volume.judge_attach()
    volume.make_ready()
    scene.judge_size(volume, volume.size_mib, call)
    volume.judge_stamps(call, offsets=scene.offsets(volume))
    judge.succeeds(volume.call("detach"), "nothing uses the device")
