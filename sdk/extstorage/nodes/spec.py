"""How the user says which nodes: ``local``, ``namespaces:N``, ``ssh:HOST,HOST``."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from extstorage.nodes.local import LocalNode
from extstorage.nodes.namespaces import NamespaceNodes
from extstorage.nodes.ssh import SshNodes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from extstorage.nodes.node import SessionNode

SYNTAX = "local, namespaces:N or ssh:HOST,HOST"
_MOST_NAMESPACES = 64


class SpecError(ValueError):
    """Text that says no nodes; the message says what is expected."""


class Spec(Protocol):
    """Nodes that were asked for, and are not there yet."""

    @property
    def count(self) -> int:
        """How many there will be."""
        ...

    def nodes(self, shared_directory: str) -> AbstractContextManager[Sequence[SessionNode]]:
        """Return what gives the nodes inside a ``with`` block; raises NodeError there.

        ``shared_directory`` is the one that all namespace nodes see. Real hosts and this machine
        have whatever their administrator gave them.
        """
        ...


@dataclass(frozen=True)
class Local:
    """This machine."""

    count: int = 1

    def nodes(self, shared_directory: str) -> AbstractContextManager[Sequence[SessionNode]]:  # noqa: ARG002 - see Spec
        """Return this machine; see Spec.nodes."""
        return contextlib.nullcontext((LocalNode(),))


@dataclass(frozen=True)
class Namespaces:
    """Nodes on this machine."""

    count: int

    def nodes(self, shared_directory: str) -> AbstractContextManager[Sequence[SessionNode]]:
        """Return nodes to be started; see Spec.nodes."""
        return NamespaceNodes(self.count, shared_directory)


@dataclass(frozen=True)
class Ssh:
    """Real hosts."""

    hosts: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.hosts)

    def nodes(self, shared_directory: str) -> AbstractContextManager[Sequence[SessionNode]]:  # noqa: ARG002 - see Spec
        """Return hosts to be connected to; see Spec.nodes."""
        return SshNodes(self.hosts)


def parse(text: str) -> Spec:
    """Return the nodes that ``text`` asks for. Raises SpecError."""
    kind, colon, rest = text.partition(":")
    if text == "local":
        return Local()
    if kind == "namespaces" and colon:
        return Namespaces(_count(text, rest))
    if kind == "ssh" and colon:
        return Ssh(_hosts(text, rest))
    raise SpecError(f"nodes: expected {SYNTAX}, found {text!r}")


def _count(text: str, number: str) -> int:
    if not (number.isascii() and number.isdecimal() and 1 <= int(number) <= _MOST_NAMESPACES):
        raise SpecError(
            f"nodes: expected namespaces:N with N from 1 to {_MOST_NAMESPACES}, found {text!r}"
        )
    return int(number)


def _hosts(text: str, names: str) -> tuple[str, ...]:
    hosts = tuple(names.split(","))
    for host in hosts:
        if not host or host.startswith("-") or " " in host or not host.isprintable():
            raise SpecError(f"nodes: expected ssh:HOST,HOST without blanks, found {text!r}")
        if hosts.count(host) > 1:
            raise SpecError(f"nodes: expected each host once, found {host!r} twice in {text!r}")
    return hosts
