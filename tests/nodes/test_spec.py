"""What the user can write for nodes, and what is said about anything else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from extstorage.nodes.namespaces import NamespaceNodes
from extstorage.nodes.spec import Local, Namespaces, SpecError, Ssh, parse
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
        ("", "expected local, namespaces:N or ssh:HOST,HOST, found ''"),
        ("namespace:3", "expected local, namespaces:N or ssh:HOST,HOST, found 'namespace:3'"),
        ("namespaces", "expected local, namespaces:N or ssh:HOST,HOST, found 'namespaces'"),
        ("local:2", "expected local, namespaces:N or ssh:HOST,HOST, found 'local:2'"),
        ("namespaces:0", "expected namespaces:N with N from 1 to 64, found 'namespaces:0'"),
        ("namespaces:65", "expected namespaces:N with N from 1 to 64, found 'namespaces:65'"),
        ("namespaces:", "expected namespaces:N with N from 1 to 64, found 'namespaces:'"),
        ("namespaces:-1", "expected namespaces:N with N from 1 to 64, found 'namespaces:-1'"),
        ("namespaces:٣", "expected namespaces:N with N from 1 to 64, found 'namespaces:٣'"),
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
    assert isinstance(parse("ssh:a").nodes(str(tmp_path)), SshNodes)
