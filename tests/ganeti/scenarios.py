"""What is typed at both clusters: lists of commands, each list from nothing to nothing.

``FAULTS ...`` sets which calls of the traced providers fail from then on, ``METHOD NODE`` each,
separated by commas; ``!METHOD NODE`` fails after it has done its work. SHARED is the directory
that all nodes see.
"""

from __future__ import annotations

DISK = "size=8M,provider=traced,directory=SHARED"
ADD = "gnt-instance add -t ext -o noop+default -B memory=64 --no-nics -n node1"
_ONE = "inst1.example.com"
_TWO = "inst2.example.com"
_DEAD = "inst3.example.com"
_ALIVE = "inst4.example.com"


def _remove(name: str = _ONE) -> str:
    return f"gnt-instance remove -f {name}"


SCENARIOS: dict[str, list[str]] = {
    "providers": [
        "gnt-storage diagnose",
        "gnt-storage info",
        "gnt-storage info bare nosuch",
    ],
    "migration": [
        f"{ADD} --disk=0:{DISK} --disk=1:{DISK},name=data {_ONE}",
        f"gnt-instance migrate -f -n node2 {_ONE}",
        f"gnt-instance migrate -f --non-live -n node3 {_ONE}",
        f"gnt-instance migrate -f --cleanup -n node1 {_ONE}",
        f"gnt-instance failover -f -n node1 {_ONE}",
        f"gnt-instance shutdown {_ONE}",
        f"gnt-instance migrate -f -n node2 {_ONE}",
        f"gnt-instance migrate -f --allow-failover -n node2 {_ONE}",
        _remove(),
    ],
    "failed migration": [
        f"{ADD} --disk=0:{DISK} {_ONE}",
        "FAULTS open node2",
        f"gnt-instance migrate -f -n node2 {_ONE}",
        "FAULTS",
        f"gnt-instance migrate -f --cleanup -n node2 {_ONE}",
        "FAULTS close node1",
        f"gnt-instance migrate -f -n node2 {_ONE}",
        "FAULTS",
        # The volume is attached on node1 until the instance comes back.
        f"gnt-instance migrate -f -n node1 {_ONE}",
        _remove(),
    ],
    "growth": [
        f"{ADD} --disk=0:{DISK} {_ONE}",
        f"gnt-instance grow-disk {_ONE} 0 4M",
        "FAULTS grow node1",
        f"gnt-instance grow-disk {_ONE} 0 4M",
        "FAULTS",
        f"gnt-instance grow-disk --absolute {_ONE} 0 1G",
        _remove(),
    ],
    "disks": [
        f"{ADD} --disk=0:{DISK} {_ONE}",
        f"gnt-instance modify --disk 1:add,{DISK},name=extra {_ONE}",
        f"gnt-instance shutdown {_ONE}",
        f"gnt-instance modify --disk 0:add,{DISK} {_ONE}",
        f"gnt-instance modify --disk extra:remove {_ONE}",
        f"gnt-instance startup {_ONE}",
        _remove(),
    ],
    "export": [
        f"{ADD} --disk=0:{DISK} {_ONE}",
        f"gnt-backup export -n node2 {_ONE}",
        f"gnt-backup export -n node2 --noshutdown {_ONE}",
        _remove(),
        f"gnt-backup import -t ext -n node3 --no-nics --src-node=node2 --disk=0:{DISK} {_ONE}",
        _remove(),
    ],
}
"""The representative ones, in every run."""

