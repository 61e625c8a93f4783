"""The manual as one page in Markdown, for the site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.cli.command import EXIT_STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from extstorage.cli.manual import Entry, Manual


def page(whole: Manual) -> str:
    """Return the page: each sub-command a section."""
    lines = ["# Command line", "", whole.summary, "", "| command | what it does |", "|---|---|"]
    lines += [
        f"| [`{part.name}`](#{part.name.replace(' ', '-')}) | {_cell(part.summary)} |"
        for part in whole.parts
    ]
    lines += ["", "| exit status | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXIT_STATUS.items()]
    for part in whole.parts:
        lines += _command(part, "##")
    return "\n".join(lines) + "\n"


def _command(one: Manual, heading: str) -> Iterator[str]:
    yield from ("", f"{heading} {one.name}")
    if one.summary:
        yield from ("", f"{one.summary[0].upper()}{one.summary[1:].rstrip('.')}.")
    yield from ("", "```text", one.usage, "```")
    entries = [*one.arguments, *one.options]
    if entries:
        yield from ("", "| | |", "|---|---|", *_rows(entries))
    for part in one.parts:
        yield from _command(part, f"{heading}#")


def _rows(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        yield f"| `{entry.words.replace('|', chr(92) + '|')}` | {_cell(entry.meaning)} |"


def _cell(text: str) -> str:
    # What would be a link, a tag or the end of a cell, in Markdown.
    for character in "\\|<>[]*_`{}":
        text = text.replace(character, f"\\{character}")
    return text
