"""``extstorage vendor``: copy the runtime into a provider's directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage import __version__, vendoring
from extstorage.cli.arguments import provider_to_read
from extstorage.cli.errors import FAILED, UsageError, reason

if TYPE_CHECKING:
    import argparse

SUMMARY = "copy the runtime that a provider stands on into its directory"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("directory", metavar="DIR", help="the provider's directory")
    parser.add_argument(
        "--language",
        choices=vendoring.LANGUAGES,
        default="",
        help="which runtime (default: that of the copy that is there, or of the scripts)",
    )
    parser.add_argument(
        "--check", action="store_true", help="copy nothing; exit 1 if the copy is out of date"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the copy, or say where it differs from this version's runtime."""
    directory = provider_to_read(arguments.directory)
    if not arguments.check:
        try:
            vendoring.vendor(directory, arguments.language)
        except OSError as error:
            raise UsageError(f"cannot write {reason(error, directory)}") from None
        print(f"{directory / vendoring.COPY} is the runtime of extstorage {__version__}")
        return 0
    differences = vendoring.outdated(directory, arguments.language)
    for difference in differences:
        print(difference)
    if differences:
        print(f"run: extstorage vendor {arguments.directory}")
    return FAILED if differences else 0
