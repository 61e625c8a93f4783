"""One trial: a call with one fault, and what it owes in spite of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extstorage_conformance import judge
from extstorage_conformance.faults import tracing
from extstorage_conformance.faults.fault import LINGER_S
from extstorage_conformance.violation import Blocked, Violation

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage_conformance.faults.fault import Fault
    from extstorage_conformance.faults.scenes import Scene
    from extstorage_conformance.faults.tracing import Traced

_MESSAGE = 160


@dataclass(frozen=True)
class Trial:
    """What a fault is tried on.

    ``opposite``: afterwards the call that takes the method back; ``reboot``: the power is cut;
    ``explained``: what the script says is judged, and nothing else.
    """

    method: str
    fault: Fault
    opposite: bool = False
    reboot: bool = False
    explained: bool = False

    @property
    def name(self) -> str:
        """What ``--only`` takes: ``grow fail losetup#2``."""
        more = {", taken back": self.opposite, ", and a reboot": self.reboot}
        more[", explained"] = self.explained
        return f"{self.method} {self.fault.name}{''.join(text for text in more if more[text])}"


@dataclass(frozen=True)
class Tried:
    """What came of a trial: the broken call, and ``fired``, whether the fault came to pass."""

    trial: Trial
    call: Call
    fired: bool
    violation: Violation | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        found = self.violation
        boundary = self.trial.fault.boundary
        return {
            "trial": self.trial.name,
            "method": self.trial.method,
            "kind": self.trial.fault.kind,
            "boundary": boundary.name if boundary else "",
            "fired": self.fired,
            "broken": f"expected {found.expected}; got {found.got}" if found else "",
            "replay": found.call.invocation.replay() if found and found.call else "",
        }


def attempt(scene: Scene, trial: Trial) -> Tried:
    """Make the trial; raises Blocked when the steps before it fail."""
    scene.ready()
    scene.is_full = trial.fault.is_full
    traced = tracing.run(scene.subject, scene.invocation(), trial.fault)
    try:
        _judge(scene, trial, traced)
    except (Violation, Blocked) as found:
        violation = as_violation(found)
        scene.is_dirty = True
        return Tried(
            trial, traced.call, traced.fired, told(violation, trial.name, trial, traced.call)
        )
    finally:
        tracing.end_what_is_left(scene.subject, traced)
    return Tried(trial, traced.call, traced.fired)


def as_violation(found: Violation | Blocked) -> Violation:
    """Return what was found as a violation: here a step that fails is the fault's doing."""
    if isinstance(found, Violation):
        return found
    return Violation("the volume to be of use", str(found), found.call)


def _judge(scene: Scene, trial: Trial, traced: Traced) -> None:
    call = traced.call
    if traced.stubborn:
        raise Violation(
            "the script to end when SIGTERM reaches it", f"no end within {LINGER_S:g} s", call
        )
    if call.timed_out or not trial.fault.is_signal:
        judge.ended(call)
    tool = trial.fault.missing_tool
    if tool and call.failed:
        said = (call.output.strip().splitlines() or ["nothing"])[-1]
        judge.holds(tool in call.output, f"the name of the missing tool {tool}", said, call)
    if call.succeeded:
        scene.judge_done(call)
    else:
        scene.judge_sound(call, killed=trial.fault.is_signal)
    if trial.opposite:
        scene.judge_opposite()
    else:
        scene.judge_again()
    tracing.end_what_is_left(scene.subject, traced)
    scene.back()


def told(found: Violation, what: str, trial: Trial, call: Call) -> Violation:
    """Return the violation with what was done in its words and the broken call as its call."""
    if found.call is None or found.call is call:
        got = f"{found.got} from {what}"
    else:
        later = found.call
        lines = later.output.strip().splitlines() or ["no message"]
        how = later.fail_reason or "exit 0"
        got = (
            f"{found.got} after {what}, in the later {later.invocation.method}"
            f" ({how}: {lines[-1][:_MESSAGE]})"
        )
    where = f" [{trial.fault.boundary.text}]" if trial.fault.boundary else ""
    return Violation(found.expected, got + where, call)
