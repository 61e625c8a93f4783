"""The file ``parameters.list``: read as Ganeti reads it, checked, written.

Source in Ganeti: ``lib/storage/extstorage.py`` (ExtStorageFromDisk splits each
line once at blanks), ``lib/client/gnt_storage.py`` (diagnose takes ``line[0]``,
info unpacks two values). Ganeti only displays the file; it checks no disk by it.
"""

from __future__ import annotations

from extstorage.contract.names import RESERVED_PARAMETERS, is_parameter_name


def parse(text: str) -> list[list[str]]:
    """Return what Ganeti makes of the file: one list of at most two words a line.

    A blank line gives ``[]`` (it crashes ``gnt-storage diagnose``) and a bare
    name ``[name]`` (it crashes ``gnt-storage info``); ``problems`` tells them.
    """
    return [line.split(None, 1) for line in text.splitlines()]


def problems(text: str) -> list[str]:
    """Return one sentence for each thing in the file that harms; an empty list if none."""
    return [
        f"line {number}: {sentence}" if number else sentence
        for number, _kind, sentence in defects(text)
    ]


def defects(text: str) -> list[tuple[int, str, str]]:
    """Return ``(line, kind, sentence)`` for each thing in the file that harms.

    Line 0 is the whole file. Kinds: ``"blank"``, ``"comment"``, ``"description"``
    (there is none), ``"name"``, ``"reserved"``, ``"duplicate"``, ``"ascii"``.
    """
    found: list[tuple[int, str, str]] = []
    seen: set[str] = set()
    for number, words in enumerate(parse(text), start=1):
        found += [(number, kind, sentence) for kind, sentence in _line_defects(words, seen)]
        seen.update(word.lower() for word in words[:1])
    if not text.isascii():
        sentence = "the file is not ASCII: gnt-storage diagnose and info crash on it"
        found.append((0, "ascii", sentence))
    return found


def _line_defects(words: list[str], seen: set[str]) -> list[tuple[str, str]]:
    if not words:
        return [("blank", "blank: gnt-storage diagnose crashes on it for every provider")]
    name = words[0]
    found = []
    if len(words) == 1:
        sentence = f"parameter {name!r} has no description: gnt-storage info crashes on it"
        found.append(("description", sentence))
    if name.startswith("#"):
        found.append(("comment", f"{name!r} is no comment: Ganeti takes it for a parameter's name"))
    elif not is_parameter_name(name):
        found.append(("name", f"{name!r} is not [a-z][a-z0-9_]*: no shell can read its variable"))
    if name.lower() in RESERVED_PARAMETERS:
        sentence = f"{name!r} is reserved by Ganeti: it never reaches the provider as declared"
        found.append(("reserved", sentence))
    if name.lower() in seen:
        sentence = f"{name!r} stands twice: both end in the variable EXTP_{name.upper()}"
        found.append(("duplicate", sentence))
    return found


def render(parameters: list[tuple[str, str]]) -> str:
    """Return the file for ``(name, description)`` pairs; raise ValueError for a bad one."""
    text = "".join(f"{name} {description}\n" for name, description in parameters)
    found = problems(text)
    if len(parse(text)) != len(parameters):
        found.append("a name or description contains a line break")
    if found:
        raise ValueError(found[0])
    return text
