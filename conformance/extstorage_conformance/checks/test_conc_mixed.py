"""A rule about calls of all methods, for many volumes, that overlap for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.life import ordinary
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.sampling import generator_of
from extstorage_conformance.together import at_once, judge_nothing_new

if TYPE_CHECKING:
    import random

    from extstorage.host.call import Call
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_WORKERS = 32
_STEPS = 12
# What may come next; a volume that is removed is followed by a new one.
_NEXT = {
    "absent": ("create",),
    "detached": ("attach", "attach", "attach", "remove"),
    "attached": ("detach", "detach", "setinfo", "grow", "attach"),
}
_STATE_AFTER = {"create": "detached", "attach": "attached", "detach": "detached"}
_WAY_TO_THE_END = (("detached", "attach"), ("attached", "detach"), ("detached", "remove"))


class _Worker:
    """Leads one volume after another through calls that are drawn."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._begin()

    def _begin(self) -> None:
        self.volume: Volume = self._subject.volume()
        self.state = "absent"
        self._is_written = False

    def drawn(self, generator: random.Random) -> str:
        """Draw the next method, of those that the provider has."""
        return generator.choice([*filter(self._subject.uses, _NEXT[self.state])])

    def judge(self, method: str, call: Call) -> None:
        """Judge a call that was made for the volume; after attach, its data."""
        judge.succeeds(call, f"{_WORKERS} calls, for different volumes, ran at once")
        self.state = _STATE_AFTER.get(method, self.state)
        if method == "attach":
            self.volume.path = judge.block_device(call)
            self._judge_data(call)
        elif method == "remove":
            self._begin()

    def _judge_data(self, call: Call) -> None:
        if self._is_written:
            self.volume.judge_stamps(call)
        else:
            self.volume.stamp()
            self._is_written = True


@rule(
    "ES-CONC-09",
    Level.SHOULD,
    source="derived: many jobs run side by side on a node, each with a method of its own",
    profile=Profile.FULL,
    needs=("device",),
    rounds="12 calls, drawn, for each of 32 volumes",
)
def test_mixed_calls_end_where_they_began(subject: Subject) -> None:
    """Thirty-two workers with a volume each make calls of all kinds at once, and nothing is lost.

    What comes next for each volume is drawn. Every call succeeds, every attach shows the volume's
    own data, and when the last volume is removed nothing is left of any.
    """
    generator = generator_of(subject, "workers")
    workers = [_Worker(subject) for _ in range(_WORKERS)]
    for _ in range(_STEPS):
        _step(subject, [(worker, worker.drawn(generator)) for worker in workers])
    for state, method in _WAY_TO_THE_END:
        _step(subject, [(worker, method) for worker in workers if worker.state == state])
    judge_nothing_new(subject, subject.baseline, subject.calls[-1])


def _step(subject: Subject, drawn: list[tuple[_Worker, str]]) -> None:
    calls = at_once(subject, [ordinary(worker.volume, method) for worker, method in drawn])
    for (worker, method), call in zip(drawn, calls, strict=True):
        worker.judge(method, call)
