"""``gnt-storage diagnose`` and ``info``.

Source in Ganeti: ``lib/client/gnt_storage.py``, ExtStorageQuery in ``lib/cmdlib/misc.py``,
DiagnoseExtStorage in ``lib/backend.py``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from extstorage.cluster.errors import GanetiError
from extstorage.contract.releases import release
from extstorage.host import paths
from extstorage.host import provider as providers
from extstorage.host.errors import BlockDeviceError
from extstorage.nodes.node import Command, NodeUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from extstorage.cluster.job import Job
    from extstorage.host.daemon import Host

_DIGITS = re.compile(r"(\d+)")
_GROUPS = 8  # NiceSort looks at no more


class Found(NamedTuple):
    """What a node has under a provider's name, in one directory of its search path."""

    path: str
    trouble: str
    parameters: list[list[str]]


class CannotTell(GanetiError):  # noqa: N818 - says what happened
    """Ganeti's command would end here; ``str()`` is what it says, or how it crashes."""

    @property
    def formatted(self) -> str:
        """Return the text as it is."""
        return str(self)


Diagnosis = dict[str, dict[str, list[Found]]]
"""By provider and node, in the order of the search path."""


def diagnose(job: Job, complaint: str) -> Diagnosis:
    """Return what each online node has. Raises CannotTell with ``complaint`` if that is nothing.

    A node that cannot answer (one ``parameters.list`` that is no UTF-8 is enough) is left out, as
    in Ganeti.
    """
    answers = {}
    for name, daemon in job.daemons.items():
        if not daemon.offline:
            try:
                answers[name] = list(_on_node(daemon.host))
            except (NodeUnreachable, OSError, UnicodeDecodeError):
                continue
    found: Diagnosis = {}
    for node, entries in answers.items():
        for provider, entry in entries:
            _check_ascii(job, provider, entry)
            found.setdefault(provider, {name: [] for name in answers})[node].append(entry)
    if not found:
        raise CannotTell(complaint)
    return {provider: found[provider] for provider in sorted(found, key=_nice)}


def _check_ascii(job: Job, provider: str, entry: Found) -> None:
    # The answer goes from Ganeti's job queue to its commands as Latin-1, and is read as UTF-8.
    text = " ".join(word for line in entry.parameters for word in line)
    if release(job.cluster.release).at_least("3.0") and not text.isascii():
        raise CannotTell(
            f"parameters.list of {provider} is not all ASCII: Ganeti's own command ends here with"
            " a traceback"
        )


def report(job: Job) -> Iterator[str]:
    """Yield the lines of ``gnt-storage diagnose``. Raises CannotTell."""
    for provider, nodes in diagnose(job, "Can't get the list of ExtStorage providers").items():
        # The identifiers and not the names, as Ganeti.
        lines = {
            job.cluster.node(node).uuid: (bool(found and not found[0].trouble), _status(found))
            for node, found in nodes.items()
        }
        yield f"Provider: {provider}"
        yield "---"
        for good in (True, False):
            for uuid in sorted(lines, key=_nice):
                if lines[uuid][0] is good:
                    yield f"  Node: {uuid}, status: {lines[uuid][1]}"
        yield "  --"
        groups = _groups(job, nodes)
        for good in (True, False):
            for group in sorted(groups, key=_nice):
                if groups[group] is good:
                    yield f"  For nodegroup: {group} --> {'valid' if good else 'invalid'}"
        yield ""


def information(job: Job, wanted: Sequence[str]) -> Iterator[str]:
    """Yield the lines of ``gnt-storage info``, for the providers named or for all.

    Raises CannotTell.
    """
    found = diagnose(job, "Can't get the ExtStorage providers list")
    for provider, nodes in found.items():
        if wanted and provider not in wanted:
            continue
        yield f"{provider}:"
        valid = [group for group, good in _groups(job, nodes).items() if good]
        if valid:
            yield "  - Valid for nodegroups:"
            yield from (f"      {group}" for group in sorted(valid, key=_nice))
            yield "  - Supported parameters:"
            yield from _parameters(nodes)
        else:
            yield "  - Invalid for all nodegroups"
        yield ""
    for name in wanted:
        if name not in found:
            yield f"{name}: Not Found"
            yield ""


def _on_node(host: Host) -> Iterator[tuple[str, Found]]:
    for directory in host.search_path:
        for name in _visible(host, directory):
            path = paths.join(directory, name)
            try:
                found = providers.find(host.node, name, [directory])
                provider = providers.load(host.node, name, found, host.release)
            except BlockDeviceError as error:
                yield name, Found(path, str(error), [])
            else:
                yield name, Found(path, "", provider.parameters)


def _visible(host: Host, directory: str) -> list[str]:
    # ListVisibleFiles; a name may hold anything but "/" and NUL.
    if not host.node.is_directory(directory):
        return []
    words = ("find", "-L", directory, "-mindepth", "1", "-maxdepth", "1", "-printf", r"%f\0")
    listed = host.node.run(Command(words, dict(host.daemon_environment), "/")).stdout
    names = listed.decode("utf-8", "surrogateescape").split("\0")
    return sorted(name for name in names if name and not name.startswith("."))


def _status(found: Sequence[Found]) -> str:
    if not found:
        return "ExtStorage provider not found"
    path, trouble, parameters = found[0]
    text = f"invalid - {trouble}" if trouble else "valid"
    names = ", ".join(_words(line, 1)[0] for line in parameters)
    shown = f"[parameters: {names}]" if parameters else "[no parameters]"
    return f"{text} (path: {path}) {shown}"


def _parameters(nodes: Mapping[str, Sequence[Found]]) -> Iterator[str]:
    lists = [[tuple(line) for line in found[0].parameters] for found in nodes.values() if found]
    # Ganeti prints a set, in no order; here it is the first node's.
    for line in dict.fromkeys(lists[0]):
        if all(line in others for others in lists):
            name, description = _words(line, 2)
            yield f"      {name}: {description}"


def _words(line: Sequence[str], expected: int) -> Sequence[str]:
    if len(line) >= expected:
        return line
    trouble = "a blank line" if not line else f"no description after {line[0]!r}"
    raise CannotTell(
        f"parameters.list has {trouble}: Ganeti's own command ends here with a traceback"
    )


def _groups(job: Job, nodes: Mapping[str, Sequence[Found]]) -> dict[str, bool]:
    groups = dict.fromkeys(job.cluster.groups, True)
    for entry in job.cluster.nodes:
        if entry.name in nodes:
            found = nodes[entry.name]
            groups[entry.group] &= bool(found and not found[0].trouble)
    return groups


def _nice(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts ``a2`` before ``a10`` (NiceSort)."""
    parts: Iterable[str] = _DIGITS.split(name, maxsplit=_GROUPS // 2)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]
