"""Real hosts, through the system's OpenSSH client.

The user's configuration, agent and known hosts apply; nothing is ever asked. There is one
connection per host: the agent is sent over it and answers any number of calls on it. Another
process can find no use for it, so it does not become a control master; one that the user's
configuration names is used if it is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.nodes import agent, jobs, sessions
from extstorage.nodes.agent_process import AgentProcess
from extstorage.nodes.bundle import bundled
from extstorage.nodes.node import NodeUnreachable
from extstorage.nodes.remote import RemoteNode

if TYPE_CHECKING:
    from collections.abc import Sequence

_OPTIONS = (
    "BatchMode=yes",
    "ClearAllForwardings=yes",
    "ConnectTimeout=10",
    "ControlMaster=no",
    "EscapeChar=none",
    "RequestTTY=no",
    # A host whose power is gone does not say so: this notices within 15 seconds.
    "ServerAliveCountMax=3",
    "ServerAliveInterval=5",
)
_STARTER = (
    "import sys; sys.version_info < (3, 9) and"
    ' sys.exit("expected Python 3.9 or later as python3, found " + sys.version.split()[0]);'
    " stdin = sys.stdin.buffer; exec(stdin.read(int(stdin.readline())))"
)
# Any login shell understands this, csh included.
_COMMAND = f"exec python3 -I -S -X utf8 -c '{_STARTER}'"
_SSH_FAILED = 255
_NOT_FOUND = 127


class SshNodes:
    """Hosts that are connected to inside a ``with`` block, which gives the sequence of nodes.

    At its end, programs that still run are killed and nothing of ours is left on the hosts.

    Args:
        hosts: What ssh takes as destinations: names of the configuration, ``user@host``, URIs.
        options: More arguments for ssh, ``("-F", "config")``.

    Raises NodeUnreachable, with what to do, if one cannot be used.
    """

    def __init__(self, hosts: Sequence[str], options: Sequence[str] = ()) -> None:
        self._hosts = tuple(hosts)
        self._options = tuple(options)
        self._processes: list[AgentProcess] = []

    def __enter__(self) -> Sequence[RemoteNode]:
        try:
            for host in self._hosts:
                self._processes.append(_called(host, self._options))
            return [
                _connected(host, process)
                for host, process in zip(self._hosts, self._processes, strict=True)
            ]
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        while self._processes:
            self._processes.pop().close()


def _called(host: str, options: Sequence[str]) -> AgentProcess:
    program = _program()
    chosen = [f"-o{option}" for option in _OPTIONS]
    try:
        return AgentProcess(
            ["ssh", *options, *chosen, "--", host, _COMMAND], b"%d\n%b" % (len(program), program)
        )
    except FileNotFoundError:
        raise NodeUnreachable(f"{host}: there is no ssh: install openssh-client") from None


def _program() -> bytes:
    """Return one program that is the agent's modules and calls ``main()`` of the last."""
    return f"{bundled(jobs, sessions, agent)}agent.main()\n".encode()


def _connected(host: str, process: AgentProcess) -> RemoteNode:
    try:
        return RemoteNode(host, process.connect())
    except NodeUnreachable as error:
        raise NodeUnreachable(f"{host}: {_explained(host, process, str(error))}") from None


def _explained(host: str, process: AgentProcess, reason: str) -> str:
    if process.exit_code == _NOT_FOUND:
        return "it has no python3: install Python 3.9 or later there"
    if process.exit_code != _SSH_FAILED:
        return reason
    if "Host key verification failed" in reason:
        return f"its host key is unknown or has changed: run `ssh {host}` once and look at the key"
    return f"{reason}: `ssh {host} true` has to work without a question"
