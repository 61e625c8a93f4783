"""Starts and ends guests, in a process of its own: see supervision.py.

For each guest there are:

    supervisor      deletes the guests' files at the end; has the network's switch as a child
      holder        passes requests on; when its own line closes, or the guard ends, kills the group
        guard       when the holder or the kernel ends, kills the group
          kernel    linux.uml, the leader of a process group
            ...     its processes and threads, in the same group

So whichever of them is killed, all of the guest ends.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from extstorage.nodes import guest_init, kernel
from extstorage.nodes.agent_process import python_command
from extstorage.nodes.guest_line import Feeder
from extstorage.nodes.guest_network import Network, drain
from extstorage.nodes.guest_place import Place
from extstorage.nodes.guest_processor import claimed
from extstorage.nodes.jobs import close_all_but
from extstorage.nodes.supervision import (
    Supervisor,
    end_only_with_the_creator,
    exit_after,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

TOOLS = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
_SYSTEM_DISK_SIZE = "8G"
_NUMBER = 32  # bytes, enough for a process's number in digits
_MEMORY_DIRECTORY = "/dev/shm"  # noqa: S108 - the file is deleted as soon as it is made


class _Wires(NamedTuple):
    """Descriptors that the kernel gets: a line, one way of another, the network."""

    requests: int
    answers: int
    said: int
    cable: int


def _hold(
    cables: Sequence[socket.socket],
    fields: Sequence[Any],
    line: socket.socket,
    requests: int,
    answers: int,
) -> None:
    """Be the holder: boot the guest, wait for its end or for the order to end it."""
    place = Place(*fields)
    kernel.adopt_orphans()
    try:
        if not Path(place.state).is_dir():
            _make_state(place)
        cable = cables[place.number - 1]
        drain(cable)
    except OSError as error:
        refuse(answers, f"{error.filename}: {error.strerror}")
        return
    except subprocess.CalledProcessError as error:
        refuse(answers, f"{error.cmd[0]}: {error.stderr.decode(errors='replace').strip()}")
        return
    guard, told, feeder = _guarded(place, requests, answers, cable.fileno())
    os.close(answers)
    guest = os.read(told, _NUMBER)
    if guest:
        _feed(feeder, {os.pidfd_open(guard), line.fileno()})
        _end(int(guest))
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _end(guest: int) -> None:
    """Kill all of a guest, whose kernel has not been waited for: so its number is still its own.

    One signal for the group: a process of the guest whose kernel were gone first would run on as a
    process of this machine.
    """
    os.killpg(guest, signal.SIGKILL)


def _feed(feeder: Feeder, ends: set[int]) -> None:
    """Pass requests on to the guest until there is something on a descriptor of ``ends``."""
    while True:
        ready, _, _ = select.select([*ends, *feeder.waits_for()], [], [])
        if ends.intersection(ready):
            return
        feeder.pass_on(ready)


def _make_state(place: Place) -> None:
    state = Path(place.state)
    for directory in (state, state / "root", state / "disk", state / "uml"):
        directory.mkdir(parents=True)
    Path(place.description).write_text(json.dumps(place), encoding="utf-8")
    program = shlex.join([*python_command(guest_init.__name__), place.description])
    Path(place.init).write_text(f"#!/bin/sh\nexec {program}\n", encoding="utf-8")
    Path(place.init).chmod(0o755)
    subprocess.run(
        ["mkfs.ext4", "-q", "-F", "-m", "0", place.system_disk, _SYSTEM_DISK_SIZE],
        env={"PATH": TOOLS},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )


def _guarded(place: Place, requests: int, answers: int, cable: int) -> tuple[int, int, Feeder]:
    """Start the guard, and it the kernel.

    Return the guard, the descriptor where it tells the kernel's number, what passes requests on.
    """
    line, feeding = os.pipe()
    read, said = os.pipe()
    told, telling = os.pipe()
    holder = os.pidfd_open(os.getpid())
    guard = os.fork()
    if guard == 0:
        wires = _Wires(line, answers, said, cable)
        close_all_but({0, 1, 2, holder, telling, *wires})
        exit_after(lambda: _guard(place, holder, telling, wires))
    for descriptor in (line, said, holder, telling):
        os.close(descriptor)
    return guard, told, Feeder(requests, feeding, read)


def _guard(place: Place, holder: int, telling: int, wires: _Wires) -> None:
    """Be the guard: start the kernel; when it or the holder ends, end all of the guest."""
    with claimed(place.number) as processor:
        try:
            guest = _booted(place, wires, processor)
        except OSError as error:
            refuse(wires.answers, f"{error.filename}: {error.strerror}")
            return
        os.write(telling, b"%d" % guest)
        for descriptor in (telling, *wires):
            os.close(descriptor)
        select.select([holder, os.pidfd_open(guest)], [], [])
        _end(guest)


def _booted(place: Place, wires: _Wires, processor: int) -> int:
    """Start the kernel, which ends with this process; return it."""
    guard = os.getpid()

    def enter() -> None:
        kernel.die_with_parent(signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(1)
        with contextlib.suppress(OSError):  # it runs on any other too, only slower
            os.sched_setaffinity(0, {processor})

    with Path(place.console).open("wb") as console:
        process = subprocess.Popen(
            ["linux.uml", *_options(place, wires)],
            cwd="/",
            env={
                "PATH": TOOLS,
                "TMPDIR": _memory_directory(place),
                "LD_PRELOAD": place.preload,
            },
            pass_fds=wires,
            preexec_fn=enter,  # noqa: PLW1509 - this process has one thread
            process_group=0,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )
    process.returncode = 0  # nobody waits for it here: this process ends before
    return process.pid


def _options(place: Place, wires: _Wires) -> list[str]:
    return [
        f"mem={place.memory_mib}M",
        "rootfstype=hostfs",
        "rootflags=/",
        "ro",
        f"init={place.init}",
        "con=null",
        "con0=null,fd:2",
        "ssl=null",
        f"ssl0=fd:{wires.requests},fd:{wires.answers}",
        f"ssl1=null,fd:{wires.said}",
        f"vec0:transport=fd,fd={wires.cable},mac={place.mac}",
        f"uml_dir={place.state}/uml",
        "umid=guest",
        f"ubd0={place.system_disk}",
        # c: hosts on a SAN do not lock its disks either.
        *(f"ubd{number}c={disk}" for number, disk in enumerate(place.disks, 1)),
    ]


def _memory_directory(place: Place) -> str:
    """Return where the file that is the guest's memory goes: to memory, if there is room."""
    with contextlib.suppress(OSError):
        system = os.statvfs(_MEMORY_DIRECTORY)
        if system.f_bavail * system.f_frsize > (place.memory_mib << 20) * len(place.names):
            return _MEMORY_DIRECTORY
    return place.state


def main() -> None:
    """Serve on the socket, for the process, with the directory and the number of guests."""
    control, creator, directory, guests = sys.argv[1:]
    end_only_with_the_creator()
    network = Network(int(guests))
    Supervisor(
        socket.socket(fileno=int(control)),
        int(creator),
        directory,
        functools.partial(_hold, network.cables),
        kept=[cable.fileno() for cable in network.cables],
        connect=network.connect,
    ).serve()
