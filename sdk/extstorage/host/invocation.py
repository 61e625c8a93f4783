"""One call of a script, before it is made."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from extstorage.host.provider import Provider


@dataclass(frozen=True)
class Invocation:
    """Everything that a script is started with.

    It never changes; the methods return changed copies, so that a test can break one thing.

    Attributes:
        provider: The provider whose script it is.
        method: The method's name.
        argv: The script's path and its arguments; Ganeti gives none.
        inherited: What the script inherits of the node daemon's environment.
        sent: What Ganeti adds to it: VOL_* and EXTP_*.
        directory: The working directory: the provider's.
        umask: The file mode creation mask.
        log_file: Where output and errors are appended, or None (attach) for two pipes.
        copied_from: The provider's directory, if the script is that of a copy made for a test.
    """

    provider: Provider
    method: str
    argv: tuple[str, ...]
    inherited: Mapping[str, str]
    sent: Mapping[str, str]
    directory: str
    umask: int = 0o077
    log_file: str | None = None
    copied_from: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The script's whole environment: what Ganeti adds wins over what is inherited."""
        return {**self.inherited, **self.sent}

    def without(self, *names: str) -> Invocation:
        """Return a copy whose environment lacks these variables, inherited ones too."""
        return self.replace(
            inherited={key: value for key, value in self.inherited.items() if key not in names},
            sent={key: value for key, value in self.sent.items() if key not in names},
        )

    def with_variables(
        self,
        variables: Mapping[str, str] | None = None,
        /,
        **values: str,
    ) -> Invocation:
        """Return a copy that sends these variables, in addition or with other values."""
        return self.replace(sent={**self.sent, **(variables or {}), **values})

    def with_arguments(self, *words: str) -> Invocation:
        """Return a copy with these arguments after the ones that are there."""
        return self.replace(argv=(*self.argv, *words))

    def with_environment(self, inherited: Mapping[str, str]) -> Invocation:
        """Return a copy that inherits exactly this; what Ganeti adds stays."""
        return self.replace(inherited=dict(inherited))

    def in_copy(self, directory: str) -> Invocation:
        """Return a copy that runs the script in ``directory``, which holds a copy of the provider.

        Such a directory goes with the test that made it: the replay makes it again.
        """
        words = (f"{directory}/{self.method}", *self.argv[1:])
        return self.replace(argv=words, directory=directory, copied_from=self.provider.path)

    def replace(self, **fields: object) -> Invocation:
        """Return a copy with other values of the named attributes."""
        return dataclasses.replace(self, **fields)  # type: ignore[arg-type]  # any attribute

    def replay(self) -> str:
        """Return one shell command line that makes this call by hand.

        The output goes to the terminal, not to the log file.
        """
        variables = [f"{name}={value}" for name, value in sorted(self.environment.items())]
        return (
            # env comes last: a shell after it would correct PWD, which is stale under Ganeti too.
            f"({self._copying()}cd {shlex.quote(self.directory)} && umask {self.umask:03o} && "
            f"exec env -i {shlex.join(variables)} {shlex.join(self.argv)} </dev/null)"
        )

    def _copying(self) -> str:
        if self.copied_from is None:
            return ""
        words = (self.copied_from, self.directory)
        parent = str(PurePath(self.directory).parent)
        return f"mkdir -p {shlex.quote(parent)} && cp -aT {shlex.join(words)} && "
