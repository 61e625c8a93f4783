"""The ten methods on one node."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from extstorage.contract.methods import METHOD_NAMES
from tests.reference_providers.nodes import (
    LOOPBACK,
    MIB,
    VOLUME,
    Node,
    files,
    finish,
    is_read_only,
    mapped,
    read,
    size,
    write,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reference_providers.file_systems import FileSystems

OTHER = VOLUME + "0"  # disk1 and disk10
SNAPSHOT = f"{VOLUME}.snap"

BEGIN_DURING_A_SWEEP = """
import sys
from extstorage.provider.locks import Lock
from loopback import volumes

delete, staged = volumes._delete, sys.argv[1]


def delete_while_its_maker_goes_on(directory, lock):
    try:
        Lock(f"{staged}/lock", create=True, wait_s=0)
    except FileNotFoundError:
        print("too late")
    delete(directory, lock)


volumes._delete = delete_while_its_maker_goes_on
volumes._delete_if_abandoned(staged)
"""


def created(node: Node, volume: str = VOLUME, mib: int = 8) -> str:
    """Create and attach; return the device."""
    node.do("create", volume, VOL_SIZE=str(mib))
    return node.do("attach", volume)


# create


@pytest.mark.parametrize("mib", [1, 3, 64, 1023])
def test_a_new_volume_has_its_size_and_reads_as_zeros(node: Node, mib: int) -> None:
    device = created(node, mib=mib)
    assert size(device) == mib * MIB
    assert not any(read(device, (mib - 1) * MIB, MIB))


@pytest.mark.parametrize("again", ["8", "16"])
def test_create_never_touches_an_existing_volume(node: Node, again: str) -> None:
    device = created(node)
    write(device, 0, b"kept" * 128)
    assert "the volume exists" in node.refuse("create", VOL_SIZE=again)
    assert read(device, 0) == b"kept" * 128
    assert size(device) == 8 * MIB


def test_preallocated_volumes_have_their_blocks(node: Node, base: Path) -> None:
    node.parameters["EXTP_PREALLOCATE"] = "yes"
    node.do("create", VOL_SIZE="8")
    assert (base / f"pool/loopback/{VOLUME}/data").stat().st_blocks * 512 >= 8 * MIB
    node.do("grow", VOL_SIZE="8", VOL_NEW_SIZE="16")
    assert (base / f"pool/loopback/{VOLUME}/data").stat().st_blocks * 512 >= 16 * MIB


def test_a_create_without_space_leaves_nothing(node: Node, make_file_system: FileSystems) -> None:
    pool = make_file_system("ext4", "32M")
    node.parameters = {"EXTP_DIRECTORY": str(pool), "EXTP_PREALLOCATE": "yes"}
    before = os.statvfs(pool).f_bfree
    node.do("create", "small", VOL_SIZE="1")
    node.do("remove", "small")
    assert "cannot give the volume 100 MiB: No space" in node.refuse("create", VOL_SIZE="100")
    assert files(pool / "loopback") == [".staging"]
    assert os.statvfs(pool).f_bfree >= before - 16


def test_a_size_beyond_the_file_system_leaves_nothing(node: Node, base: Path) -> None:
    node.refuse("create", VOL_SIZE=str(2**42 - 1))
    assert files(base / "pool/loopback") == [".staging"]


def test_everything_is_roots_alone(node: Node, base: Path) -> None:
    created(node)
    node.do("setinfo", VOL_METADATA="originstname+a")
    for path in [base / "pool/loopback", *(base / "pool/loopback").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


# attach


def test_attach_prints_the_device_alone(node: Node) -> None:
    node.do("create", VOL_SIZE="8")
    answer = node.call("attach")
    assert answer.stdout.startswith("/dev/loop")
    assert not answer.stdout.endswith("\n")
    assert answer.stderr == ""


def test_attach_again_is_the_same_device(node: Node, base: Path) -> None:
    device = created(node)
    assert {node.do("attach") for _ in range(5)} == {device}
    assert len(mapped(base)) == 1


def test_attach_uses_direct_io_where_it_can(node: Node) -> None:
    device = created(node)
    done = subprocess.run(
        ["losetup", "--list", "--noheadings", "--output", "DIO", device],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == "1"


def test_attach_works_where_direct_io_may_not_be(node: Node, make_file_system: FileSystems) -> None:
    node.parameters["EXTP_DIRECTORY"] = str(make_file_system.tmpfs())
    device = created(node)
    write(device, 0, b"x" * 512)
    assert read(device, 0) == b"x" * 512


def test_neighbours_by_name_are_not_mixed_up(node: Node) -> None:
    first, second = created(node, VOLUME), created(node, OTHER)
    write(first, 0, b"1" * 512)
    write(second, 0, b"2" * 512)
    node.do("detach", VOLUME)
    assert node.do("attach", OTHER) == second
    assert read(second, 0) == b"2" * 512
    node.do("remove", VOLUME)
    assert read(second, 0) == b"2" * 512


def test_parallel_attaches_make_one_mapping(node: Node, base: Path) -> None:
    node.do("create", VOL_SIZE="8")
    answers = [finish(each) for each in [node.start("attach") for _ in range(8)]]
    assert {answer.exit_code for answer in answers} == {0}
    assert len({answer.stdout for answer in answers}) == 1
    assert len(mapped(base)) == 1


def test_parallel_attaches_of_different_volumes_get_different_devices(node: Node) -> None:
    names = [f"vol{number}" for number in range(8)]
    for each in [node.start("create", name, VOL_SIZE="4") for name in names]:
        assert finish(each).exit_code == 0
    answers = [finish(each) for each in [node.start("attach", name) for name in names]]
    assert len({answer.stdout for answer in answers if answer.exit_code == 0}) == 8


def test_attach_survives_an_emptied_run(node: Node, base: Path) -> None:
    device = created(node)
    for path in (node.run_directory / "ganeti-extstorage/loopback/attached").iterdir():
        path.unlink()
    assert node.do("attach") == device
    assert len(mapped(base)) == 1


def test_a_volume_that_was_made_anew_behind_our_back_gets_a_fresh_mapping(
    node: Node, base: Path
) -> None:
    device = created(node)
    write(device, 0, b"old" * 128)
    subprocess.run(["rm", "-r", base / f"pool/loopback/{VOLUME}"], check=True)
    assert "no such volume" in node.refuse("attach")
    node.do("create", VOL_SIZE="16")
    device = node.do("attach")
    assert size(device) == 16 * MIB
    assert not any(read(device, 0, 4096))
    assert len(mapped(base)) == 1


def test_a_link_to_a_foreign_device_is_not_believed(node: Node, base: Path) -> None:
    device, foreign = created(node), created(node, OTHER)
    link = node.run_directory / f"ganeti-extstorage/loopback/attached/{VOLUME}"
    link.unlink()
    link.symlink_to(foreign)
    assert node.do("attach") == device
    assert len(mapped(base)) == 2


def test_a_leftover_read_only_flag_does_not_reach_the_volume(node: Node) -> None:
    device = created(node)
    node.do("detach")
    subprocess.run(["blockdev", "--setro", device], check=True)
    try:
        device_again = node.do("attach")
        assert not is_read_only(device_again)
    finally:
        subprocess.run(["blockdev", "--setrw", device], check=True)


def test_a_changed_directory_is_refused_but_can_be_detached(node: Node, base: Path) -> None:
    device = created(node)
    (base / "elsewhere").mkdir(mode=0o700)
    node.parameters["EXTP_DIRECTORY"] = str(base / "elsewhere")
    line = node.refuse("attach")
    assert str(base / "pool") in line
    assert str(base / "elsewhere") in line
    assert device in line
    node.do("detach")
    assert mapped(base) == {}


def test_kvm_gets_a_uri_if_it_is_asked_for(node: Node, base: Path) -> None:
    device = created(node)
    node.parameters["EXTP_KVM_URI"] = "yes"
    lines = f"{device}\nkvm:{base}/pool/loopback/{VOLUME}/data\n"
    assert node.do("attach", EXTP_ACCESS="userspace") == lines
    assert node.do("attach", EXTP_ACCESS="kernelspace") == device


# detach


def test_detach_leaves_the_data_and_no_mapping(node: Node, base: Path) -> None:
    device = created(node)
    write(device, MIB, b"kept" * 128)
    node.do("detach")
    assert mapped(base) == {}
    assert (base / f"pool/loopback/{VOLUME}/data").read_bytes()[MIB : MIB + 512] == b"kept" * 128
    assert read(node.do("attach"), MIB) == b"kept" * 128


def test_detach_of_what_is_not_attached_succeeds(node: Node) -> None:
    node.do("detach", "unknown")
    node.do("create", VOL_SIZE="8")
    node.do("detach")
    created(node, OTHER)
    node.do("detach", OTHER)
    node.do("detach", OTHER)


def test_detach_finds_a_mapping_that_run_has_forgotten(node: Node, base: Path) -> None:
    created(node)
    subprocess.run(["rm", "-r", node.run_directory / "ganeti-extstorage"], check=True)
    node.do("detach")
    assert mapped(base) == {}


def test_detach_of_a_device_in_use_fails_and_keeps_it(node: Node, base: Path) -> None:
    device = created(node)
    holder = os.open(device, os.O_RDWR)
    try:
        line = node.refuse("detach")
        assert f"{device} is in use (process {os.getpid()} " in line
        assert list(mapped(base)) == [device]
        assert os.pwrite(holder, b"x" * 512, 0) == 512
    finally:
        os.close(holder)
    assert list(mapped(base)) == [device]  # nothing was left for the last close to do
    node.do("detach")
    assert mapped(base) == {}


def test_detach_waits_for_a_short_use(node: Node, base: Path) -> None:
    device = created(node)
    holder = os.open(device, os.O_RDONLY)
    process = node.start("detach")
    time.sleep(0.7)
    os.close(holder)
    assert finish(process).exit_code == 0
    assert mapped(base) == {}


def test_detach_after_close_leaves_a_writable_device(node: Node) -> None:
    device = created(node)
    node.do("close")
    assert is_read_only(device)
    node.do("detach")
    assert not is_read_only(device)


# remove


def test_remove_leaves_nothing_and_the_name_is_free(node: Node, base: Path) -> None:
    created(node)
    node.do("detach")
    node.do("remove")
    assert files(base / "pool/loopback") == [".staging"]
    assert files(node.run_directory / "ganeti-extstorage/loopback/attached") == []
    assert "no such volume" in node.refuse("attach")
    created(node, mib=4)


def test_remove_of_an_unknown_volume_succeeds(node: Node) -> None:
    node.do("remove", "unknown")


def test_remove_that_cannot_see_whether_there_is_a_volume_fails(node: Node, base: Path) -> None:
    path = base / f"pool/loopback/{VOLUME}"
    path.parent.mkdir()
    path.symlink_to(path)  # as an unreachable server does, looking at it fails

    assert "Too many levels of symbolic links" in node.refuse("remove")
    node.refuse("create", VOL_SIZE="1")
    node.do("detach")


def test_remove_of_an_attached_volume_is_refused(node: Node) -> None:
    device = created(node)
    assert "attached on node node1.example" in node.refuse("remove")
    assert node.do("attach") == device


@pytest.mark.parametrize("method", ["create", "remove"])
def test_what_a_crash_left_is_swept(node: Node, base: Path, method: str) -> None:
    left = base / "pool/loopback/.staging/some.0123456789abcdef"
    (left / "nodes").mkdir(parents=True)
    (left / "data").write_bytes(b"x")
    node.do(method, "another", VOL_SIZE="1")
    assert not left.exists()


def test_a_sweep_leaves_no_lock_to_a_create_that_begins(base: Path) -> None:
    staged = base / "pool/loopback/.staging/some.0123456789abcdef"
    staged.mkdir(parents=True)

    lib = LOOPBACK / "lib"
    swept = subprocess.run(
        ["python3", "-c", BEGIN_DURING_A_SWEEP, staged],
        env={"PYTHONPATH": str(lib), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )

    assert swept.stdout == "too late\n"
    assert files(staged.parent) == []


# grow


def test_grow_while_in_use_keeps_device_and_data(node: Node) -> None:
    device = created(node)
    write(device, 8 * MIB - 512, b"edge" * 128)
    holder = os.open(device, os.O_RDWR)
    try:
        node.do("grow", VOL_SIZE="8", VOL_NEW_SIZE="24")
        assert os.pwrite(holder, b"x" * 512, 24 * MIB - 512) == 512
    finally:
        os.close(holder)
    assert node.do("attach") == device
    assert size(device) == 24 * MIB
    assert read(device, 8 * MIB - 512) == b"edge" * 128
    assert not any(read(device, 8 * MIB, MIB))


def test_grow_converges_and_goes_by_the_real_size(node: Node) -> None:
    device = created(node)
    for recorded in ("8", "8", "16", "1"):
        node.do("grow", VOL_SIZE=recorded, VOL_NEW_SIZE="16")
        assert size(device) == 16 * MIB


def test_grow_never_shrinks(node: Node) -> None:
    device = created(node)
    assert "never shrinks" in node.refuse("grow", VOL_SIZE="8", VOL_NEW_SIZE="4")
    assert size(device) == 8 * MIB


def test_a_grow_without_space_changes_nothing(node: Node, make_file_system: FileSystems) -> None:
    pool = make_file_system("ext4", "32M")
    node.parameters = {"EXTP_DIRECTORY": str(pool), "EXTP_PREALLOCATE": "yes"}
    device = created(node, mib=4)
    write(device, 0, b"kept" * 128)
    node.refuse("grow", VOL_SIZE="4", VOL_NEW_SIZE="100")
    node.do("attach")
    assert size(device) == 4 * MIB
    assert (pool / f"loopback/{VOLUME}/data").stat().st_size == 4 * MIB
    assert read(device, 0) == b"kept" * 128
    node.do("grow", VOL_SIZE="4", VOL_NEW_SIZE="8")


# setinfo


def test_setinfo_replaces(node: Node, base: Path) -> None:
    node.do("create", VOL_SIZE="1")
    node.do("setinfo", VOL_METADATA="originstname+a")
    node.do("setinfo", VOL_METADATA="b")
    assert (base / f"pool/loopback/{VOLUME}/info").read_text() == "b\n"


# snapshot


def test_a_snapshot_is_a_volume_of_its_own_and_frozen(node: Node) -> None:
    device = created(node)
    write(device, 0, b"then" * 128)
    node.do("snapshot", VOL_SNAPSHOT_NAME=SNAPSHOT, VOL_SNAPSHOT_SIZE="8")
    write(device, 0, b"now!" * 128)
    frozen = node.do("attach", SNAPSHOT)
    assert frozen != device
    assert size(frozen) == 8 * MIB
    assert read(frozen, 0) == b"then" * 128
    assert read(device, 0) == b"now!" * 128
    node.do("detach", SNAPSHOT)
    node.do("remove", SNAPSHOT)
    assert node.do("attach") == device


def test_a_snapshot_is_as_large_as_the_larger_of_both_sizes(node: Node) -> None:
    created(node)
    node.do("snapshot", VOL_SNAPSHOT_NAME="more", VOL_SNAPSHOT_SIZE="12")
    node.do("snapshot", VOL_SNAPSHOT_NAME="less", VOL_SNAPSHOT_SIZE="4")
    assert size(node.do("attach", "more")) == 12 * MIB
    assert size(node.do("attach", "less")) == 8 * MIB


def test_a_snapshots_name_is_taken_once(node: Node) -> None:
    created(node)
    node.do("snapshot", VOL_SNAPSHOT_NAME=SNAPSHOT, VOL_SNAPSHOT_SIZE="8")
    line = node.refuse("snapshot", VOL_SNAPSHOT_NAME=SNAPSHOT, VOL_SNAPSHOT_SIZE="8")
    assert "the volume exists" in line


def test_a_snapshot_of_nothing_is_refused(node: Node, base: Path) -> None:
    node.refuse("snapshot", "unknown", VOL_SNAPSHOT_NAME=SNAPSHOT, VOL_SNAPSHOT_SIZE="8")
    assert "no such volume" in node.refuse("attach", SNAPSHOT)
    assert not [name for name in files(base / "pool") if "snap" in name]


# open and close


def test_open_and_close_repeat_in_any_order(node: Node) -> None:
    device = created(node)
    node.do("close")
    node.do("close")
    for exclusive in ("True", "True", "True", "False", "True"):
        node.do("open", VOL_OPEN_EXCLUSIVE=exclusive)
        assert not is_read_only(device)
    node.do("close")
    assert is_read_only(device)
    assert node.do("attach") == device
    assert is_read_only(device)
    node.do("detach")


def test_close_brings_data_to_the_file(node: Node, base: Path) -> None:
    device = created(node)
    node.do("open", VOL_OPEN_EXCLUSIVE="True")
    write(device, 0, b"data" * 128)
    node.do("close")
    assert (base / f"pool/loopback/{VOLUME}/data").read_bytes()[:512] == b"data" * 128


def test_open_needs_an_attached_volume(node: Node) -> None:
    node.do("create", VOL_SIZE="1")
    assert "attach it first" in node.refuse("open", VOL_OPEN_EXCLUSIVE="True")


# all of them


def test_parameters_list_is_what_the_provider_declares() -> None:
    text = "from loopback.provider import Loopback; print(Loopback.parameters_list(), end='')"
    done = subprocess.run(
        ["python3", "-B", "-c", text], env={**os.environ, "PYTHONPATH": str(LOOPBACK / "lib")},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert (LOOPBACK / "parameters.list").read_text() == done.stdout


@pytest.mark.parametrize("method", ["attach", "grow", "setinfo", "open", "close", "snapshot"])
def test_an_unknown_volume_is_refused(node: Node, base: Path, method: str) -> None:
    variables = {
        "VOL_SIZE": "1", "VOL_NEW_SIZE": "2", "VOL_METADATA": "a", "VOL_OPEN_EXCLUSIVE": "True",
        "VOL_SNAPSHOT_NAME": "s", "VOL_SNAPSHOT_SIZE": "1",
    }  # fmt: skip
    assert "no such volume" in node.refuse(method, "unknown", **variables)
    assert files(base / "pool") == []


def test_a_lock_that_is_lost_is_told_and_not_made_anew(node: Node, base: Path) -> None:
    created(node)
    node.do("detach")
    lock = base / f"pool/loopback/{VOLUME}/lock"
    lock.unlink()
    assert f"touch {lock}" in node.refuse("attach")
    assert not lock.exists()
    lock.touch(mode=0o600)
    node.do("attach")


@pytest.mark.parametrize("method", [name for name in METHOD_NAMES if name != "detach"])
@pytest.mark.parametrize(
    ("directory", "told"),
    [("relative", "absolute path"), ("", "expected a value"), ("/no/such", "No such file")],
)
def test_a_wrong_directory_is_refused_by_all_methods_but_detach(
    node: Node, method: str, directory: str, told: str
) -> None:
    node.parameters["EXTP_DIRECTORY"] = directory
    variables = {
        "VOL_SIZE": "1", "VOL_NEW_SIZE": "2", "VOL_METADATA": "a", "VOL_OPEN_EXCLUSIVE": "True",
        "VOL_SNAPSHOT_NAME": "s", "VOL_SNAPSHOT_SIZE": "1",
    }  # fmt: skip
    line = node.refuse(method, **variables)
    assert "directory" in line
    assert told in line


def test_a_directory_that_everybody_can_write_to_is_refused(node: Node, base: Path) -> None:
    (base / "pool").chmod(0o1777)
    assert "chmod o-w" in node.refuse("create", VOL_SIZE="1")
    assert files(base / "pool") == []


def test_verify_leaves_no_trace(node: Node, base: Path) -> None:
    node.do("verify")
    for check in ("directory", "locks", "loop"):
        assert node.call("verify", VOLUME, check).exit_code == 0
    assert "no check 'bogus'" in node.call("verify", VOLUME, "bogus").stderr
    assert files(base / "pool") == []


def test_two_copies_under_two_names_do_not_see_each_other(node: Node, base: Path) -> None:
    twin = base / "twin"
    subprocess.run(["cp", "-a", LOOPBACK, twin], check=True)
    second = Node(node.name, base, provider=twin)
    first_device, second_device = created(node), created(second, mib=4)
    assert first_device != second_device
    second.do("detach")
    second.do("remove")
    assert node.do("attach") == first_device


def test_nothing_is_written_into_the_providers_directory(node: Node) -> None:
    before = files(LOOPBACK)
    created(node)
    node.do("detach")
    assert [name for name in files(LOOPBACK) if name not in before] == []