MORE: dict[str, list[str]] = {
    # Instances of their own: the guest on the node that was taken for dead is never stopped.
    "primary offline": [
        f"{ADD} --disk=0:{DISK} {_DEAD}",
        f"gnt-instance migrate -f -n node2 {_DEAD}",
        # What a power cut would do to the node's mappings.
        f"gnt-instance deactivate-disks --force {_DEAD}",
        "gnt-node modify --offline=yes node2",
        f"gnt-instance failover -f -n node3 {_DEAD}",
        "gnt-node modify --offline=no node2",
        "gnt-node modify -f --offline=no node2",
        _remove(_DEAD),
    ],
    "primary offline but alive": [
        f"{ADD} --disk=0:{DISK} {_ALIVE}",
        f"gnt-instance migrate -f -n node2 {_ALIVE}",
        "gnt-node modify --offline=yes node2",
        # The volume is open on node2, which the provider knows.
        f"gnt-instance failover -f -n node3 {_ALIVE}",
        "gnt-node modify -f --offline=no node2",
        f"gnt-instance migrate -f --cleanup -n node2 {_ALIVE}",
        f"gnt-instance failover -f -n node3 {_ALIVE}",
        _remove(_ALIVE),
    ],
    "power": [
        f"{ADD} --disk=0:{DISK} --disk=1:{DISK.replace('traced', 'other')} {_ONE}",
        f"gnt-instance reboot {_ONE}",
        f"gnt-instance reboot -t soft {_ONE}",
        f"gnt-instance reboot -t full {_ONE}",
        f"gnt-instance shutdown {_ONE}",
        f"gnt-instance activate-disks {_ONE}",
        f"gnt-instance deactivate-disks {_ONE}",
        "FAULTS attach node1",
        f"gnt-instance startup {_ONE}",
        "FAULTS",
        f"gnt-instance startup {_ONE}",
        "FAULTS detach node1",
        f"gnt-instance shutdown {_ONE}",
        "FAULTS",
        f"gnt-instance info -s {_ONE}",
        _remove(),
    ],
    "bare provider": [
        f"{ADD} --disk=0:{DISK.replace('traced', 'bare')} {_ONE}",
        f"gnt-instance migrate -f -n node2 {_ONE}",
        f"gnt-instance failover -f -n node1 {_ONE}",
        _remove(),
    ],
    "names": [
        f"{ADD} --disk=0:{DISK} --disk=1:{DISK} {_ONE}",
        f"gnt-instance shutdown {_ONE}",
        f"gnt-instance rename --force {_ONE} {_TWO}",
        f"gnt-instance reinstall -f {_TWO}",
        f"gnt-instance modify --disk 0:modify,name=root {_TWO}",
        f"gnt-instance recreate-disks {_TWO}",
        _remove(_TWO),
    ],
    "conversion": [
        f"{ADD} --disk=0:{DISK} {_ONE}",
        f"gnt-instance shutdown {_ONE}",
        f"gnt-instance modify -t ext -e provider=other,directory=SHARED {_ONE}",
        f"gnt-instance modify -t file {_ONE}",
        f"gnt-instance modify -t ext -e provider=traced,directory=SHARED {_ONE}",
        _remove(),
    ],
    "failed additions": [
        "FAULTS create node1",
        f"{ADD} --disk=0:{DISK} {_ONE}",
        "FAULTS !create node1",
        f"{ADD} --disk=0:{DISK} {_ONE}",
        "FAULTS attach node1",
        f"{ADD} --disk=0:{DISK} {_ONE}",
        "FAULTS setinfo node1",
        f"{ADD} --disk=0:{DISK} {_ONE}",
        "FAULTS",
    ],
    "failed failover": [
        f"{ADD} --disk=0:{DISK} {_ONE}",
        "FAULTS close node1",
        f"gnt-instance failover -f -n node2 {_ONE}",
        "FAULTS attach node2",
        f"gnt-instance failover -f -n node2 {_ONE}",
        "FAULTS",
        f"gnt-instance startup {_ONE}",
        _remove(),
    ],
    "refusals": [
        f"{ADD} --disk=0:size=8M {_ONE}",
        f"{ADD} --disk=0:size=8M,provider=nosuch {_ONE}",
        f"{ADD} --disk=0:size=x,provider=traced {_ONE}",
        f"{ADD} --disk=0:size=1.2.3,provider=traced {_ONE}",
        f"{ADD} --disk=0:size=1X,provider=traced {_ONE}",
        f"{ADD} --disk=0:provider=traced {_ONE}",
        f"{ADD} --disk=0:size=8M,size=8M,provider=traced {_ONE}",
        f"{ADD} --disk=zero:size=8M,provider=traced {_ONE}",
        f"{ADD} {_ONE}",
        f"gnt-instance remove -f {_ONE}",
        f"gnt-instance startup {_ONE}",
        f"gnt-instance reinstall -f {_ONE}",
        f"gnt-instance list {_ONE}",
        f"gnt-instance info {_ONE}",
        f"gnt-instance grow-disk {_ONE} 0 1G",
        f"{ADD} --disk=0:{DISK} {_ONE}",
        f"{ADD} --disk=0:{DISK} {_TWO}",
        f"gnt-instance startup {_ONE} nosuch",
        f"gnt-instance startup --force-multiple {_TWO} {_ONE}",
        _remove(_TWO),
        _remove(),
    ],
    "replace and move": [
        f"{ADD} --disk=0:{DISK} {_ONE}",
        f"gnt-instance replace-disks -a {_ONE}",
        f"gnt-instance replace-disks -n node2 {_ONE}",
        f"gnt-instance move -f -n node2 {_ONE}",
        "gnt-cluster verify-disks",
        # To which node hail would send it depends on the machine's memory.
        "gnt-node migrate -f -n node3 node1",
        _remove(),
    ],
}
"""The others."""
