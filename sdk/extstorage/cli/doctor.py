"""``extstorage doctor``: what this machine can and cannot test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from extstorage.cli.arguments import provider_to_read
from extstorage.cli.errors import CANNOT_RUN
from extstorage.doctor import programs
from extstorage.doctor.abilities import Ability, examine
from extstorage.doctor.packages import package_of
from extstorage.lint import ProviderSource

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

SUMMARY = "say what this machine can and cannot test, and what to install"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument(
        "directory",
        metavar="DIR",
        nargs="?",
        help="a provider's directory: say too which programs it calls that are not installed",
    )
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print what there is and what is missing; 3 if a conformance run could not start."""
    directory = provider_to_read(arguments.directory) if arguments.directory is not None else None
    abilities = list(examine())
    if directory is not None:
        abilities += _of_provider(directory)
    if arguments.json:
        print(json.dumps([one.to_json() for one in abilities], indent=2))
    else:
        _show(abilities)
    return CANNOT_RUN if any(one.needed and not one.there for one in abilities) else 0


def _of_provider(directory: Path) -> list[Ability]:
    """Return one ability for each program that the provider's files name."""
    source = ProviderSource.read(directory)
    missing = programs.missing(source)
    return [
        Ability(
            program,
            f"{directory.name}: called in {file}",
            needed=False,
            found="" if program in missing else "in the node daemon's PATH",
            missing="not in the node daemon's PATH" if program in missing else "",
            packages=_packages(program) if program in missing else (),
        )
        for program, file in sorted(programs.called(source).items())
    ]


def _packages(program: str) -> tuple[str, ...]:
    package = package_of(program)
    return (package,) if package else ()


def _show(abilities: Sequence[Ability]) -> None:
    width = max(len(one.name) for one in abilities)
    for one in abilities:
        state = "yes" if one.there else "NO" if one.needed else "no"
        detail = one.found if one.there else one.missing
        print(f"{state:3} {one.name:{width}}  {detail}")
        if not one.there:
            print(f"    {'':{width}}  for: {one.purpose}")
            if one.advice:
                print(f"    {'':{width}}  {one.advice}")
    packages = sorted({package for one in abilities for package in one.packages})
    if packages:
        print(f"\ninstall what is missing (Debian): apt-get install -y {' '.join(packages)}")
