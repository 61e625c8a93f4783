"""Hosts with a real SSH daemon: namespace nodes, reached through a proxy command, no port."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from extstorage.nodes.namespaces import NamespaceNode

_SERVER = """\
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/{authorized}
StrictModes no
UsePAM no
PidFile none
PermitRootLogin prohibit-password
"""
_CLIENT = """\
Host {name}
    User root
    IdentityFile {directory}/user_key
    IdentitiesOnly yes
    HostKeyAlias {name}
    UserKnownHostsFile {directory}/known_hosts
    GlobalKnownHostsFile none
    ProxyCommand nsenter -m -u -i -n -p -r -w -t {pid} /usr/sbin/sshd -i -f {directory}/{server}
"""


class Hosts:
    """host1 and so on: an SSH client configuration, and daemons that it leads to.

    ``options`` are ssh's. ``unknown`` has a key that nobody knows, ``stranger`` lets nobody in,
    ``bare`` has no python3, ``chatty`` greets from its login shell.
    """

    def __init__(self, nodes: Sequence[NamespaceNode], directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700)
        for key in ("host_key", "user_key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / key], check=True
            )
        public = (directory / "user_key.pub").read_text()
        (directory / "authorized").write_text(public)
        (directory / "nobody").write_text("")
        chatty = f'command="echo Welcome; eval \\"$SSH_ORIGINAL_COMMAND\\"" {public}'
        (directory / "chatty").write_text(chatty)
        bare = f'command="PATH=/nonexistent; eval \\"$SSH_ORIGINAL_COMMAND\\"" {public}'
        (directory / "bare").write_text(bare)
        self._clients: list[str] = []
        self._known: list[str] = []
        for number, node in enumerate(nodes, 1):
            node.make_directory("/run/sshd", 0o755)
            self._add(f"host{number}", node, "authorized")
        self._add("unknown", nodes[0], "authorized", known=False)
        self._add("stranger", nodes[0], "nobody")
        self._add("bare", nodes[0], "bare")
        self._add("chatty", nodes[0], "chatty")
        self.options = ("-F", str(directory / "config"))
        (directory / "config").write_text("".join(self._clients))
        (directory / "known_hosts").write_text("".join(self._known))

    def _add(self, name: str, node: NamespaceNode, authorized: str, *, known: bool = True) -> None:
        directory = self._directory
        server = f"sshd_{name}"
        text = _SERVER.format(directory=directory, authorized=authorized)
        (directory / server).write_text(text)
        client = _CLIENT.format(name=name, directory=directory, pid=node.pid, server=server)
        self._clients.append(client)
        if known:
            key = (directory / "host_key.pub").read_text()
            self._known.append(f"{name} {key}")
