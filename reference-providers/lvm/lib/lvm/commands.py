"""Running LVM's commands, with nothing of the caller's environment that changes what they do."""

from __future__ import annotations

import os

from extstorage.provider import ProviderError
from extstorage.provider.tools import run

TIMEOUT_S = 600.0
"""For one command; it may wait for a lock of LVM's, and Ganeti gives a call up after 900 s."""

_MISLEADING = (
    "LVM_COMMAND_PROFILE",
    "LVM_ERR_FD",
    "LVM_LOG_FILE_EPOCH",
    "LVM_OUT_FD",
    "LVM_REPORT_FD",
    "LVM_VG_NAME",
)
# sanlock takes a lease back when nobody has its connection any more. LVM closes what it does not
# know, so a shell keeps it open: where a call is killed, its command still ends before the lease.
_KEEPER = ("/bin/sh", "-c", '"$@"; exit $?', "sh")
_UDEV = "/run/udev/control"


def lvm(command: str, *words: str) -> str:
    """Run the LVM command; return what it printed on stdout; raise ToolError if it fails.

    It changes nothing that other nodes see. It asks nothing: ``--yes`` is given, so the caller has
    to know what it answers.
    """
    _prepare_environment()
    return run(command, "--yes", *words, timeout_s=TIMEOUT_S)


def change(command: str, *words: str) -> str:
    """Run the LVM command, which changes the group's metadata; as ``lvm`` does otherwise."""
    _prepare_environment()
    return run(command, "--yes", *words, timeout_s=TIMEOUT_S, launcher=_KEEPER)


def dmsetup(*words: str) -> str:
    """Run ``dmsetup``; return what it printed on stdout; raise ToolError if it fails."""
    _prepare_environment()
    return run("dmsetup", *words)


def expect(*programs: str) -> None:
    """Raise ProviderError unless all ``programs`` are installed."""
    from shutil import which

    for program in programs:
        if which(program) is None:
            raise ProviderError(f"the program {program} is not in PATH: install it on this node")


def _prepare_environment() -> None:
    for name in _MISLEADING:
        os.environ.pop(name, None)
    if not os.path.exists(_UDEV):
        # Nobody makes the device nodes then, and LVM would wait for them.
        os.environ["DM_DISABLE_UDEV"] = "1"
