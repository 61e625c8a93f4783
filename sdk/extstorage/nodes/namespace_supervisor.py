"""Starts and ends namespace nodes, in a process of its own: see supervision.py.

For each node there are:

    supervisor      in the machine's namespaces; deletes the nodes' files at the end
      holder        in the node's namespaces but outside of its root; frees its devices
        init        process 1 of the node: when it goes, the kernel ends all other processes
          agent     answers for the node
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extstorage.nodes import kernel
from extstorage.nodes.agent import Agent
from extstorage.nodes.loops import LoopDevices
from extstorage.nodes.namespace_root import Place, make_disk, mount_root
from extstorage.nodes.supervision import Supervisor, end_only_with_the_creator, exit_after, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence


def _hold(fields: Sequence[Any], line: socket.socket, requests: int, answers: int) -> None:
    """Be the holder: boot the node, wait for its end or for the order to end it, clean up."""
    place = Place(*fields)
    try:
        if not Path(place.disk).is_dir():
            make_disk(place)
        kernel.unshare()
        mount_root(place)
        socket.sethostname(place.host_name)
        kernel.bring_up("lo")
    except OSError as error:
        refuse(answers, f"{error.filename}: {error.strerror}")
        return
    init = os.fork()
    if init == 0:
        line.close()
        exit_after(lambda: _be_init(place, requests, answers))
    for descriptor in (requests, answers):
        os.close(descriptor)
    Path(place.state, "pid").write_text(f"{init}\n", encoding="ascii")
    ended = os.pidfd_open(init)
    select.select([ended, line.fileno()], [], [])
    os.kill(init, signal.SIGKILL)
    os.waitpid(init, 0)  # returns when the last process of the node is gone
    line.send(_cut_power(place).encode())


def _cut_power(place: Place) -> str:
    """Free what processes leave behind in the kernel; return in one line what could not be."""
    devices = LoopDevices(place.root)
    kernel.unmount(place.root)  # file systems on the devices would keep them
    left = devices.free()
    return f"{', '.join(left)}: still in use by another node or this machine" if left else ""


def _be_init(place: Place, requests: int, answers: int) -> None:
    os.setsid()
    kernel.mount("proc", f"{place.root}/proc")
    os.chroot(place.root)
    os.chdir("/")
    agent = os.fork()
    if agent == 0:
        exit_after(Agent(requests, answers).serve)
    for descriptor in (requests, answers):
        os.close(descriptor)
    while os.wait()[0] != agent:
        pass


def main() -> None:
    """Serve on the socket, for the process, with the directory that the arguments name."""
    control, creator, directory = sys.argv[1:]
    end_only_with_the_creator()
    Supervisor(socket.socket(fileno=int(control)), int(creator), directory, _hold).serve()
