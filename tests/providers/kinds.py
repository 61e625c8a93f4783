"""Good providers of other kinds than the plain one: for each, what of a copy of it is different.

A capability that a vendor declares leads the suite on other ways; each needs a provider that is
right to have it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CAPABILITIES = "[capabilities]\n"


@dataclass(frozen=True)
class Kind:
    """A kind of provider.

    Attributes:
        why: Which storage is like that.
        declares: What the table ``capabilities`` of conformance.toml says besides.
        sizes: What its table ``sizes`` says.
        edits: A text that stands in a script once, and what stands there instead.
        lacks: Scripts that there are not.
        nodes: Where it is judged, if it cannot be judged anywhere.
        blocks: Rules that a SHOULD which it does not follow keeps from judging.
    """

    why: str
    declares: str = ""
    sizes: str = ""
    edits: dict[str, tuple[str, str]] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    nodes: str = ""
    blocks: tuple[str, ...] = ()

    def make(self, provider: Path) -> None:
        """Make of a copy of the plain provider one of this kind."""
        for name, (old, new) in self.edits.items():
            _replace(provider / name, old, new)
        for name in self.lacks:
            (provider / name).unlink()
        configuration = provider / "conformance.toml"
        capabilities = _CAPABILITIES + self.declares
        if "close" in self.lacks:
            capabilities += "close_stops_writes = false\n"
            _replace(configuration, "close_stops_writes = true\n", "")
        _replace(configuration, _CAPABILITIES, f"[sizes]\n{self.sizes}\n{capabilities}")
        tomllib.loads(configuration.read_text(encoding="utf-8"))


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} must stand once in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")


_EXTENT = """
# Space is given in extents of 4 MiB.
extend() {
    whole=$((($2 + 3) / 4 * 4))
    case $layout in
    sparse) truncate --size=">${whole}M" -- "$1" ;;
    full) fallocate --length "${whole}MiB" -- "$1" ;;
    esac
}

# Make an empty directory"""

_CREATE_AGAIN = """\
if [ -e "$image" ] && [ "$(stat --format=%s -- "$image")" -eq $((VOL_SIZE * 1048576)) ]; then
    exit 0
fi
[ ! -e "$image" ] ||"""

_REMOVE_BOTH = """\
find_volume
if [ -e "$volume.snap/image" ]; then
    VOL_NAME=$VOL_NAME.snap "$0" || fail "cannot remove the snapshot"
fi
"""

_MAP = """
export DM_DISABLE_UDEV=1 # dmsetup makes and deletes the nodes itself

# map TARGET: what this node's device of the volume leads to, linear (to the loop device) or error.
map() {
    mapper=extstorage-$VOL_NAME
    table="0 $(blockdev --getsz "$device") $1"
    [ "$1" = error ] || table="$table $device 0"
    if [ -b "/dev/mapper/$mapper" ]; then
        dmsetup reload "$mapper" --table "$table" &&
            dmsetup resume "$mapper"
    else
        dmsetup create "$mapper" --table "$table"
    fi || fail "cannot map $VOL_NAME"
}

target() { dmsetup table "extstorage-$VOL_NAME" | cut -d' ' -f3; }

unmap() {
    mapper=extstorage-$VOL_NAME
    [ ! -b "/dev/mapper/$mapper" ] || dmsetup remove "$mapper" ||
        fail "$mapper is in use: $VOL_NAME stays attached"
}

# Make an empty directory"""

_MAP_AND_PRINT = """\
if [ -b "/dev/mapper/extstorage-$VOL_NAME" ]; then map "$(target)"; else map error; fi
printf '/dev/mapper/extstorage-%s' "$VOL_NAME"
"""

_EXTENTS = "granularity = 4\nminimum = 4\n"
_NOT_TWICE = ('-ge "$old" ] ||', '-gt "$old" ] ||')  # of grow: to the size that is there
_THERE = 'lock_volume || fail "there is no volume $VOL_NAME"\n'
_MAPPED = _THERE + '[ -n "$(attached_device)" ] || fail "$VOL_NAME is not attached"\n'

