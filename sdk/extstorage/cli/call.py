"""``extstorage call``: run one script of a provider as Ganeti would."""

from __future__ import annotations

import argparse
import os
import tempfile
import uuid
from typing import TYPE_CHECKING

from extstorage.cli import call_report
from extstorage.cli.arguments import provider_directory
from extstorage.cli.errors import FAILED, CannotRun, CommandError, UsageError
from extstorage.contract.methods import METHOD_NAMES
from extstorage.contract.releases import LATEST, Release, release
from extstorage.contract.variables import required_variables
from extstorage.host.daemon import TIMEOUT_S, Host
from extstorage.host.disk import Disk
from extstorage.host.errors import BlockDeviceError, MethodNotProvided, OpExecError
from extstorage.nodes.local import LocalNode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation

SUMMARY = "run one script of a provider as Ganeti would"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("directory", metavar="DIR", help="the provider's directory")
    parser.add_argument("method", metavar="METHOD", help=", ".join(METHOD_NAMES))
    parser.add_argument(
        "variables",
        metavar="NAME=VALUE",
        nargs="*",
        help="a variable to send: VOL_NAME=..., EXTP_POOL=...",
    )
    parser.add_argument(
        "--release",
        metavar="V",
        default=LATEST.name,
        help="the Ganeti release to imitate (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print what happened as JSON")
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=_seconds,
        default=TIMEOUT_S,
        help="kill the script after this many seconds (default: %(default)g)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the script and show what Ganeti makes of it; the status is 1 if it failed."""
    directory = provider_directory(arguments.directory)
    variables = _variables(arguments.variables)
    ganeti = _release(arguments.release)
    _check_method(arguments.method, variables, ganeti)
    if os.geteuid() != 0:
        raise CannotRun("not root: Ganeti calls providers as root; use sudo or a root shell")
    with tempfile.TemporaryDirectory(prefix="extstorage-call-") as logs:
        host = Host(
            LocalNode(), (str(directory.parent),), ganeti, logs, timeout_s=arguments.timeout
        )
        call = _call(host, directory, arguments.method, variables)
    report = call_report.as_json if arguments.json else call_report.as_text
    print(report(call))
    return FAILED if call.failed else 0


def _call(host: Host, directory: Path, method: str, variables: Mapping[str, str]) -> Call:
    try:
        return host.run(_invocation(host, directory, method, variables))
    except MethodNotProvided as error:
        raise UsageError(f"{error}: Ganeti skips it") from None
    except BlockDeviceError as error:
        raise CommandError(f"Ganeti refuses the provider: {error}") from None
    except UnicodeDecodeError as error:
        raise CommandError(f"Ganeti cannot read the provider's parameters.list: {error}") from None
    except OpExecError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"{directory / method} cannot be started: {error.strerror}") from None


def _invocation(
    host: Host, directory: Path, method: str, variables: Mapping[str, str]
) -> Invocation:
    name = variables.get("VOL_NAME", "")
    # Ganeti always sends one; the same for every call about a volume, and for no other.
    disk = Disk(name, str(uuid.uuid5(uuid.NAMESPACE_OID, name)))
    invocation = host.prepare(host.provider(directory.name), method, disk)
    unset = [name for name in ("VOL_NAME", "VOL_SIZE") if name not in variables]
    return invocation.without(*unset).with_variables(variables)


def _variables(words: list[str]) -> dict[str, str]:
    found = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not (name and separator):
            raise UsageError(f"{word!r} is no variable: expected NAME=VALUE, VOL_NAME=vol1")
        found[name] = value
    return found


def _release(name: str) -> Release:
    try:
        return release(name)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _check_method(method: str, variables: Mapping[str, str], ganeti: Release) -> None:
    if method not in METHOD_NAMES:
        raise UsageError(f"unknown method {method!r}: expected one of {', '.join(METHOD_NAMES)}")
    missing = [name for name in required_variables(method) if name not in variables]
    if missing:
        example = " ".join(f"{name}=VALUE" for name in missing)
        raise UsageError(f"Ganeti {ganeti.name} sends {method} more variables: add {example}")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: expected seconds, 60 or 0.5")
    return seconds
