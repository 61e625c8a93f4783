"""One run of the suite: the provider, its node, the run's own directory, hooks, journal."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage.contract.releases import release
from extstorage.host.daemon import Host
from extstorage.host.errors import BlockDeviceError
from extstorage.nodes.local import LocalNode
from extstorage_conformance.configuration import Configuration, expand
from extstorage_conformance.guard import DeviceGuard
from extstorage_conformance.inventory import Survey
from extstorage_conformance.journal import Journal
from extstorage_conformance.naming import Namer, new_run
from extstorage_conformance.rules import Profile
from extstorage_conformance.violation import CannotRun

if TYPE_CHECKING:
    from extstorage.host.provider import Provider

_BASE_DIRECTORY = "/var/tmp"  # noqa: S108 - on disk; the directory made in it is private


@dataclass(frozen=True)
class Request:
    """What the user asked for: which provider, configuration, release, worker, how much.

    ``seed`` decides what a check draws at random: the same seed, the same draws.
    """

    provider_directory: Path
    configuration: Configuration
    release: str
    worker: int = 0
    profile: Profile = Profile.STANDARD
    seed: int = 1


class Suite:
    """A run that is going on; ``close`` undoes all that it made."""

    def __init__(self, request: Request) -> None:
        self.directory = request.provider_directory
        self.configuration = request.configuration
        self.release = release(request.release)
        self.profile = request.profile
        self.seed = request.seed
        self.run = new_run()
        self.namer = Namer(self.run, request.worker)
        self.run_directory = Path(
            tempfile.mkdtemp(prefix=f"extstorage-{self.namer.prefix}-", dir=_BASE_DIRECTORY)
        )
        self.journal = Journal(self.run, request.worker, self.directory, self.run_directory)
        self.parameters = self.configuration.parameters_for(self.run_directory)
        self.survey = Survey(
            self.namer, self.run_directory, self._inventory_directories(), self._objects
        )
        self.guard = DeviceGuard()
        self.host = self.host_for(self.directory.parent)
        self.unremoved: list[str] = []
        self._set_up()

    def host_for(self, search_path: Path) -> Host:
        """Return a host that finds providers in the directory ``search_path``."""
        logs = self.run_directory / "log"
        logs.mkdir(exist_ok=True)
        return Host(
            LocalNode(),
            (str(search_path),),
            self.release,
            str(logs),
            timeout_s=float(self.configuration.run["script_timeout"]),
        )

    def provider(self) -> Provider | BlockDeviceError | UnicodeDecodeError:
        """Return the provider as Ganeti loads it, or Ganeti's reason why it is invalid."""
        try:
            return self.host.provider(self.directory.name)
        except (BlockDeviceError, UnicodeDecodeError) as error:
            return error

    def redact(self, text: str) -> str:
        """Return ``text`` without the values of secret parameters."""
        for name in self.configuration.secrets:
            text = text.replace(self.parameters[name], f"[secret {name}]")
        return text

    def hook(self, name: str, variables: dict[str, str] | None = None) -> str | None:
        """Run the hook ``name`` and return its output; None when there is none.

        It runs under /bin/sh in the provider's directory, with EXTP_* and
        RUN_DIRECTORY set. Raises CannotRun when it fails.
        """
        command = self.configuration.hooks[name]
        if not command:
            return None
        completed = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.directory,
            env=os.environ | self._hook_variables() | (variables or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if completed.returncode != 0:
            last = (completed.stderr.strip().splitlines() or ["no message"])[-1]
            raise CannotRun(f"hook {name} of the configuration failed: {last}")
        return completed.stdout

    def close(self) -> None:
        """Undo what the run made; directory and journal stay if a volume could not be removed."""
        try:
            self.hook("teardown")
        finally:
            # What could not be removed may need it: --reap deletes it then.
            if not self.unremoved:
                shutil.rmtree(self.run_directory, ignore_errors=True)
                self.journal.close()

    def _set_up(self) -> None:
        try:
            self.hook("setup")
        except CannotRun:
            shutil.rmtree(self.run_directory, ignore_errors=True)
            self.journal.close()
            raise

    def _hook_variables(self) -> dict[str, str]:
        parameters = {f"EXTP_{name.upper()}": value for name, value in self.parameters.items()}
        return {**parameters, "RUN_DIRECTORY": str(self.run_directory)}

    def _inventory_directories(self) -> list[str]:
        directories = self.configuration.run["inventory_directories"]
        return [expand(directory, self.run_directory) for directory in directories]

    def _objects(self) -> list[str]:
        return (self.hook("inventory") or "").splitlines()
