"""``extstorage conform``: run the conformance suite on a provider."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage.cli.arguments import provider_to_read
from extstorage.cli.errors import CannotRun, UsageError
from extstorage.cli.suite import run_pytest

if TYPE_CHECKING:
    import argparse

SUMMARY = "run the conformance suite on a provider"
_AS_MANY_AS_PROCESSORS = ("auto", "logical")
_REPORTS = {
    "json": "the report for programs",
    "html": "the report for people, one self-contained page,",
    "sarif": "the report for code scanners",
    "badge": "the verdict as an SVG picture",
}


def add_arguments(parser: argparse.ArgumentParser, profile: str = "standard") -> None:
    """Add the sub-command's arguments; ``profile`` is what it runs if none is named."""
    parser.usage = "%(prog)s DIR [OPTION]... [-- PYTEST-ARGUMENT...]"
    parser.add_argument("directory", metavar="DIR", help="the provider's directory")
    parser.add_argument(
        "--profile",
        choices=("core", "standard", "full"),
        help=f"how much to run (default: {profile})",
    )
    parser.add_argument(
        "--config", metavar="FILE", help="the configuration (default: conformance.toml in DIR)"
    )
    parser.add_argument(
        "--rule",
        metavar="ID",
        action="append",
        default=[],
        help="run this rule, or this group of rules: ES-CRASH (repeatable)",
    )
    parser.add_argument(
        "--only",
        metavar="TRIAL",
        action="append",
        default=[],
        help="run the rules ES-CRASH (or those of --rule), and of their faults try all whose name "
        "begins so, and no other: grow, 'grow fail losetup#1' (repeatable)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave out the faults that passed before, as long as the provider is the same; a "
        "whole sweep without this begins anew",
    )
    parser.add_argument(
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter of every disk, beside those of the configuration (repeatable)",
    )
    parser.add_argument(
        "--nodes",
        metavar="SPEC",
        help="on which nodes: local, namespaces:N, guests:N[,disk=SIZE]...[,memory=SIZE][,nfs], "
        "ssh:HOST,HOST (default: this machine, and namespaces:3 for rules that need several)",
    )
    parser.add_argument("--release", metavar="V", help="the Ganeti release to imitate")
    parser.add_argument(
        "--seed",
        metavar="N",
        type=int,
        help="what rules that draw at random begin with (default: 1)",
    )
    for name, what in _REPORTS.items():
        parser.add_argument(f"--{name}", metavar="FILE", help=f"write {what} to this file")
    parser.add_argument(
        "--compare",
        metavar="FILE",
        help="say how the scripts' times differ from those in this --json report of an earlier run",
    )
    parser.add_argument(
        "--junit", metavar="FILE", help="write JUnit's XML, as pytest does, to this file"
    )
    parser.add_argument(
        "--reap",
        action="store_true",
        help="remove what killed runs on this provider left behind, and end",
    )
    parser.add_argument("-n", metavar="N", dest="workers", help="run in N processes at once")


def run(arguments: argparse.Namespace) -> int:
    """Run the suite; see cli.suite for the exit status."""
    options = {
        "provider": str(provider_to_read(arguments.directory)),
        "profile": arguments.profile,
        "config": arguments.config,
        "nodes": arguments.nodes,
        "release": arguments.release,
        "compare": arguments.compare,
        "seed": arguments.seed,
        **{name: getattr(arguments, name) for name in _REPORTS},
    }
    given = [f"--extstorage-{name}={value}" for name, value in options.items() if value is not None]
    given += [f"--extstorage-rule={rule}" for rule in arguments.rule]
    given += [f"--extstorage-parameter={word}" for word in arguments.parameter]
    given += _junit(arguments.junit)
    given += [f"--extstorage-only={trial}" for trial in arguments.only]
    given += ["--extstorage-resume"] if arguments.resume else []
    given += ["--extstorage-reap"] if arguments.reap else []
    return run_pytest([*given, *_workers(arguments.workers), *arguments.pytest_arguments])


def _junit(file: str | None) -> list[str]:
    if file is None:
        return []
    # pytest would make the directory.
    if Path(file).is_dir() or not Path(file).absolute().parent.is_dir():
        raise UsageError(f"--junit={file}: expected a file to write")
    return [f"--junitxml={file}"]


def _workers(number: str | None) -> list[str]:
    if number is None:
        return []
    if number not in _AS_MANY_AS_PROCESSORS and not (number.isdecimal() and int(number)):
        raise UsageError(f"-n {number}: expected how many processes, 1 or more, or auto")
    if importlib.util.find_spec("xdist") is None:
        raise CannotRun("-n needs pytest-xdist, which is not installed: pip install pytest-xdist")
    return [f"--numprocesses={number}"]
