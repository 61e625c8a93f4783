"""Rules about calls that are slow, or killed, and what other calls make of that meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.life import ordinary, through
from extstorage_conformance.races import judge_snapshot
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.sampling import held_at
from extstorage_conformance.together import killed, patience_s, while_held
from extstorage_conformance.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_SLOW = ("create", "attach", "grow", "snapshot", "detach", "remove")
_MAY_LEAVE_NOTHING = ("create", "remove")
_LONGEST_WAIT_S = 10.0
_SHORTEST_SLOWNESS_S = 1.0
_LONGEST_S = 15.0  # for each method


@rule(
    "ES-CONC-06",
    Level.MUST,
    source="derived: jobs on different instances run side by side on a node",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds=f"each method held at 3 points (full: 10, for {_LONGEST_S:g} s at most), drawn;"
    " sooner, up to twice, if the script was over by then",
)
def test_a_slow_call_loses_nothing_of_other_volumes(subject: Subject) -> None:
    """What is done to one volume stays done when a slower call for another began before it.

    A list of all volumes that each script reads, changes and writes back loses what was
    changed meanwhile; a scratch volume for all snapshots holds another one's data by then.
    """
    bystander = subject.attached()
    bystander.stamp()
    bystander.detach()
    for method in filter(subject.uses, (*_SLOW, "setinfo")):
        once = subject.run(ordinary(_ready_for(subject, method), method))
        for at_s in held_at(subject, once, 3, 10, longest_s=_LONGEST_S):
            _judge_changes_during(subject, method, at_s, patience_s=6 * patience_s(once))
    bystander.judge_attach()
    bystander.judge_stamps(None)


def _judge_changes_during(subject: Subject, method: str, at_s: float, *, patience_s: float) -> None:
    """Hold a script after ``at_s`` seconds; sooner, if it was over by then."""
    for sooner_s in (at_s, at_s / 2, at_s / 4):
        volume = _ready_for(subject, method)
        if method == "snapshot":
            volume.stamp()
        overlap = while_held(
            subject,
            ordinary(volume, method),
            lambda: _changed(subject, method),
            at_s=sooner_s,
            patience_s=patience_s,
        )
        _judge_change(*overlap.result, overlap.call)
        if method == "snapshot":
            made, _gone = overlap.result
            _judge_snapshots(volume, made, overlap.call)
        if overlap.held:
            return


def _judge_snapshots(slow: Volume, other: Volume, call: Call) -> None:
    judge.succeeds(call, "meanwhile a snapshot of another volume was taken")
    judge_snapshot(slow, call)
    judge_snapshot(other, call)


def _ready_for(subject: Subject, method: str) -> Volume:
    """Return a volume for which an ordinary call of ``method`` has its work to do."""
    if method == "create":
        return subject.volume()
    return subject.created() if method in ("attach", "remove") else subject.attached()


def _changed(subject: Subject, method: str) -> tuple[Volume, Volume]:
    """Create a volume and remove another as given steps; return both.

    During a snapshot, a snapshot of what was created is taken too.
    """
    made, gone = subject.created(), subject.created()
    _write_to(made)
    gone.given("remove")
    if method == "snapshot":
        through(made, "attach", method)
    return made, gone


def _write_to(volume: Volume) -> None:
    volume.attach()
    volume.stamp()
    volume.detach()


def _judge_change(made: Volume, gone: Volume, slow: Call) -> None:
    try:
        made.judge_attach()
    except Violation as found:
        expected = f"{found.expected}: the volume was made during {slow.invocation.method}"
        raise Violation(expected, found.got, found.call) from None
    made.judge_stamps(slow)
    judge.fails(gone.call("attach"), f"it was removed during {slow.invocation.method}")


@rule(
    "ES-CONC-07",
    Level.MUST,
    source="derived: a script is killed with its node daemon, or by the out-of-memory killer",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds=f"each method killed at 2 points (full: 12, for {_LONGEST_S:g} s at most), drawn",
)
def test_locks_die_with_their_holder(subject: Subject) -> None:
    """After a script was killed, wherever it was, the next calls neither wait for it nor give up.

    A lock that is a file or a directory outlives its holder; flock does not. Each of the next
    calls has ten seconds.
    """
    subject.excused = True  # what else a killed script leaves is not this rule's question
    for method in filter(subject.uses, (*_SLOW, "setinfo")):
        once = subject.run(ordinary(_ready_for(subject, method), method))
        for at_s in held_at(subject, once, 2, 12, longest_s=_LONGEST_S):
            volume = _ready_for(subject, method)
            killed(subject, ordinary(volume, method), at_s=at_s)
            for number, again in enumerate(_next_calls(volume, method)):
                call = subject.run(again)
                because = f"{method} was killed {at_s:.3f} s after its start"
                judge.holds(
                    call.seconds < _LONGEST_WAIT_S,
                    f"no wait for a dead process ({because})",
                    f"{call.seconds:.1f} s",
                    call,
                )
                judge.ended(call)
                if number or method not in _MAY_LEAVE_NOTHING:
                    judge.succeeds(call, because)


def _next_calls(volume: Volume, method: str) -> Iterator[Invocation]:
    """Yield the calls that have to succeed, in this order, after ``method`` was killed.

    The first but where there may be nothing left to remove.
    """
    methods: tuple[str, ...] = ("remove", "create", "attach", "detach", "remove")
    if method == "snapshot":
        # Under the name of a snapshot that was made, none can be made again.
        methods = ("attach", "detach", *methods)
    elif method not in _MAY_LEAVE_NOTHING:
        methods = (method, "detach", "remove")
    for again in methods:
        if again == "grow":  # to the same size it may refuse
            yield volume.prepare("grow", new_size_mib=3 * volume.size_mib)
        else:
            yield ordinary(volume, again)


@rule(
    "ES-CONC-08",
    Level.SHOULD,
    source="derived: a job that holds up all others makes the whole cluster wait",
    profile=Profile.STANDARD,
    needs=("device",),
    rounds=f"each method held at 3 points (full: 8, for {_LONGEST_S:g} s at most), drawn;"
    " it may be waited for at half of them",
)
def test_slow_calls_do_not_hold_up_others(subject: Subject) -> None:
    """A call for one volume does not make the calls for another wait for its end.

    A lock on all volumes is no harm for moments. One that is held for most of a call's time is.
    The other call waits when it needs twenty times what it takes alone, and more than a second.
    """
    other = subject.attached()
    once = other.given("attach")
    patience = max(_SHORTEST_SLOWNESS_S, 5 * patience_s(once))
    for method in filter(subject.uses, _SLOW):
        held = waited = 0
        once = subject.run(ordinary(_ready_for(subject, method), method))
        for at_s in held_at(subject, once, 3, 8, longest_s=_LONGEST_S):
            overlap = while_held(
                subject,
                ordinary(_ready_for(subject, method), method),
                lambda: other.given("attach"),
                at_s=at_s,
                patience_s=patience,
            )
            held += overlap.held
            waited += overlap.waited
        judge.holds(
            2 * waited <= held,
            f"attach of another volume to end while {method} is held up",
            f"it waited at {waited} of {held} points",
            overlap.call,
        )
