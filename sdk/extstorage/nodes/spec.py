"""How the user says which nodes: ``local``, ``namespaces:N``, ``guests:N``, ``ssh:HOST,HOST``."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from extstorage.nodes.guests import MEMORY_MIB, GuestNodes
from extstorage.nodes.local import LocalNode
from extstorage.nodes.namespaces import NamespaceNodes
from extstorage.nodes.node import NodeError
from extstorage.nodes.ssh import SshNodes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from extstorage.nodes.node import SessionNode

SYNTAX = "local, namespaces:N, guests:N[,disk=SIZE]...[,memory=SIZE][,nfs] or ssh:HOST,HOST"
_MOST_NAMESPACES = 64
_MOST_GUESTS = 16
_MOST_DISKS = 15
_SMALLEST_MEMORY = 128 << 20
_SIZE = re.compile(r"([1-9][0-9]{0,8})([MGT])", re.ASCII)
_SHIFT = {"M": 20, "G": 30, "T": 40}


class SpecError(ValueError):
    """Text that says no nodes; the message says what is expected."""


class Spec(Protocol):
    """Nodes that were asked for, and are not there yet."""

    @property
    def count(self) -> int:
        """How many there will be."""
        ...

    def nodes(self, shared_directory: str | None) -> AbstractContextManager[Sequence[SessionNode]]:
        """Return what gives the nodes inside a ``with`` block; raises NodeError there.

        ``shared_directory`` is the one that all namespace nodes see, and all guests if there is
        one. Real hosts and this machine have whatever their administrator gave them.
        """
        ...


@dataclass(frozen=True)
class Local:
    """This machine."""

    count: int = 1

    def nodes(self, shared_directory: str | None) -> AbstractContextManager[Sequence[SessionNode]]:  # noqa: ARG002 - see Spec
        """Return this machine; see Spec.nodes."""
        return contextlib.nullcontext((LocalNode(),))


@dataclass(frozen=True)
class Namespaces:
    """Nodes on this machine."""

    count: int

    def nodes(self, shared_directory: str | None) -> AbstractContextManager[Sequence[SessionNode]]:
        """Return nodes to be started; see Spec.nodes. Raises NodeError without a directory."""
        if shared_directory is None:
            raise NodeError("namespaces need a directory for the nodes to share")
        return NamespaceNodes(self.count, shared_directory)


@dataclass(frozen=True)
class Guests:
    """Virtual machines on this machine, with disks that they share."""

    count: int
    disk_bytes: tuple[int, ...] = ()
    memory_mib: int = MEMORY_MIB
    file_server: bool = False

    def nodes(self, shared_directory: str | None) -> GuestNodes:
        """Return guests to be booted; see Spec.nodes.

        With a file server the shared directory is one of its, elsewhere one of this machine.
        """
        return GuestNodes(
            self.count,
            shared_directory,
            self.disk_bytes,
            memory_mib=self.memory_mib,
            file_server=self.file_server,
        )


@dataclass(frozen=True)
class Ssh:
    """Real hosts."""

    hosts: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.hosts)

    def nodes(self, shared_directory: str | None) -> AbstractContextManager[Sequence[SessionNode]]:  # noqa: ARG002 - see Spec
        """Return hosts to be connected to; see Spec.nodes."""
        return SshNodes(self.hosts)


def parse(text: str) -> Spec:
    """Return the nodes that ``text`` asks for. Raises SpecError."""
    kind, colon, rest = text.partition(":")
    if text == "local":
        return Local()
    if kind == "namespaces" and colon:
        return Namespaces(_count(text, rest))
    if kind == "guests" and colon:
        return _guests(text, *rest.split(","))
    if kind == "ssh" and colon:
        return Ssh(_hosts(text, rest))
    raise SpecError(f"nodes: expected {SYNTAX}, found {text!r}")


def _count(text: str, number: str) -> int:
    if not (number.isascii() and number.isdecimal() and 1 <= int(number) <= _MOST_NAMESPACES):
        raise SpecError(
            f"nodes: expected namespaces:N with N from 1 to {_MOST_NAMESPACES}, found {text!r}"
        )
    return int(number)


def _guests(text: str, number: str, *options: str) -> Guests:
    if not (number.isascii() and number.isdecimal() and 1 <= int(number) <= _MOST_GUESTS):
        raise SpecError(f"nodes: expected guests:N with N from 1 to {_MOST_GUESTS}, found {text!r}")
    disks: list[int] = []
    memory_mib = MEMORY_MIB
    for option in (option for option in options if option != "nfs"):
        name, _, size = option.partition("=")
        if name == "disk":
            disks.append(_size(text, size))
        elif name == "memory":
            memory_mib = _memory_mib(text, size)
        else:
            raise SpecError(
                f"nodes: expected disk=SIZE, memory=SIZE or nfs after guests:N,"
                f" found {option!r} in {text!r}"
            )
    if len(disks) > _MOST_DISKS:
        raise SpecError(f"nodes: expected at most {_MOST_DISKS} disks, found {len(disks)}")
    return Guests(int(number), tuple(disks), memory_mib, "nfs" in options)


def _size(text: str, size: str) -> int:
    found = _SIZE.fullmatch(size)
    if not found:
        raise SpecError(f"nodes: expected a size such as 512M or 2G, found {size!r} in {text!r}")
    return int(found[1]) << _SHIFT[found[2]]


def _memory_mib(text: str, size: str) -> int:
    memory = _size(text, size)
    if memory < _SMALLEST_MEMORY:
        raise SpecError(f"nodes: expected at least memory=128M, found {size!r} in {text!r}")
    return memory >> 20


def _hosts(text: str, names: str) -> tuple[str, ...]:
    hosts = tuple(names.split(","))
    for host in hosts:
        if not host or host.startswith("-") or " " in host or not host.isprintable():
            raise SpecError(f"nodes: expected ssh:HOST,HOST without blanks, found {text!r}")
        if hosts.count(host) > 1:
            raise SpecError(f"nodes: expected each host once, found {host!r} twice in {text!r}")
    return hosts
