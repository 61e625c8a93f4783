"""``extstorage soak``: play drawn sequences of calls and races on a provider for a long time."""

from __future__ import annotations

import argparse
import re

from extstorage.cli.arguments import provider_to_read
from extstorage.cli.suite import run_pytest

SUMMARY = "play drawn sequences of calls and races on a provider, for as long as you like"
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("directory", metavar="DIR", help="the provider's directory")
    parser.add_argument(
        "--for",
        dest="seconds",
        metavar="TIME",
        type=_seconds,
        default=600.0,
        help="how long: 90s, 10m, 2h, 1d (default: 10m); Ctrl-C ends it in order",
    )
    parser.add_argument("--nodes", metavar="SPEC", help="on which nodes (default: local)")
    parser.add_argument(
        "--seed",
        metavar="N",
        type=int,
        default=1,
        help="where to begin: the seed that an earlier run named last goes on with it",
    )
    parser.add_argument(
        "--config", metavar="FILE", help="the configuration (default: conformance.toml in DIR)"
    )
    parser.add_argument("--release", metavar="V", help="the Ganeti release to imitate")
    parser.add_argument("--json", metavar="FILE", help="write what was done to this file")


def run(arguments: argparse.Namespace) -> int:
    """Soak the provider: 0 if nothing was found, 1 if something was, 3 if it could not run.

    Something is found too where Ganeti cannot call the provider at all.
    """
    options = {
        "provider": str(provider_to_read(arguments.directory)),
        "soak": arguments.seconds,
        "seed": arguments.seed,
        "nodes": arguments.nodes,
        "config": arguments.config,
        "release": arguments.release,
        "json": arguments.json,
    }
    return run_pytest(
        [f"--extstorage-{name}={value}" for name, value in options.items() if value is not None]
    )


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if found is None or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: expected 90s, 10m, 2h or 1d")
    return float(found[1]) * _UNITS_S[found[2]]
