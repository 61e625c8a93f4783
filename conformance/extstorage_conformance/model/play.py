"""Plays a sequence of steps on a provider and compares with the reference model, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from extstorage_conformance import judge, stamps
from extstorage_conformance.model.expected import Claims, Known, Owes, owed
from extstorage_conformance.model.step import FAULTS, VOLUMES, WRITE, Step
from extstorage_conformance.violation import Blocked, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.devices import Devices
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_INDEXES = (1, 10)  # of one instance: names that begin alike
_STAMPS = 6


@dataclass(frozen=True)
class Played:
    """A step that was made: its call (None for a write), what it owed, and what was known then.

    ``volume`` and ``snapshot`` are the states after the step.
    """

    step: Step
    owed: Owes
    call: Call | None
    volume: Known
    snapshot: Known


class Play:
    """One sequence, on volumes of its own."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.played: list[Played] = []
        uuid = subject.uuid()
        self._volumes = [subject.volume(uuid=uuid, index=index) for index in _INDEXES]
        names = [volume.name for volume in self._volumes]
        self.known = {name: Known(name) for each in names for name in (each, f"{each}.snap")}
        repeats = subject.configuration.capabilities["create_existing"] == "succeeds"
        self._claims = Claims(create_may_repeat=repeats)
        self._generation = 0

    @property
    def steps(self) -> list[Step]:
        """The steps so far."""
        return [played.step for played in self.played]

    def play(self, steps: Iterable[Step]) -> None:
        """Make the steps, then ``finish``; raises Violation."""
        for step in steps:
            self.do(step)
        self.finish()

    def known_of(self, step: Step) -> Known:
        """Return what is known of the volume that ``step`` is about."""
        name = self._volumes[step.volume].name
        return self.known[f"{name}.snap" if step.snapshot else name]

    def can_write(self, step: Step) -> bool:
        """Return whether I/O is allowed on the volume: it is attached, and open if it must be."""
        known = self.known_of(step)
        if self.subject.opens():
            return step.node in known.attached and known.open_on == {step.node}
        return set(known.attached) == {step.node}

    def do(self, step: Step) -> None:
        """Make one step and compare; one that this provider has no script for does nothing.

        Raises Violation when the provider does not do what it owes.
        """
        if step.verb == WRITE:
            if self.can_write(step):
                self._write(step)
            return
        if not self.subject.uses(step.verb) or (step.snapshot and step.verb == "snapshot"):
            return
        known, snapshot = self.known_of(step), self._snapshot_of(step)
        owes = owed(step, known, snapshot, self._claims)
        call = self._volume(step).run(self._invocation(step))
        self.played.append(Played(step, owes, call, known.copy(), snapshot.copy()))
        judge.ended(call)
        if owes is Owes.SUCCESS:
            judge.succeeds(call, f"step {len(self.played)}: {step}")
        elif owes is Owes.FAILURE:
            judge.fails(call, f"step {len(self.played)}: {step}")
        if call.succeeded:
            self._learn(step, known, snapshot, call)
        if step.verb in ("detach", "remove"):
            self._judge_others(step, known, call)
        self.played[-1] = Played(step, owes, call, known.copy(), snapshot.copy())

    def finish(self) -> None:
        """Look at every volume once more, remove all, and judge that nothing is left."""
        for volume in range(VOLUMES):
            for snapshot in (True, False):
                known = self.known_of(Step("attach", volume, snapshot))
                whole = ("attach", "detach", "remove", "attach")
                verbs = whole if known.exists else whole[-1:]
                if known.exists or known.name in self._tried():
                    self._end(volume, verbs, snapshot=snapshot)
        left = self.subject.left()
        shown = "; ".join(map(str, left[:3]))
        judge.holds(not left, "nothing left when all is removed", f"left: {shown}", self._last())

    def _end(self, volume: int, verbs: Iterable[str], *, snapshot: bool) -> None:
        nodes = sorted(self.known_of(Step("detach", volume, snapshot)).attached)
        for node in nodes[1:]:
            self.do(Step("detach", volume, snapshot, node=node))
        for verb in verbs:
            self.do(Step(verb, volume, snapshot, node=nodes[0] if nodes else 0))

    def _tried(self) -> set[str]:
        return {self.known_of(played.step).name for played in self.played}

    def _last(self) -> Call | None:
        calls = [played.call for played in self.played if played.call is not None]
        return calls[-1] if calls else None

    def _snapshot_of(self, step: Step) -> Known:
        return self.known[f"{self._volumes[step.volume].name}.snap"]

    def _invocation(self, step: Step) -> Invocation:
        volume = self._volume(step)
        values = {
            "grow": {"new_size_mib": step.size_mib},
            "setinfo": {"metadata": "originstname+instance1.example.com"},
            "open": {"exclusive": step.exclusive},
            "snapshot": {
                "snapshot_name": f"{volume.name}.snap",
                "snapshot_size_mib": max(1, self.known_of(step).size_mib),
            },
        }
        invocation = volume.prepare(step.verb, **values.get(step.verb, {}))  # type: ignore[arg-type]
        return FAULTS[step.fault].change(invocation) if step.fault else invocation

    def _volume(self, step: Step) -> Volume:
        """Return the volume as Ganeti has it on record at this step."""
        known = self.known_of(step)
        size_mib = step.size_mib if step.verb == "create" else known.size_mib
        return self.subject.volume(
            name=known.name, size_mib=max(1, size_mib), node=self.subject.nodes[step.node]
        )

    def _learn(self, step: Step, known: Known, snapshot: Known, call: Call) -> None:
        if step.verb == "create" and not known.exists:
            known.exists, known.size_mib, known.visible = True, step.size_mib, True
        elif step.verb == "attach" and known.exists:
            self._attached(step, known, call)
        elif step.verb == "detach":
            self._detached(step, known, call)
        elif step.verb == "remove":
            known.is_gone()
        elif step.verb == "grow":
            known.visible = known.visible and step.size_mib <= known.size_mib
            known.size_mib = max(known.size_mib, step.size_mib)
        elif step.verb == "snapshot":
            snapshot.take_over(known, known.size_mib)
        elif step.verb == "open" and step.node in known.attached:
            known.open_on.add(step.node)
        elif step.verb == "close":
            known.open_on.discard(step.node)

    def _attached(self, step: Step, known: Known, call: Call) -> None:
        path = judge.block_device(call)
        devices = self.subject.nodes[step.node].devices
        is_known_there = step.node in known.attached
        before = known.attached.get(step.node, path)
        judge.holds(path == before, f"{before}, as it is attached there", path, call)
        others = {
            other.attached[step.node]
            for other in self.known.values()
            if other is not known and step.node in other.attached
        }
        judge.holds(path not in others, "a device of its own", f"{path} of another volume", call)
        known.attached[step.node] = path
        known.visible = True
        try:
            size = devices.size_bytes(path) / stamps.MIB
            judge.holds(size >= known.size_mib, f"{known.size_mib} MiB", f"{size:g} MiB", call)
            if not is_known_there or known.writer == step.node:
                # Another node's writes are owed to a mapping that is made after them.
                self._judge_data(devices, path, known, call)
        except OSError as error:
            if self.subject.opens() and step.node not in known.open_on:
                return  # before open, and after close, it may refuse all I/O
            raise Violation("a device that can be read", f"{path}: {error}", call) from None

    def _judge_data(self, devices: Devices, path: str, known: Known, call: Call) -> None:
        for offset, generation in known.written.items():
            name = known.stamped_as[offset]
            wrong = devices.mismatches(path, name, [offset], generation)
            judge.holds(not wrong, "the data that was written", "; ".join(wrong), call)

    def _detached(self, step: Step, known: Known, call: Call) -> None:
        path = known.attached.pop(step.node, "")
        known.open_on.discard(step.node)
        if path and 0 in known.written:
            node = self.subject.nodes[step.node]
            volume = self.subject.volume(name=known.stamped_as[0], node=node)
            volume.path = path
            judge.holds(volume.is_gone(), "a detached volume", f"{path} shows it still", call)

    def _judge_others(self, step: Step, known: Known, call: Call) -> None:
        """Judge that the devices of other volumes are still theirs: a free one has no size."""
        devices = self.subject.nodes[step.node].devices
        for other in self.known.values():
            path = other.attached.get(step.node, "")
            if other is not known and path:
                got = f"{path}, the device of {other.name}, is none any more"
                judge.holds(devices.is_mapped(path), "other volumes to stay attached", got, call)

    def _write(self, step: Step) -> None:
        known = self.known_of(step)
        self._generation += 1
        path = known.attached[step.node]
        devices = self.subject.nodes[step.node].devices
        try:
            # What an attach has not shown yet cannot be written.
            least = min(known.size_mib * stamps.MIB, devices.size_bytes(path))
            offsets = stamps.spread(least, _STAMPS)
            devices.write(path, known.name, offsets, self._generation)
        except OSError as error:
            raise Violation(
                "the device to take a write", f"{path}: {error}", self._last()
            ) from None
        known.writer = step.node
        known.written.update(dict.fromkeys(offsets, self._generation))
        known.stamped_as.update(dict.fromkeys(offsets, known.name))
        self.played.append(
            Played(step, Owes.EITHER, None, known.copy(), self._snapshot_of(step).copy())
        )


def failure_of(subject: Subject, steps: Iterable[Step]) -> tuple[Violation | None, Play]:
    """Play the steps; return what was broken (None if nothing was) and the play. Cleans up."""
    play = Play(subject)
    found: Violation | None = None
    try:
        play.play(steps)
    except Violation as violation:
        found = violation
    except Blocked as blocked:
        found = Violation("a script that can be run", str(blocked), blocked.call)
    finally:
        subject.restore()
    return found, play
