"""``extstorage adopt``: write a first conformance.toml for an existing provider."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from extstorage.cli.arguments import provider_to_read
from extstorage.cli.errors import UsageError
from extstorage.cli.suite import run_pytest

if TYPE_CHECKING:
    import argparse

SUMMARY = "write a first conformance.toml for an existing provider"
_FILE = "conformance.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("directory", metavar="DIR", help="the provider's directory")
    parser.add_argument(
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter that the provider needs, pool=rbd (repeatable); {run_directory} in a"
        " value stands for a directory that each run makes and deletes",
    )
    parser.add_argument("--config", metavar="FILE", help="begin with this file, not with DIR's own")
    parser.add_argument(
        "--output", metavar="FILE", help=f"write this file (default: {_FILE} in DIR)"
    )
    parser.add_argument("--force", action="store_true", help="write over an existing file")
    parser.add_argument(
        "--profile",
        choices=("core", "standard", "full"),
        help="which rules to try (default: standard)",
    )
    parser.add_argument("--release", metavar="V", help="the Ganeti release to imitate")


def run(arguments: argparse.Namespace) -> int:
    """Observe the provider, run the suite, write the file; 1 if there is nothing to adopt."""
    directory = provider_to_read(arguments.directory)
    output = Path(arguments.output or directory / _FILE).absolute()
    _check(output, force=arguments.force)
    options = {
        "provider": str(directory),
        "adopt": str(output),
        "profile": arguments.profile,
        "config": arguments.config,
        "release": arguments.release,
    }
    given = [f"--extstorage-{name}={value}" for name, value in options.items() if value is not None]
    given += [f"--extstorage-parameter={word}" for word in arguments.parameter]
    # What fails is in the file, sentence by sentence; the reports are conform's.
    return run_pytest([*given, "--show-capture=no", "--tb=no", "--no-summary"])


def _check(output: Path, *, force: bool) -> None:
    if output.exists() and not force:
        raise UsageError(f"{output} exists: give --force to fill it in, or --output FILE")
    if not output.parent.is_dir():
        raise UsageError(f"{output} cannot be written: there is no directory {output.parent}")
