"""What was so before each recorded operation, and which operations are not claimed."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple

from extstorage.cluster import information
from extstorage.cluster.guest import RecordedGuests
from extstorage.cluster.model import Instance
from extstorage.cluster.session import Session
from extstorage.nodes.local import LocalNode
from tests.cluster import broken, replay
from tests.cluster.recordings import rows
from tests.cluster.replay import DOMAIN

if TYPE_CHECKING:
    from tests.cluster.recordings import Row
    from tests.cluster.replay import Stage

# What attach printed, as shell commands, where the recording holds only that there was nothing.
ODD: dict[str, str] = {
    "no output, exit 0": ":",
    "garbage": "echo garbage",
    "regular file": "echo /etc/passwd",
    "symlink to block device": 'ln -sfn "$DEVICE" "$REPLAY/link"; echo "$REPLAY/link"',
    "extra lines (URIs) after the device": 'echo "$DEVICE"; echo kvm:rbd:pool/x',
    "chatter BEFORE the device line": 'echo mapping; echo "$DEVICE"',
    "two trailing newlines": 'printf "%s\\n\\n" "$DEVICE"',
    "no trailing newline": 'printf %s "$DEVICE"',
    "CRLF": 'printf "%s\\r\\n" "$DEVICE"',
    "leading whitespace": 'echo "  $DEVICE"',
    "blank first line then device": 'printf "\\n%s\\n" "$DEVICE"',
    "blank first line then URI only (userspace-only)": 'printf "\\nkvm:rbd:pool/x\\n"',
    "10 MB on stderr": 'head -c 10485760 /dev/zero | tr "\\0" x >&2; echo "$DEVICE"',
    "10 MB extra output after device": 'echo "$DEVICE"; head -c 10485760 /dev/zero | tr "\\0" x',
    "non-UTF-8 on stderr": 'printf "\\377\\n" >&2; echo "$DEVICE"',
    "background child with fds redirected": 'sleep 1 >/dev/null 2>&1 & echo "$DEVICE"',
    "background child keeps stdout open 15s": 'sleep 1 & echo "$DEVICE"',
    "attach sleeps 12s": 'sleep 1; echo "$DEVICE"',
    "nonexistent path": "echo /dev/nonexistent0",
    "chatter on stderr": 'echo "Mapping volume..." >&2; echo "$DEVICE"',
    "trailing whitespace": 'printf "%s \\n" "$DEVICE"',
    "non-UTF-8 on stdout after device": 'echo "$DEVICE"; printf "\\377\\376\\n"',
    "newline only": "echo",
    "prints nothing": ":",
    "prints nonexistent path": "echo /nonexistent/device",
    "prints regular file path": "echo /etc/passwd",
    "prints char device": "echo /dev/null",
    "newline-only": "echo",
}


class Scene(NamedTuple):
    """The cluster before an operation.

    ``runs`` says on which nodes the instance runs (None: where it should), ``disks`` how many it
    has, if the calls do not show all of them.
    """

    up: bool
    disks_active: bool
    runs: tuple[str, ...] | None = None
    disks: int = 0
    offline: tuple[str, ...] = ()
    size_mib: int = 96
    template: str = "ext"
    node: str | None = None
    name: str | None = None
    busy: tuple[str, ...] = ()
    provider: str = "trace"
    exported: str | None = None
    wipes: bool = False


_ODD_OPERATIONS = ("attach at startup: ", "create ok, attach ", "attach prints ", "shutdown with ")


def odd(row: Row) -> str | None:
    """Return what attach printed, if it was odd."""
    operation = row["operation"]
    if not operation.startswith(_ODD_OPERATIONS):
        return None
    return next((shell for words, shell in ODD.items() if words in operation), None)


FAILURES = {
    332: "seq 1000; exit 1",
    334: "printf 'bad \\377\\n' >&2; exit 1",
    335: "printf 'Gr\\303\\266\\303\\237e \\342\\230\\203\\n' >&2; exit 1",
}
"""What create did where its message cannot be taken from the output."""


_DOWN = {"startup", "rename", "reinstall", "recreate-disks", "activate-disks", "start"}


def scene(number: int, row: Row) -> Scene:
    """Return what was so before a recorded operation."""
    command = row["command"].split()[1]
    operation = row["operation"]
    if number in SCENES:
        return SCENES[number]
    if command == "deactivate-disks":
        return Scene(up=False, disks_active="already" not in operation)
    down = command in _DOWN or "stopped" in operation or "after shutdown" in operation
    if "(running)" in operation:
        down = False
    return Scene(up=not down, disks_active=not down)


SCENES = {
    7: Scene(up=True, disks_active=True, size_mib=64),
    35: Scene(up=True, disks_active=True, busy=("node1",)),
    10: Scene(up=False, disks_active=False),
    55: Scene(up=True, disks_active=True, disks=2),
    58: Scene(up=True, disks_active=True, disks=2),
    65: Scene(up=False, disks_active=False, disks=3),
    69: Scene(up=False, disks_active=False),
    56: Scene(up=True, disks_active=True, disks=2),
    62: Scene(up=False, disks_active=False, node="node2"),
    67: Scene(up=False, disks_active=False, disks=2),
    122: Scene(up=False, disks_active=False),
    123: Scene(up=True, disks_active=True, template="file"),
    124: Scene(up=True, disks_active=True, template="file"),
    125: Scene(up=False, disks_active=False, template="file"),
    126: Scene(up=False, disks_active=False, template="file", size_mib=32),
    127: Scene(up=False, disks_active=False),
    128: Scene(up=False, disks_active=False),
    129: Scene(up=False, disks_active=False),
    130: Scene(up=False, disks_active=False, template="file", size_mib=32),
    131: Scene(up=False, disks_active=False, template="file", size_mib=32),
    114: Scene(up=True, disks_active=True, exported="node2"),
    115: Scene(up=True, disks_active=True, exported="node2"),
    117: Scene(up=True, disks_active=True, exported="node2"),
    137: Scene(up=False, disks_active=False),
    178: Scene(up=False, disks_active=False),
    193: Scene(up=True, disks_active=True),
    345: Scene(up=True, disks_active=True, runs=()),
    346: Scene(up=True, disks_active=True, runs=()),
    349: Scene(up=True, disks_active=True, runs=("node2", "node1")),
    351: Scene(up=True, disks_active=True, runs=("node1",)),
    372: Scene(up=False, disks_active=False, busy=("node1",)),
    381: Scene(up=True, disks_active=True, provider="only1"),
    383: Scene(up=True, disks_active=True, provider="only1"),
    361: Scene(up=True, disks_active=True, offline=("node2",), runs=()),
    41: Scene(up=False, disks_active=False, name="inst1.example.test"),
    77: Scene(up=True, disks_active=True, busy=("node1",), name="inst1.example.test"),
    78: Scene(up=True, disks_active=True, name="inst1.example.test"),
    79: Scene(up=True, disks_active=True, busy=("node1",), name="inst1.example.test"),
    121: Scene(up=True, disks_active=True, name="inst3.example.test"),
    139: Scene(up=False, disks_active=False, name="inst3.example.test"),
    140: Scene(up=False, disks_active=False, name="inst3.example.test"),
    176: Scene(up=True, disks_active=True, name="inst9.example.test"),
    186: Scene(up=True, disks_active=True, name="inst9.example.test"),
    355: Scene(up=False, disks_active=False, wipes=True),
    356: Scene(up=True, disks_active=True, wipes=True),
    360: Scene(up=True, disks_active=True, offline=("node2",), runs=()),
    362: Scene(up=True, disks_active=True, name="inst9.example.test"),
    363: Scene(up=True, disks_active=True, offline=("node2",), name="inst9.example.test"),
    364: Scene(
        up=True, disks_active=True, runs=("node1", "node2"), disks=2, name="inst9.example.test"
    ),
}
"""What the words of the recording do not tell."""

_NO_FORTHCOMING = "the runtime knows no forthcoming instances"
UNCLAIMED: dict[int, str] = {
    105: "Ganeti's configuration daemon corrupts text beyond ASCII; the runtime does not",
    348: "Ganeti's hypervisor fake failed on a file that the recorder had damaged",
    369: "a second directory of the search path is compared in tests/ganeti/test_discovery.py",
    373: _NO_FORTHCOMING,
    374: _NO_FORTHCOMING,
}
"""Operations that are not claimed although their program is, with the reason."""


def why_not(number: int, row: Row) -> str | None:
    """Return why an operation is not claimed, or None."""
    program, *words = row["command"].split()
    if number in UNCLAIMED:
        return UNCLAIMED[number]
    if program not in replay.PROGRAMS:
        return f"{program} is not among the runtime's commands"
    if words[0] not in replay.PROGRAMS[program] and row["rc"] == 0:
        return f"{program} {words[0]} is not among the runtime's commands"
    return None


ENVIRONMENTS = {
    379: {
        "SECRET_TOKEN": "1",
        "VOL_SIZE": "999",
        "VOL_SNAPSHOT_NAME": "leak",
        "EXTP_POOL": "leaked",
    }
}
"""What the node daemons were started with."""


def prepare(stage: Stage, number: int, row: Row, given: Scene | None = None) -> set[str]:
    """Bring about what was so before an operation; return the UUIDs that it knows."""
    for provider in _providers(number, row):
        broken.install(stage, provider)
    written = ("copying data", "Wiping disk")
    stage.real_devices = stage.real_devices or (
        any(words in row["output"] for words in written) or "gnt-backup" in row["command"]
    )
    stage.answer(row, _answers(stage, number, row))
    now = given or scene(number, row)
    cluster = stage.state.cluster()
    cluster.prealloc_wipe_disks = now.wipes
    for short in now.offline:
        cluster.node(f"{short}.{DOMAIN}").offline = True
    stage.state.save_cluster(cluster)
    for short in now.busy:
        disk = replay.some_disk(9)
        stage.given(Instance("busy", disk.uuid, f"{short}.{DOMAIN}", disks=[disk]))
    if now.exported:
        stage.export(f"{now.exported}.{DOMAIN}", f"inst3.{DOMAIN}")
    known = {*replay.NODE_UUIDS, replay.GROUP_UUID}
    before = now.node or row["pnode_before"]
    if before is None:
        return known
    instance = _instance(stage, row, now, f"{before}.{DOMAIN}")
    stage.given(instance)
    places = now.runs if now.runs is not None else ((before,) if now.up else ())
    for short in places:
        guests = RecordedGuests(stage.state.directory / "guests")
        guests.start(f"{short}.{DOMAIN}", instance.name, [])
    for disk in instance.disks:
        known |= {disk.uuid, disk.location.rpartition("/")[2].split(".")[0]}
    return known | {instance.uuid}


def _providers(number: int, row: Row) -> list[str]:
    used = {call["script"].split("/")[0] for call in row["calls"]}
    named = set(
        re.findall(
            r"provider=(v sp|[^,\s]+)|gnt-storage info (.+)|^Provider: (.+)$",
            f"{row['command']}\n{row['output']}",
            re.MULTILINE,
        )
    )
    known = {name for group in named for name in group if name}
    if number in (281, 284, 286):
        known |= {"pblank1", "pblank", "pws"} & {_tested(number)}
    if number in (314, 317):
        known.add(_tested(number))
    return sorted(
        (used | known | {"trace", "trace2", "min", scene(number, row).provider})
        - {"nosuch", "../trace", ""}
    )


def _tested(number: int) -> str:
    following = rows()[number + 1]["command"].split()
    return str(following[-1])


def _answers(stage: Stage, number: int, row: Row) -> dict[int, str]:
    if number in FAILURES:
        return {0: FAILURES[number]}
    shell = odd(row)
    device = f"DEVICE={stage.device('/dev/loop1')}\n"
    attaches = [k for k, call in enumerate(row["calls"]) if call["script"].endswith("/attach")]
    return {} if shell is None else dict.fromkeys(attaches, device + shell)


def _instance(stage: Stage, row: Row, now: Scene, node: str) -> Instance:
    instance = Instance(
        name=now.name or instance_names(row)[0],
        uuid="00000000-0000-4000-8000-00000000000a",
        primary_node=node,
        os="noop+default",
        backend={"memory": "64"},
        admin_state="up" if now.up else "down",
        disks_active=now.disks_active,
        disk_template=now.template,
    )
    disks = replay.recorded_disks(row)
    if now.template == "file":
        disks = []
    missing = max(now.disks, 1) - len(disks)
    said = re.search(r"size=(\d+)m", row["output"])
    size = int(said[1]) if said else now.size_mib
    instance.disks = [replay.some_disk(k, size) for k in range(missing)] + disks
    for disk in instance.disks:
        disk.template = now.template
        if now.template == "file":
            disk.name = "f0"
            disk.location = str(stage.directory / disk.location)
            (stage.directory / disk.location).write_bytes(b"\1" * (disk.size_mib << 20))
        if now.provider != "trace":
            disk.parameters["provider"] = now.provider
    if row["command"].startswith("gnt-instance info") and row["rc"] == 0:
        _as_shown(instance, row["output"])
    return instance


def _as_shown(instance: Instance, output: str) -> None:
    """Complete an instance by what ``gnt-instance info`` told of it."""

    def all_of(pattern: str) -> list[str]:
        return re.findall(pattern, output, re.MULTILINE)

    def moment(words: str) -> float:
        (text,) = all_of(rf"{words} time: (.*)")
        return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S"))

    instance.uuid = all_of(r"^  UUID: (.*)")[0]
    instance.admin_state = all_of(r"configured to be (up|down)")[0]
    instance.serial = int(all_of(r"Serial number: (\d+)")[0]) - 1
    instance.created = moment("Creation")
    called = {disk.location: disk for disk in instance.disks}
    instance.disks = [
        called.get(volume) or replay.some_disk() for volume in all_of(r"logical_id: .*, '(.*)'\]")
    ]
    rows_of = zip(
        instance.disks, all_of(r"- disk/\d+: ext, size (\d+)M"), all_of(r"access mode: (.*)"),
        all_of(r"logical_id: \['(.*?)'"), all_of(r"logical_id: .*, '(.*)'\]"),
        all_of(r"^      UUID: (.*)"), strict=True,
    )  # fmt: skip
    for disk, size, disk.mode, provider, disk.location, disk.uuid in rows_of:
        disk.size_mib, disk.parameters["provider"] = int(size), provider
    blocks = output.split("- disk/")[1:]
    for disk, block in zip(instance.disks, blocks, strict=True):
        named = re.search(r"name: (.*)", block)
        if named and named[1] != "None":
            disk.name = named[1]


def instance_names(row: Row) -> list[str]:
    """Return the instances that a command names."""
    return [word for word in row["command"].split() if re.fullmatch(rf"inst\d+\.{DOMAIN}", word)]


def place(stage: Stage, number: int, row: Row) -> str | None:
    """Return the short name of the node where the instance is on record, or None."""
    names = sorted(instance_names(row)) or [scene(number, row).name or ""]
    if stage.state.has_instance(names[0]):
        return stage.state.instance(names[0]).primary_node.split(".")[0]
    return None


def instances(stage: Stage) -> str:
    """Return what the recorder noted of the instances: name, states and node of each."""
    nodes = [LocalNode(name) for name in replay.NODES]
    with Session(stage.state, nodes, print).reading() as job:
        fields = ("name", "admin_state", "status", "pnode")
        rows_of = [row for row in information.table(job, (), fields)[1:] if row[0] != "busy"]
    return "\n".join(" ".join(row) for row in rows_of)


def words(output: str, stage: Stage) -> str:
    """Return output with Ganeti's paths for this stage's, and without what cannot be the same."""
    for node in replay.NODES:
        output = output.replace(f"{stage.directory}/{node}{replay.SEARCH_PATH}", replay.SEARCH_PATH)
    output = output.replace(f"{stage.directory}/dev/", "/dev/")
    output = re.sub(r"Modification time: .*", "Modification time: T", output)
    output = re.sub(r"ETA: .*", "ETA: T", output)
    # The recorder's kernel has no /proc/sysrq-trigger, which Ganeti takes for a fault of the node.
    output = re.sub(r".*node setup error: The procfs.*\n", "", output)
    # Tries of one second share a log file, of which the last lines are quoted.
    output = re.sub(r"(\\n[^\\\n]+?)\1+$", r"\1", output, flags=re.MULTILINE)
    return re.sub(r"(Supported parameters:\n)((?: {6}.*\n)+)", _sorted_lines, output)


def _sorted_lines(match: re.Match[str]) -> str:
    # Ganeti prints a set: the order is chance.
    return match[1] + "".join(sorted(match[2].splitlines(keepends=True)))


_CHANCE = "Ganeti names one of several missing files, by chance"
_CRASH = "Ganeti's own command ends with a traceback"
_USAGE = "the texts of --help and of wrong usage are not Ganeti's"
_KERNEL = "but status 0: the recorder's kernel made Ganeti find a fault in each node"
STATUS = dict.fromkeys((140, 176), 0)
"""What a command ends with here, where the recorder's kernel made it end with something else."""

OTHER_WORDS = {
    26: "Ganeti's own command ends with an internal assertion",
    46: _USAGE,
    120: "the transfer's own messages name jobs and processes that the runtime has not",
    121: _USAGE,
    **dict.fromkeys(STATUS, _KERNEL),
    **dict.fromkeys((281, 282, 284, 285, 286, 287, 290, 314, 315), _CRASH),
    **dict.fromkeys((257, 259), _CHANCE),
    333: "the recording keeps only the end of a long output",
    343: "the calls that would be made are shown, which Ganeti does not do",
    344: "the calls that would be made are shown, which Ganeti does not do",
}
"""Operations whose calls and status are compared, but not their output, with the reason."""