KINDS = {
    "plain": Kind("Files that all nodes share."),
    "stays-visible": Kind(
        "A zvol: the node has its device from create to remove.",
        declares="visible_after_detach = true\n",
        edits={"detach": ("lock_volume || :\ndetach_everything\n", "lock_volume || :\n")},
        nodes="local",  # only the node that made a volume has it
    ),
    "create-again": Kind(
        "An array whose create asks for a volume of that name and size to be there.",
        declares='create_existing = "succeeds"\n',
        edits={"create": ('[ ! -e "$image" ] ||', _CREATE_AGAIN)},
    ),
    "snapshot-holds-origin": Kind(
        "A snapshot shares blocks with its origin, which cannot go before it.",
        declares='remove_with_snapshots = "refuses"\n',
        edits={
            "remove": (
                "find_volume\n",
                'find_volume\n[ ! -e "$volume.snap/image" ] || fail "$VOL_NAME has a snapshot"\n',
            )
        },
    ),
    "snapshot-goes-with-origin": Kind(
        "A snapshot is a part of its origin.",
        declares='remove_with_snapshots = "cascades"\n',
        edits={"remove": ("find_volume\n", _REMOVE_BOTH)},
    ),
    "no-metadata": Kind(
        "An array without a place for comments.",
        declares="metadata = false\n",
        edits={"setinfo": ("lock_volume ||", "exit 0\nlock_volume ||")},
    ),
    "extents": Kind(
        "LVM, most arrays: sizes are multiples of an extent.",
        sizes=_EXTENTS,
        edits={
            "common.sh": ("\n# Make an empty directory", _EXTENT),
            "grow": ('-ge "$old" ] ||', "-gt $((old - 4194304)) ] ||"),
        },
    ),
    "works-on-its-device": Kind(
        "A driver that grows, labels and copies what is mapped: Ganeti attaches before it asks.",
        edits=dict.fromkeys(("grow", "setinfo", "snapshot"), (_THERE, _MAPPED)),
    ),
    "refuses-what-is-done": Kind(
        "An array that says so when there is nothing to detach or remove, and nothing to grow.",
        edits={
            "detach": ("lock_volume || :\n", _THERE),
            "remove": ("|| exit 0\n", '|| fail "there is no volume $VOL_NAME"\n'),
            "grow": _NOT_TWICE,
        },
        blocks=("ES-GROW-07",),
    ),
    "extents-and-no-growth-twice": Kind(
        "LVM's own words: a size that rounding gave already matches the existing one.",
        sizes=_EXTENTS,
        edits={
            "common.sh": ("\n# Make an empty directory", _EXTENT),
            "grow": _NOT_TWICE,
        },
        blocks=("ES-GROW-07",),
    ),
    "snapshot-keeps-its-origins-size": Kind(
        "An array on which a volume that has a snapshot cannot grow.",
        edits={
            "grow": (
                _THERE,
                _THERE + '[ ! -e "$volume.snap/image" ] || fail "$VOL_NAME has a snapshot"\n',
            )
        },
    ),
    "takes-io-once-open": Kind(
        "A replicated device that is a secondary until open, and after close: not even read.",
        edits={
            "common.sh": ("\n# Make an empty directory", _MAP),
            "attach": ("printf '%s' \"$device\"\n", _MAP_AND_PRINT),
            "open": ("# A record", "map linear\n# A record"),
            "close": ("rm -f --", '[ -z "$device" ] || map error\nrm -f --'),
            "grow": (
                '|| fail "$device keeps its old size"\n',
                '|| fail "$device keeps its old size"\n[ -z "$device" ] || map "$(target)"\n',
            ),
            "detach": ("detach_everything\n", "unmap\ndetach_everything\n"),
            "remove": ("detach_everything\n", "unmap\ndetach_everything\n"),
        },
        nodes="guests:1",
    ),
    "seven-scripts": Kind("The least that Ganeti takes.", lacks=("snapshot", "open", "close")),
    "userspace": Kind(
        "A hypervisor that speaks to the storage itself.",
        declares="userspace_only = true\n",
        edits={
            "attach": (
                "device=$(attached_device)\n",
                "printf '\\nkvm:rbd:pool/%s' \"$VOL_NAME\"\nexit 0\ndevice=$(attached_device)\n",
            )
        },
        lacks=("open", "close"),
    ),
}
