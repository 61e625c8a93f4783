"""``extstorage vendor``: copy the runtime into a provider's directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage import vendoring
from extstorage.cli.arguments import provider_directory
from extstorage.cli.errors import FAILED

if TYPE_CHECKING:
    import argparse

SUMMARY = "copy the runtime that a Python provider stands on into its directory"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("directory", metavar="DIR", help="the provider's directory")
    parser.add_argument(
        "--check", action="store_true", help="copy nothing; exit 1 if the copy is out of date"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the copy, or say where it differs from this version's runtime."""
    directory = provider_directory(arguments.directory)
    if not arguments.check:
        vendoring.vendor(directory)
        print(f"{directory / vendoring.COPY} is the runtime of this version")
        return 0
    differences = vendoring.outdated(directory)
    for difference in differences:
        print(difference)
    if differences:
        print(f"run: extstorage vendor {arguments.directory}")
    return FAILED if differences else 0
