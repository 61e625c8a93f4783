"""What a provider does where conformance.toml lets it choose: found out by trying.

Each observation works on volumes of its own. One that cannot be made (a step failed, the provider
lacks the method) says nothing: the suite's default stays, and a rule will tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extstorage.host.device import read_attach_output
from extstorage_conformance import judge
from extstorage_conformance.violation import Blocked, CannotRun, NotApplicable, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.host.call import Call
    from extstorage_conformance.session import ConformanceSession
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_ORDINARY_SIZES_MIB = (32, 128, 1024, 8192)
_SMALLEST_SIZES_MIB = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_ODD_MIB = (1, 3, 5, 7)
_LARGEST_GRANULARITY_MIB = 1024


@dataclass(frozen=True)
class Observation:
    """One setting of conformance.toml, and what was seen that says so."""

    table: str
    key: str
    value: Any
    seen: str


Look = Callable[["Subject", int], Observation | None]
"""Makes one observation with a subject, on volumes of about that many MiB."""


def observe(session: ConformanceSession) -> Iterator[Observation]:
    """Yield what can be seen of the provider; raises CannotRun if it makes no volume at all."""
    default = _ordinary_size(session)
    yield default
    size_mib = int(default.value)
    for look in _LOOKS:
        found = _seen(session, look, size_mib)
        if found is not None:
            yield found


def _seen(session: ConformanceSession, look: Look, size_mib: int) -> Observation | None:
    """Make one observation; None if it cannot be made. What it leaves behind is undone."""
    try:
        with session.subject(None) as subject:
            subject.excused = True  # leaks are for the rules to tell
            return look(subject, size_mib)
    except (Blocked, NotApplicable, Violation, OSError, UnicodeDecodeError):
        return None


def _ordinary_size(session: ConformanceSession) -> Observation:
    refusals: list[Call] = []
    for size_mib in _ORDINARY_SIZES_MIB:
        call = _created(session, size_mib)
        if call.succeeded:
            refused = f"; {_ORDINARY_SIZES_MIB[0]} MiB are refused" if refusals else ""
            return Observation(
                "sizes", "default", size_mib, f"create makes {size_mib} MiB{refused}"
            )
        refusals.append(call)
    first = refusals[0]
    said = (first.output.strip().splitlines() or ["it says nothing"])[-1]
    raise CannotRun(
        f"create of {_ORDINARY_SIZES_MIB[0]} MiB failed ({first.fail_reason}): {said[:300]}"
    )


def _created(session: ConformanceSession, size_mib: int) -> Call:
    try:
        with session.subject(None) as subject:
            subject.excused = True
            return subject.volume(size_mib=size_mib).call("create")
    except Blocked as error:
        raise CannotRun(str(error)) from None


def _userspace_only(subject: Subject, size_mib: int) -> Observation | None:
    call = subject.created(size_mib=size_mib).call("attach")
    if call.failed:
        return None
    path, uris = read_attach_output(call.attach_output(), call.release)
    if path is None and any(uris):
        seen = "attach names URIs, no device"
        return Observation("capabilities", "userspace_only", value=True, seen=seen)
    return None


def _minimum(subject: Subject, size_mib: int) -> Observation | None:
    for smallest in _SMALLEST_SIZES_MIB:
        if smallest >= size_mib:
            break
        if subject.volume(size_mib=smallest).call("create").succeeded:
            seen = f"the smallest of {', '.join(map(str, _SMALLEST_SIZES_MIB[:5]))}, ... made"
            return Observation("sizes", "minimum", smallest, seen)
    return Observation("sizes", "minimum", size_mib, "nothing smaller is made")


def _granularity(subject: Subject, size_mib: int) -> Observation | None:
    measured = {}
    for odd in _ODD_MIB:
        volume = subject.volume(size_mib=size_mib + odd)
        if volume.call("create").succeeded:
            volume.attach()
            measured[volume.size_mib] = volume.device_mib()
    if not measured:
        return _accepted_multiple(subject, size_mib)
    for step in range(1, _LARGEST_GRANULARITY_MIB + 1):
        if all(got == -(-asked // step) * step for asked, got in measured.items()):
            seen = ", ".join(f"{asked} MiB give {got:g}" for asked, got in measured.items())
            return Observation("sizes", "granularity", step, seen)
    return None


def _accepted_multiple(subject: Subject, size_mib: int) -> Observation | None:
    """Return the smallest power of two whose odd multiples create does not refuse."""
    step = 2
    while step <= _LARGEST_GRANULARITY_MIB:
        asked = -(-size_mib // step) * step + step
        if subject.volume(size_mib=asked).call("create").succeeded:
            return Observation("sizes", "granularity", step, f"other multiples than of {step} fail")
        step *= 2
    return None


def _create_existing(subject: Subject, size_mib: int) -> Observation:
    call = subject.created(size_mib=size_mib).call("create")
    value = "succeeds" if call.succeeded else "fails"
    return Observation("capabilities", "create_existing", value, f"create again: {_outcome(call)}")


def _visible_after_detach(subject: Subject, size_mib: int) -> Observation | None:
    volume = _stamped(subject, size_mib)
    volume.given("detach")
    visible = not volume.is_gone()
    seen = f"{'the volume shows' if visible else 'nothing shows'} at attach's path after detach"
    return Observation("capabilities", "visible_after_detach", visible, seen)


def _remove_with_snapshots(subject: Subject, size_mib: int) -> Observation | None:
    subject.require("snapshot")
    origin = _stamped(subject, size_mib)
    snapshot = subject.volume(name=f"{origin.name}.snap", size_mib=origin.size_mib)
    origin.given("snapshot", snapshot_name=snapshot.name, snapshot_size_mib=origin.size_mib)
    origin.detach()
    # What was no copy before says nothing about remove.
    origin.path = snapshot.attach()
    origin.given_stamps()
    snapshot.given("detach")
    removed = origin.call("remove")
    if removed.failed:
        snapshot.call("remove")
        value, seen = "refuses", f"remove of the origin: {_outcome(removed)}"
    else:
        value, seen = _after_remove(origin, snapshot)
    return Observation("capabilities", "remove_with_snapshots", value, seen)


def _after_remove(origin: Volume, snapshot: Volume) -> tuple[str, str]:
    """Return what became of a snapshot; raises Blocked if its device shows something else."""
    attached = snapshot.call("attach")
    seen = f"attach of the snapshot after remove of its origin: {_outcome(attached)}"
    if attached.failed:
        return "cascades", seen
    try:
        origin.path = judge.block_device(attached)
    except Violation:
        return "cascades", f"{seen}, without a block device"
    origin.given_stamps()
    return "independent", f"{seen}, with the data"


def _close_stops_writes(subject: Subject, size_mib: int) -> Observation | None:
    subject.require("open", "close")
    volume = subject.attached(size_mib=size_mib)
    volume.given("open", exclusive=True)
    volume.make_ready()
    volume.given("close")
    refused = _refuses_writers(volume)
    seen = f"opening the device for writing after close {'fails' if refused else 'works'}"
    return Observation("capabilities", "close_stops_writes", refused, seen)


def _refuses_writers(volume: Volume) -> bool:
    try:
        volume.devices.probe(volume.path)
    except OSError:
        return True
    return False


def _zeroed(subject: Subject, size_mib: int) -> Observation | None:
    """Look for old data in a new volume; that none is seen once proves little, the rules look on.

    A volume of the same size, removed right before, is where it would come from.
    """
    old = _stamped(subject, size_mib)
    old.detach()
    old.given("remove")
    new = subject.attached(size_mib=size_mib)
    new.make_ready()
    found = new.devices.nonzero_blocks(new.path, new.offsets())
    if not found:
        return None
    seen = f"a new volume holds data at byte {found[0]}"
    return Observation("capabilities", "zeroed", value=False, seen=seen)


def _stamped(subject: Subject, size_mib: int) -> Volume:
    volume = subject.attached(size_mib=size_mib)
    volume.stamp()
    return volume


def _outcome(call: Call) -> str:
    return call.fail_reason or "exit code 0"


_LOOKS: tuple[Look, ...] = (
    _userspace_only,
    _minimum,
    _granularity,
    _create_existing,
    _visible_after_detach,
    _remove_with_snapshots,
    _close_stops_writes,
    _zeroed,
)
