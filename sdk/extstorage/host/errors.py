"""What goes wrong between Ganeti and a provider, with Ganeti's own texts."""

from __future__ import annotations


class BlockDeviceError(Exception):
    """Ganeti's error of that name: ``str()`` is Ganeti's exact text (``lib/errors.py``)."""


class OpExecError(Exception):
    """Ganeti's error of that name: what RunCmd makes of a program that is not there."""


class ProgrammerError(Exception):
    """Ganeti's error of that name: a call that Ganeti never makes."""


class MethodNotProvided(Exception):  # noqa: N818 - no error: Ganeti skips such a method
    """The provider has no script for an optional method."""

    def __init__(self, provider: str, method: str) -> None:
        super().__init__(f"provider {provider!r} has no script for the optional method {method!r}")
        self.provider = provider
        self.method = method
