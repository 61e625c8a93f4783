"""Two nodes on a group that lvmlockd locks: linear volumes on both, a thin pool on one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.reference_providers import test_lvm_nodes as several
from tests.reference_providers.lvm import (
    AREA,
    DEAD_AFTER_S,
    GROUP,
    MIB,
    LvmNode,
    locked_guests,
    new_volume,
)
from tests.reference_providers.test_lvm_mutants import Mutant, broken_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def booted(shared: Path) -> Iterator[list[LvmNode]]:
    """Two guests with a group that lvmlockd locks."""
    with locked_guests(2, shared) as nodes:
        yield nodes


@pytest.fixture
def pair(booted: list[LvmNode]) -> Iterator[list[LvmNode]]:
    """Two nodes that share a group without volumes, which is so again after the test."""
    for node in booted:
        node.parameters = {"EXTP_GROUP": GROUP}
    yield booted
    select = f"lv_name!={AREA}"
    for node in booted:
        node.shell(f"lvchange -q -an --select '{select}' {GROUP} || true")
    booted[0].shell(f"lvremove -q --yes --force --select '{select}' {GROUP} || true")


@pytest.fixture
def pool(pair: list[LvmNode]) -> list[LvmNode]:
    """The same, with a thin pool that the volumes of both nodes are in."""
    pair[0].shell(f"lvcreate --quiet --type thin-pool -L 64m -n pool {GROUP}")
    pair[0].shell(f"lvchange -an {GROUP}/pool")
    for node in pair:
        node.parameters["EXTP_THIN_POOL"] = "pool"
        node.do("verify", "")
    return pair


@pytest.mark.whole
@pytest.mark.parametrize(
    "scenario",
    [
        several.test_creates_on_two_nodes_at_once_lose_nothing,
        several.test_live_migration_in_ganetis_order,
        several.test_grow_is_seen_by_the_other_nodes_next_attach,
        several.test_remove_is_refused_while_another_node_has_it,
    ],
)
def test_linear_volumes_are_as_under_the_lease(
    pair: list[LvmNode], scenario: Callable[[list[LvmNode]], None]
) -> None:
    scenario(pair)


@pytest.mark.whole
def test_a_linear_volume_is_copied_where_it_alone_is_attached(pair: list[LvmNode]) -> None:
    here, there = pair
    volume = new_volume()
    snapshot = {"VOL_SNAPSHOT_NAME": "copy", "VOL_SNAPSHOT_SIZE": "8"}
    here.do("create", volume, VOL_SIZE="8")
    here.write(here.do("attach", volume), "before")
    there.do("attach", volume)
    assert "Failed to lock" in here.refuse("snapshot", volume, **snapshot)
    assert here.volumes() == [volume]
    there.do("detach", volume)
    here.do("snapshot", volume, **snapshot)
    there.do("attach", volume)
    assert there.read(there.do("attach", "copy")) == "before"


def pool_devices(node: LvmNode) -> list[str]:
    """Return the devices of the pool that the node has."""
    return [name for name in node.mappings() if "pool" in name]


CHANGES = {
    "create": {"VOL_SIZE": "8"},
    "attach": {},
    "grow": {"VOL_SIZE": "100", "VOL_NEW_SIZE": "120"},
    "remove": {},
    "snapshot": {"VOL_SNAPSHOT_NAME": "frozen", "VOL_SNAPSHOT_SIZE": "100"},
}


@pytest.mark.parametrize(
    "method",
    [
        "create",
        *(pytest.param(each, marks=pytest.mark.whole) for each in CHANGES if each != "create"),
    ],
)
def test_a_pool_in_use_never_becomes_active_on_another_node(
    pool: list[LvmNode], method: str
) -> None:
    here, there = pool
    used, other = new_volume(1), new_volume(2)
    for volume in (used, other):
        here.do("create", volume, VOL_SIZE="100")
    device = here.do("attach", used)
    there.refuse(method, new_volume(3) if method == "create" else other, **CHANGES[method])
    assert pool_devices(there) == []
    here.write(device, "kept", mib=50)
    here.do("detach", used)
    assert there.read(there.do("attach", used), mib=50) == "kept"


@pytest.mark.whole
def test_a_pool_goes_from_node_to_node(pool: list[LvmNode]) -> None:
    here, there = pool
    volume = new_volume()
    here.do("create", volume, VOL_SIZE="100")
    device = there.do("attach", volume)  # what made it has given the pool back
    there.write(device, "before", mib=50)
    snapshot = {"VOL_SNAPSHOT_NAME": "frozen", "VOL_SNAPSHOT_SIZE": "100"}
    there.do("snapshot", volume, **snapshot)
    there.write(device, "after", mib=50)
    there.do("grow", volume, VOL_SIZE="100", VOL_NEW_SIZE="120")
    assert there.size(device) == 120 * MIB
    there.do("detach", volume)
    assert pool_devices(there) == []
    assert here.read(here.do("attach", "frozen"), mib=50) == "before"
    assert here.read(here.do("attach", volume), mib=50) == "after"
    for name in ("frozen", volume):
        here.do("detach", name)
    there.do("remove", "frozen")
    here.do("remove", volume)
    assert [pool_devices(node) for node in pool] == [[], []]


@pytest.mark.whole
def test_a_dead_nodes_pool_is_given_on(pool: list[LvmNode]) -> None:
    survivor, dead = pool
    volume = new_volume()
    dead.do("create", volume, VOL_SIZE="100")
    device = dead.do("attach", volume)
    dead.write(device, "synced", mib=50)
    dead.shell(f"sync {device}")  # until then the pool need not know of the block
    dead.power_cut()
    try:
        give_up = time.monotonic() + 2 * DEAD_AFTER_S
        while (answer := survivor.call("attach", volume)).exit_code != 0:
            assert time.monotonic() < give_up, answer
            time.sleep(2)
        assert survivor.read(answer.stdout, mib=50) == "synced"
    finally:
        dead.guest.start()
        dead.start_lvmlockd()
        dead.start_locks()
    dead.refuse("attach", volume)
    assert pool_devices(dead) == []


# The last one spoils the pool and may spoil the group.
MUTANTS = [
    Mutant(
        "the-pool-is-kept",
        "pools.py",
        "self._volumes.deactivate(self._pool)",
        "pass",
        test_a_pool_goes_from_node_to_node,
    ),
    Mutant(
        "the-pool-is-left-to-lvcreate",
        "pools.py",
        'protection.is_lvmlockd and pool != ""',
        "False",
        lambda nodes: test_a_pool_in_use_never_becomes_active_on_another_node(nodes, "create"),
    ),
]


@pytest.mark.whole
@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_a_broken_provider_is_seen(pool: list[LvmNode], shared: Path, mutant: Mutant) -> None:
    with broken_by(mutant, pool, shared) as broken, pytest.raises((AssertionError, ValueError)):
        mutant.scenario(broken)
