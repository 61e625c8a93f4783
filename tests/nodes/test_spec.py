"""What the user can write for nodes, and what is said about anything else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from extstorage.nodes.guests import GuestNodes
from extstorage.nodes.namespaces import NamespaceNodes
from extstorage.nodes.spec import SYNTAX, Guests, Local, Namespaces, SpecError, Ssh, parse
from extstorage.nodes.ssh import SshNodes

if TYPE_CHECKING:
    from pathlib import Path

    from extstorage.nodes.spec import Spec


@pytest.mark.parametrize(
    ("text", "expected", "count"),
    [
        ("local", Local(), 1),
        ("namespaces:3", Namespaces(3), 3),
        ("namespaces:64", Namespaces(64), 64),
        ("guests:1", Guests(1), 1),
        ("guests:2,disk=1G", Guests(2, (1 << 30,)), 2),
        ("guests:2,disk=1T,memory=1G,disk=512M", Guests(2, (1 << 40, 1 << 29), 1024), 2),
        ("guests:2,nfs", Guests(2, file_server=True), 2),
        ("ssh:a", Ssh(("a",)), 1),
        ("ssh:root@a.example.com,b", Ssh(("root@a.example.com", "b")), 2),
        ("ssh:ssh://root@a:2222,[::1]", Ssh(("ssh://root@a:2222", "[::1]")), 2),
    ],
)
def test_what_can_be_said(text: str, expected: Spec, count: int) -> None:
    assert parse(text) == expected
    assert parse(text).count == count


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", f"expected {SYNTAX}, found ''"),
        ("namespace:3", f"expected {SYNTAX}, found 'namespace:3'"),
        ("namespaces", f"expected {SYNTAX}, found 'namespaces'"),
        ("local:2", f"expected {SYNTAX}, found 'local:2'"),
        ("namespaces:0", "expected namespaces:N with N from 1 to 64, found 'namespaces:0'"),
        ("namespaces:65", "expected namespaces:N with N from 1 to 64, found 'namespaces:65'"),
        ("namespaces:", "expected namespaces:N with N from 1 to 64, found 'namespaces:'"),
        ("namespaces:-1", "expected namespaces:N with N from 1 to 64, found 'namespaces:-1'"),
        ("namespaces:٣", "expected namespaces:N with N from 1 to 64, found 'namespaces:٣'"),
        ("guests", f"expected {SYNTAX}, found 'guests'"),
        ("guests:0", "expected guests:N with N from 1 to 16, found 'guests:0'"),
        ("guests:17", "expected guests:N with N from 1 to 16, found 'guests:17'"),
        ("guests:2,", "expected disk=SIZE, memory=SIZE or nfs after guests:N, found '' in"),
        ("guests:2,1G", "after guests:N, found '1G' in 'guests:2,1G'"),
        ("guests:2,disk", "expected a size such as 512M or 2G, found '' in 'guests:2,disk'"),
        ("guests:2,disk=1", "expected a size such as 512M or 2G, found '1' in"),
        ("guests:2,disk=0G", "expected a size such as 512M or 2G, found '0G' in"),
        ("guests:2,disk=1G ", "expected a size such as 512M or 2G, found '1G ' in"),
        ("guests:2,memory=64M", "expected at least memory=128M, found '64M' in"),
        ("guests:1" + ",disk=1G" * 16, "expected at most 15 disks, found 16"),
        ("ssh:", "expected ssh:HOST,HOST without blanks, found 'ssh:'"),
        ("ssh:a,", "expected ssh:HOST,HOST without blanks, found 'ssh:a,'"),
        ("ssh:a, b", "expected ssh:HOST,HOST without blanks, found 'ssh:a, b'"),
        ("ssh:-oProxyCommand=x", "without blanks, found 'ssh:-oProxyCommand=x'"),
        ("ssh:a\n", r"without blanks, found 'ssh:a\\n'"),
        ("ssh:a,b,a", "expected each host once, found 'a' twice in 'ssh:a,b,a'"),
    ],
)
def test_what_cannot_be_said(text: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert expected.replace(r"\\n", r"\n") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_local_is_this_machine(tmp_path: Path) -> None:
    with parse("local").nodes(str(tmp_path)) as (node,):
        assert node.facts().host_name == os.uname().nodename


def test_the_others_are_what_they_say(tmp_path: Path) -> None:
    assert isinstance(parse("namespaces:2").nodes(str(tmp_path)), NamespaceNodes)
    assert isinstance(parse("guests:2").nodes(str(tmp_path)), GuestNodes)
    assert isinstance(parse("ssh:a").nodes(str(tmp_path)), SshNodes)
