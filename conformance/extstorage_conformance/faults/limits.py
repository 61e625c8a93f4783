"""Faults of the node that any script can meet: each changes one invocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.subject import Subject

_INTERPRETERS = ("sh", "bash", "dash", "ksh", "python3", "perl", "ruby")


def without_writes(invocation: Invocation) -> Invocation:
    """Let files stay smaller than half a MiB, as on a full disk: messages fit, volumes do not."""
    # Ignored, the signal lets the write fail; else it would kill the script.
    words = ("/bin/sh", "-c", 'trap "" XFSZ && ulimit -f 1024 && exec "$0" "$@"')
    return invocation.replace(argv=(*words, *invocation.argv))


def without_tools(subject: Subject, invocation: Invocation) -> Invocation:
    """Let PATH lead to interpreters only: to a directory on the node that is made for that."""
    directory = f"{subject.suite.run_directory}/interpreters"
    search_path = invocation.environment["PATH"]
    subject.node.ask("link_programs", list(_INTERPRETERS), search_path, directory)
    return invocation.with_environment({**invocation.inherited, "PATH": directory})
