"""Hosts over SSH: how a connection comes to be and ends; test_node.py has what it carries."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from extstorage.nodes.namespaces import NamespaceNodes
from extstorage.nodes.node import Command, NodeUnreachable
from extstorage.nodes.ssh import SshNodes
from tests.nodes.conftest import need_root, need_sshd
from tests.nodes.sshd import Hosts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from extstorage.nodes.namespaces import NamespaceNode


def processes(node: NamespaceNode) -> set[str]:
    """Return the command lines on the node, but for the node's own and this question's."""
    listing = node.run(Command(("/bin/ps", "-eo", "args="), {}, "/")).stdout.decode()
    return {line for line in listing.splitlines() if "namespace_supervisor" not in line} - {
        "/bin/ps -eo args="
    }


def wait_for_end(node: NamespaceNode, word: str) -> bool:
    give_up = time.monotonic() + 5
    while any(word in line for line in processes(node)):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    return True


def refusal(host: str, options: Sequence[str]) -> str:
    with pytest.raises(NodeUnreachable) as caught, SshNodes([host], options):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_two_hosts_at_once(hosts: Hosts) -> None:
    with SshNodes(["host1", "host2"], hosts.options) as nodes:
        assert [node.facts().host_name for node in nodes] == [
            "node1.example.com",
            "node2.example.com",
        ]
        assert [node.name for node in nodes] == ["host1", "host2"]


def test_nothing_is_left_on_the_host(hosts: Hosts, machines: Sequence[NamespaceNode]) -> None:
    before = processes(machines[1])
    with SshNodes(["host2"], hosts.options) as (node,):
        node.run(Command(("/bin/true",), {}, "/"))
        assert processes(machines[1]) != before
    give_up = time.monotonic() + 5
    while processes(machines[1]) != before:
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_what_a_login_shell_says_is_passed_over(hosts: Hosts) -> None:
    with SshNodes(["chatty"], hosts.options) as (node,):
        assert node.facts().is_root


def test_an_unknown_host_key(hosts: Hosts) -> None:
    assert refusal("unknown", hosts.options) == (
        "unknown: its host key is unknown or has changed:"
        " run `ssh unknown` once and look at the key"
    )


def test_no_permission(hosts: Hosts) -> None:
    assert refusal("stranger", hosts.options).endswith(
        "Permission denied (publickey,password,keyboard-interactive).:"
        " `ssh stranger true` has to work without a question"
    )


def test_no_python(hosts: Hosts) -> None:
    expected = "bare: it has no python3: install Python 3.9 or later there"
    assert refusal("bare", hosts.options) == expected


def test_nobody_listens() -> None:
    need_sshd()
    assert refusal("127.0.0.1", ("-F", "none", "-p", "1")) == (
        "127.0.0.1: ssh: connect to host 127.0.0.1 port 1: Connection refused:"
        " `ssh 127.0.0.1 true` has to work without a question"
    )


def test_no_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert refusal("a", ()) == "a: there is no ssh: install openssh-client"


def test_a_host_whose_power_is_cut(tmp_path: Path) -> None:
    need_root()
    need_sshd()
    shared = tmp_path / "shared"
    shared.mkdir()
    with NamespaceNodes(1, str(shared)) as machines:
        hosts = Hosts(machines, shared / "ssh")
        with SshNodes(["host1"], hosts.options) as (node,):
            machines[0].kill()
            with pytest.raises(NodeUnreachable, match=r"^host1: "):
                node.run(Command(("/bin/true",), {}, "/"))
        assert "has to work without a question" in refusal("host1", hosts.options)


CREATOR = """
import os, sys
from extstorage.nodes.node import Command
from extstorage.nodes.ssh import SshNodes
with SshNodes(["host2"], sys.argv[1:]) as (node,):
    print("connected", flush=True)
    node.run(Command(("/bin/sh", "-c", "sleep 4321; :"), {"PATH": "/bin"}, "/"))
"""


def test_what_runs_ends_with_a_creator_that_is_killed(
    hosts: Hosts, machines: Sequence[NamespaceNode]
) -> None:
    namespace = machines[1]
    command = [sys.executable, "-c", CREATOR, *hosts.options]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as creator:
        assert creator.stdout is not None
        assert creator.stdout.readline() == b"connected\n"
        give_up = time.monotonic() + 5
        while not any("sleep 4321" in line for line in processes(namespace)):
            assert time.monotonic() < give_up
            time.sleep(0.05)
        os.kill(creator.pid, signal.SIGKILL)
    assert wait_for_end(namespace, "sleep 4321")
    assert wait_for_end(namespace, "sshd")
