"""The environment of a script.

Source in Ganeti: ``lib/storage/extstorage.py`` (_ExtStorageEnvironment),
``lib/utils/process.py`` (_BuildCmdEnvironment).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.contract.variables import (
    ALWAYS_SENT_PARAMETERS,
    PARAMETER_PREFIX,
    variables_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from extstorage.contract.releases import Release
    from extstorage.host.disk import Disk


def daemon_environment() -> dict[str, str]:
    """Return what a script inherits from a noded that start-stop-daemon started.

    RunCmd cleans nothing, so whatever noded was started with reaches the scripts; it overrides
    ``LC_ALL``. PWD and ``_`` are stale: they are noded's, not the script's.
    """
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PWD": "/",
        "SHLVL": "1",
        "_": "/usr/sbin/start-stop-daemon",
    }


def inherited_environment(daemon: Mapping[str, str]) -> dict[str, str]:
    """Return what RunCmd makes of the daemon's environment."""
    return {**daemon, "LC_ALL": "C"}


def script_environment(
    method: str,
    disk: Disk,
    provider: str,
    release: Release,
    **values: str | int | bool | None,
) -> dict[str, str]:
    """Return what Ganeti adds to the environment of a method's script.

    ``values`` are further variables by name (``VOL_NEW_SIZE=128``); None and those that the
    method does not get are left out. ``provider`` is the provider's name.
    """
    known = {
        "VOL_NAME": disk.name,
        "VOL_UUID": disk.uuid,
        "VOL_CNAME": disk.cname,
        "VOL_SIZE": disk.size_mib,
        **values,
    }
    sent = _parameter_variables(disk.parameters, provider, release)
    for variable in variables_of(method, release):
        value = known.get(variable.name)
        if value is not None:
            sent[variable.name] = str(value)
    return sent


def _parameter_variables(
    parameters: Mapping[str, str],
    provider: str,
    release: Release,
) -> dict[str, str]:
    defaults = {"EXTP_PROVIDER": provider, "EXTP_ACCESS": "kernelspace"}
    sent = {
        name: defaults[name]
        for name, since in ALWAYS_SENT_PARAMETERS.items()
        if release.at_least(since)
    }
    # Two names that differ in case are one variable: the later one wins.
    for name, value in parameters.items():
        sent[PARAMETER_PREFIX + name.upper()] = str(value)
    return sent
