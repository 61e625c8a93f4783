"""Several nodes: migration, failover, and what each node knows of the others."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.reference_providers.nodes import (
    MIB,
    VOLUME,
    Node,
    files,
    is_read_only,
    mapped,
    read,
    size,
    write,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path


def created(node: Node, mib: int = 8) -> str:
    """Create and attach; return the device."""
    node.do("create", VOL_SIZE=str(mib))
    return node.do("attach")


def open_(node: Node, *, exclusive: bool) -> None:
    """Open the volume, which must succeed."""
    node.do("open", VOL_OPEN_EXCLUSIVE=str(exclusive))


def test_each_node_has_a_mapping_of_its_own(node: Node, other: Node, base: Path) -> None:
    first, second = created(node), other.do("attach")
    assert first != second
    other.do("detach")
    assert list(mapped(base)) == [first]
    assert node.do("attach") == first


def test_live_migration_in_ganetis_order(node: Node, other: Node) -> None:
    source = created(node)
    open_(node, exclusive=True)
    write(source, 0, b"before" + bytes(506))
    target = other.do("attach")
    other.do("close")
    node.do("attach")
    open_(node, exclusive=False)
    other.do("attach")
    open_(other, exclusive=False)
    for device in (source, target):
        assert not is_read_only(device)
    node.do("attach")
    node.do("close")
    other.do("attach")
    open_(other, exclusive=True)
    node.do("attach")
    node.do("detach")
    assert read(target, 0)[:6] == b"before"
    assert not is_read_only(target)
    for _ in range(3):
        open_(other, exclusive=True)


def test_a_migration_that_is_called_off(node: Node, other: Node) -> None:
    created(node)
    open_(node, exclusive=True)
    other.do("attach")
    other.do("close")
    open_(node, exclusive=False)
    open_(other, exclusive=False)
    other.do("close")
    other.do("detach")
    open_(node, exclusive=True)


def test_planned_failover(node: Node, other: Node) -> None:
    source = created(node)
    open_(node, exclusive=True)
    write(source, 0, b"data" * 128)
    node.do("close")
    node.do("detach")
    target = other.do("attach")
    open_(other, exclusive=True)
    assert read(target, 0) == b"data" * 128


def test_failover_from_a_dead_node(node: Node, other: Node) -> None:
    created(node)
    open_(node, exclusive=True)
    node.crash()
    other.do("attach")
    open_(other, exclusive=True)


def test_a_node_that_comes_back_holds_nothing(node: Node, other: Node) -> None:
    created(node)
    open_(node, exclusive=True)
    node.crash()
    other.do("attach")
    open_(other, exclusive=True)
    node.do("attach")
    line = node.refuse("open", VOL_OPEN_EXCLUSIVE="True")
    assert "node node2.example has it open exclusive" in line
    open_(other, exclusive=True)
    node.do("detach")


@pytest.mark.parametrize(
    ("held", "wanted", "exit_code"),
    [("True", "True", 1), ("True", "False", 1), ("False", "True", 1), ("False", "False", 0)],
)
def test_who_may_open_beside_whom(
    node: Node, other: Node, held: str, wanted: str, exit_code: int
) -> None:
    created(node)
    node.do("open", VOL_OPEN_EXCLUSIVE=held)
    other.do("attach")
    assert other.call("open", VOL_OPEN_EXCLUSIVE=wanted).exit_code == exit_code


def test_migrate_cleanups_open_on_the_wrong_node_changes_nothing(node: Node, other: Node) -> None:
    device = created(node)
    running = other.do("attach")
    open_(other, exclusive=True)
    node.do("attach")
    node.do("close")
    line = node.refuse("open", VOL_OPEN_EXCLUSIVE="True")
    assert "node node2.example has it open exclusive: nothing was changed" in line
    assert is_read_only(device)
    assert not is_read_only(running)
    open_(other, exclusive=True)


@pytest.mark.parametrize("content", ["", "exclu", "\x00\x00", "\xff"])
def test_a_damaged_record_of_a_living_node_counts_as_exclusive(
    node: Node, other: Node, base: Path, content: str
) -> None:
    created(node)
    open_(node, exclusive=False)
    (base / f"pool/loopback/{VOLUME}/nodes/{node.name}").write_text(content, encoding="latin-1")
    other.do("attach")
    assert "exclusive" in other.refuse("open", VOL_OPEN_EXCLUSIVE="False")


def test_remove_is_refused_while_another_node_is_attached(
    node: Node, other: Node, base: Path
) -> None:
    created(node)
    node.do("detach")
    other.do("attach")
    assert "attached on node node2.example" in node.refuse("remove")
    (base / f"pool/loopback/{VOLUME}/nodes/{other.name}").unlink()
    assert "attached on a node unknown by name" in node.refuse("remove")
    other.do("detach")
    node.do("remove")


def test_remove_does_not_wait_for_a_dead_node(node: Node, other: Node) -> None:
    created(node)
    node.crash()
    other.do("remove")


def test_grow_is_seen_by_the_other_nodes_next_attach(node: Node, other: Node) -> None:
    created(node)
    device = other.do("attach")
    node.do("grow", VOL_SIZE="8", VOL_NEW_SIZE="16")
    assert other.do("attach") == device
    assert size(device) == 16 * MIB


def test_a_volume_is_made_used_and_removed_on_three_nodes(base: Path) -> None:
    first, second, third = (Node(f"n{number}", base) for number in range(3))
    first.do("create", VOL_SIZE="4")
    second.do("attach")
    second.do("detach")
    third.do("remove")
    assert files(base / "pool/loopback") == [".staging"]


def test_migrating_back_and_forth_leaves_nothing(node: Node, other: Node, base: Path) -> None:
    created(node)
    open_(node, exclusive=True)
    source, target = node, other
    for _ in range(6):
        target.do("attach")
        target.do("close")
        open_(source, exclusive=False)
        open_(target, exclusive=False)
        source.do("close")
        open_(target, exclusive=True)
        source.do("detach")
        source, target = target, source
    assert len(mapped(base)) == 1
    assert len(files(base / f"pool/loopback/{VOLUME}/nodes")) == 1


def test_after_a_reboot_the_data_is_there(node: Node, base: Path) -> None:
    device = created(node)
    write(device, MIB, b"kept" * 128)
    subprocess.run(["sync", "--file-system", device], check=True)
    descriptor = os.open(device, os.O_RDWR)
    os.fsync(descriptor)
    os.close(descriptor)
    node.crash()
    subprocess.run(["rm", "-r", node.run_directory / "ganeti-extstorage"], check=True)
    assert mapped(base) == {}
    assert read(node.do("attach"), MIB) == b"kept" * 128
