"""``extstorage man``: the manual, from the same text as ``--help``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage.cli import markdown, roff
from extstorage.cli.errors import UsageError
from extstorage.cli.manual import manual

if TYPE_CHECKING:
    import argparse

SUMMARY = "show or write the man pages"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument(
        "name", metavar="COMMAND", nargs="?", help="the page of this sub-command (default: all's)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--write", metavar="DIR", help="write every page to this directory, /usr/local/man/man1"
    )
    form.add_argument(
        "--markdown", action="store_true", help="print all that there is as one page in Markdown"
    )


def run(arguments: argparse.Namespace) -> int:
    """Show one page, or write all of them."""
    whole = manual()
    if arguments.markdown:
        print(markdown.page(whole), end="")
        return 0
    pages = roff.pages(whole)
    if arguments.write:
        return _write(pages, Path(arguments.write))
    name = f"extstorage-{arguments.name}" if arguments.name else "extstorage"
    page = pages.get(f"{name}.{roff.SECTION}")
    if page is None:
        known = ", ".join(part.name.partition(" ")[2] for part in whole.parts)
        raise UsageError(f"there is no command {arguments.name!r}: expected one of {known}")
    return _show(page)


def _write(pages: dict[str, str], directory: Path) -> int:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, page in pages.items():
            (directory / name).write_text(page, encoding="ascii")
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}") from None
    print(f"{len(pages)} pages in {directory}")
    return 0


def _show(page: str) -> int:
    viewer = shutil.which("man")
    if viewer is None or not sys.stdout.isatty():
        print(page, end="")
        return 0
    return subprocess.run([viewer, "-l", "-"], input=page, text=True, check=False).returncode
