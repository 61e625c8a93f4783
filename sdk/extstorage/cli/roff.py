"""Man pages, in the macros of man(7)."""

from __future__ import annotations

import datetime as dt
import os
import textwrap
from typing import TYPE_CHECKING

import extstorage
from extstorage.cli.command import EXIT_STATUS
from extstorage.cli.manual import Entry, Manual, file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SECTION = 1
_WIDTH = 72  # characters that become longer when they are escaped have room
_SOURCE = f"extstorage {extstorage.__version__}"
_TITLE = "Ganeti ExtStorage SDK"


def pages(whole: Manual) -> dict[str, str]:
    """Return the text of each page by its file name: the whole command's, each sub-command's."""
    made = {f"{file_name(whole)}.{SECTION}": _page(whole, whole.parts)}
    for part in whole.parts:
        others = [one for one in whole.parts if one is not part]
        made[f"{file_name(part)}.{SECTION}"] = _page(part, others)
    return made


def _page(one: Manual, others: Iterable[Manual]) -> str:
    name = file_name(one)
    lines = [
        f".TH {_quoted(name.upper())} {SECTION} {_date()} {_quoted(_SOURCE)} {_quoted(_TITLE)}",
        ".SH NAME",
        f"{_escaped(name)} \\- {_escaped(_first_sentence(one.summary))}",
        ".SH SYNOPSIS",
        *_synopsis(one.usage),
    ]
    is_whole = one.parts and all(part in others for part in one.parts)
    if is_whole:
        lines += [".SH COMMANDS", *_tagged(Entry(p.name, p.summary) for p in one.parts)]
    else:
        lines += _section("ARGUMENTS", one.arguments)
    lines += _section("OPTIONS", one.options)
    if not is_whole:
        lines += _parts(one)
    lines += [".SH EXIT STATUS"]
    lines += _tagged(Entry(str(code), meaning) for code, meaning in EXIT_STATUS.items())
    lines += [".SH SEE ALSO", *_see_also(others)]
    return "\n".join(lines) + "\n"


def _parts(one: Manual) -> Iterator[str]:
    """Yield the section on a command's own commands."""
    if one.parts:
        yield ".SH COMMANDS"
    for part in one.parts:
        yield f".SS {_quoted(part.name)}"
        if part.summary:
            yield from _lines(f"{part.summary[0].upper()}{part.summary[1:]}.")
        yield from _synopsis(part.usage)
        yield from _tagged([*part.arguments, *part.options])


def _section(title: str, entries: list[Entry]) -> list[str]:
    return [f".SH {title}", *_tagged(entries)] if entries else []


def _tagged(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        yield ".TP"
        yield f"\\fB{_escaped(entry.words)}\\fR"
        yield from _lines(f"{entry.meaning[:1].upper()}{entry.meaning[1:].rstrip('.')}.")


def _synopsis(usage: str) -> list[str]:
    # Options that are broken at their hyphens are hard to read.
    return [".nh", f"\\fB{_escaped(usage)}\\fR", ".hy"]


def _see_also(others: Iterable[Manual]) -> Iterator[str]:
    names = [f"{file_name(one)}({SECTION})" for one in others]
    names = sorted({*names, "ganeti-extstorage-interface(7)"})
    for position, name in enumerate(names, start=1):
        page, _, section = name.partition("(")
        yield f".BR {_quoted(page)} ({section}{',' if position < len(names) else ''}"


def _first_sentence(text: str) -> str:
    return text.rstrip(".")


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text; a dot at the beginning of one would begin a macro."""
    for line in textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False):
        escaped = _escaped(line)
        yield f"\\&{escaped}" if escaped.startswith(".") else escaped


def _date() -> str:
    """Return today, or the day that reproducible builds ask for."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = dt.datetime.now(tz=dt.UTC)
    moment = dt.datetime.fromtimestamp(int(epoch), tz=dt.UTC) if epoch.isdecimal() else now
    return moment.date().isoformat()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace('"', "\\(dq")


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'
