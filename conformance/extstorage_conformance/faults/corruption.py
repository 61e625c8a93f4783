"""Damage to what a provider notes of a volume, and what its scripts may do then: nothing wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.life import through
from extstorage_conformance.violation import Blocked, NotApplicable, Violation

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_LARGEST = 1 << 20
"""Files from this size on, in bytes, are taken for data; notes are smaller."""
_OFFSETS = 8
DAMAGES = {
    "emptied": ': >"$FILE"',
    "cut in half": 'truncate --size="$(($(stat --format=%s -- "$FILE") / 2))" -- "$FILE"',
    "garbled": "tr '\\000-\\377' '\\001-\\377\\000' <\"$FILE\" >\"$ASIDE.new\" && "
    'cat -- "$ASIDE.new" >"$FILE"',
}
"""Shell commands that damage FILE."""
_KEEP = 'cp -- "$FILE" "$ASIDE"'
_IS_NOTE = '[ -f "$FILE" ] && [ ! -L "$FILE" ] && [ -s "$FILE" ] && stat --format=%s -- "$FILE"'
_PUT_BACK = '[ ! -e "$FILE" ] || cat -- "$ASIDE" >"$FILE"'


def survive_corruption(subject: Subject) -> None:
    """Damage each note of a volume in each way and judge attach and detach.

    Raises Violation, Blocked, and NotApplicable if the provider keeps no notes.
    """
    subject.suite.extent.expect_whole("attach", "detach")
    neighbour = _living(subject)
    notes = _notes(_living(subject))
    if not notes:
        raise NotApplicable("no file but its data carries a volume's name")
    for note in notes:
        for damage, command in DAMAGES.items():
            volume = _living(subject)
            _judge_damaged(
                volume, neighbour, note.replace("VOL_NAME", volume.name), damage, command
            )


def _living(subject: Subject) -> Volume:
    """Return a new volume with data and metadata, attached and open."""
    volume = subject.volume()
    through(volume, "create", "attach", "open", "setinfo")
    volume.stamp(offsets=volume.offsets(_OFFSETS))
    return volume


def _notes(volume: Volume) -> list[str]:
    """Return the files that carry the volume's name, its data left out; VOL_NAME for the name."""
    data = volume.devices.mapping_of(volume.path)
    named = [
        item.name
        for item in sorted(volume.subject.survey.take())
        if item.kind == "file" and volume.name in item.name and item.name not in ("", data)
    ]
    return [name.replace(volume.name, "VOL_NAME") for name in named if _is_note(volume, name)]


def _is_note(volume: Volume, path: str) -> bool:
    answer = volume.node.shell(_IS_NOTE, "/", {"FILE": path})
    return answer.exit_code == 0 and int(answer.stdout) < _LARGEST


def _judge_damaged(volume: Volume, neighbour: Volume, note: str, damage: str, command: str) -> None:
    aside = f"{volume.subject.suite.run_directory}/note-{volume.disk.uuid}"
    variables = {"FILE": note, "ASIDE": aside}
    _do(volume, f"{_KEEP} && {command}", variables)
    try:
        attached = volume.call("attach")
        if attached.succeeded:
            volume.path = judge.block_device(attached)
            volume.judge_stamps(attached, offsets=volume.offsets(_OFFSETS))
        _judge_untouched(neighbour, attached)
        detached = volume.call("detach")
        if detached.succeeded:
            judge.holds(volume.is_gone(), "no device after exit 0", "it is there", detached)
        _judge_untouched(neighbour, detached)
    except Violation as found:
        raise Violation(
            f"{found.expected}, though {note} was {damage}", found.got, found.call
        ) from None
    finally:
        _do(volume, _PUT_BACK, variables)
    judge.succeeds(volume.call("detach"), f"{note} is as it was")
    judge.succeeds(volume.call("remove"), f"{note} is as it was")


def _judge_untouched(neighbour: Volume, call: Call) -> None:
    neighbour.judge_stamps(call, offsets=neighbour.offsets(_OFFSETS))


def _do(volume: Volume, command: str, variables: dict[str, str]) -> None:
    done = volume.node.shell(command, "/", variables)
    if done.exit_code != 0:
        reason = done.stderr.decode(errors="backslashreplace").strip()
        raise Blocked(f"{variables['FILE']} cannot be damaged: {reason}")
