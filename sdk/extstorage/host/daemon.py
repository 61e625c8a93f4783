"""The node daemon's side of a call: find the provider, prepare the script's world, run it.

Source in Ganeti: ``lib/storage/extstorage.py`` (_ExtStorageAction, _VolumeLogName),
``lib/utils/process.py`` (RunCmd).
"""

from __future__ import annotations

import copy
import errno
import time
from typing import TYPE_CHECKING, TypedDict, Unpack

from extstorage.host import environment, paths, text
from extstorage.host import provider as providers
from extstorage.host.call import Call
from extstorage.host.errors import BlockDeviceError, OpExecError
from extstorage.host.invocation import Invocation
from extstorage.nodes.node import CannotExecute, Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from extstorage.contract.releases import Release
    from extstorage.host.disk import Disk
    from extstorage.host.provider import Provider
    from extstorage.nodes.node import Node

TIMEOUT_S = 60.0


class CallValues(TypedDict, total=False):
    """What a call is about, beyond the disk; sizes in MiB. None is as good as left out."""

    new_size_mib: int | None
    metadata: str | None
    snapshot_name: str | None
    snapshot_size_mib: int | None
    exclusive: bool | None


class Host:
    """Ganeti's node daemon on one node, for one Ganeti release.

    Args:
        node: The machine.
        search_path: Directories that hold providers; the first match wins.
        release: The Ganeti release to act as.
        log_directory: Where each call but attach gets its log file; it has to exist.
        daemon_environment: What the daemon was started with, or None for the usual.
        timeout_s: Seconds until a script is killed, or None. Ganeti itself never does that.
    """

    def __init__(
        self,
        node: Node,
        search_path: Iterable[str],
        release: Release,
        log_directory: str,
        *,
        daemon_environment: Mapping[str, str] | None = None,
        timeout_s: float | None = TIMEOUT_S,
    ) -> None:
        self.node = node
        self.search_path = tuple(search_path)
        self.release = release
        self.log_directory = log_directory
        self.daemon_environment = (
            environment.daemon_environment() if daemon_environment is None else daemon_environment
        )
        self.timeout_s = timeout_s

    def as_release(self, release: Release) -> Host:
        """Return the same node daemon, as it is in another Ganeti release."""
        changed = copy.copy(self)
        changed.release = release
        return changed

    def with_search_path(self, *directories: str) -> Host:
        """Return the same node daemon, with another search path."""
        changed = copy.copy(self)
        changed.search_path = directories
        return changed

    def provider(self, name: str) -> Provider:
        """Return a valid provider (ExtStorageFromDisk).

        Raises BlockDeviceError with Ganeti's text, UnicodeDecodeError for a ``parameters.list``
        that is no UTF-8.
        """
        return self._loaded(self._glance(name), name)

    def _glance(self, name: str) -> providers.Glance:
        return providers.Glance(self.node, name, self.search_path, self.log_directory)

    def _loaded(self, files: providers.Glance, name: str) -> Provider:
        path = providers.find(files, name, self.search_path)
        return providers.load(files, name, path, self.release)

    def prepare(
        self, provider: Provider, method: str, disk: Disk, **values: Unpack[CallValues]
    ) -> Invocation:
        """Return the call that Ganeti would make.

        ``disk.size_mib`` is what create and grow get as VOL_SIZE. Raises BlockDeviceError if the
        log directory is missing, MethodNotProvided if an optional script is.
        """
        return self._prepared(provider, method, disk, values, self._has_log_directory)

    def _prepared(
        self,
        provider: Provider,
        method: str,
        disk: Disk,
        values: CallValues,
        has_log_directory: Callable[[], bool],
    ) -> Invocation:
        sent = environment.script_environment(
            method,
            disk,
            provider.name,
            self.release,
            VOL_NEW_SIZE=values.get("new_size_mib"),
            VOL_METADATA=values.get("metadata"),
            VOL_SNAPSHOT_NAME=values.get("snapshot_name"),
            VOL_SNAPSHOT_SIZE=values.get("snapshot_size_mib"),
            VOL_OPEN_EXCLUSIVE=values.get("exclusive"),
        )
        # _ExtStorageAction: the log directory is looked at before an optional script is skipped.
        log_file = None
        if method != "attach":
            if not has_log_directory():
                raise BlockDeviceError(f"Cannot find log directory: {self.log_directory}")
            log_file = self._log_file(method, provider.name, disk.name)
        return Invocation(
            provider=provider,
            method=method,
            argv=(provider.script(method),),
            inherited=environment.inherited_environment(self.daemon_environment),
            sent=sent,
            directory=provider.path,
            log_file=log_file,
        )

    def run(self, invocation: Invocation) -> Call:
        """Run a script to its end; the call says whether it failed.

        Raises what Ganeti raises if the script cannot be started: OpExecError for a script or
        interpreter that is not there, CannotExecute (an OSError) for anything else.
        """
        try:
            completed = self.node.run(self._command(invocation))
        except CannotExecute as error:
            if error.errno != errno.ENOENT:
                raise
            command = text.shell_quote(invocation.argv)
            raise OpExecError(f"Can't execute '{command}': not found ({error})") from error
        return Call(
            invocation=invocation,
            release=self.release,
            exit_code=completed.exit_code,
            signal=completed.signal,
            timed_out=completed.timed_out,
            seconds=completed.seconds,
            stdout_bytes=completed.stdout,
            stderr_bytes=completed.stderr,
            log_bytes=completed.output[completed.output_from :],
            log_tail=completed.output[-text.TAIL_BYTES :],
            node=self.node,
        )

    def call(
        self, provider: Provider, method: str, disk: Disk, **values: Unpack[CallValues]
    ) -> Call:
        """Prepare a call and run it; takes what ``prepare`` takes and raises what both raise."""
        return self.run(self.prepare(provider, method, disk, **values))

    def act(self, name: str, method: str, disk: Disk, **values: Unpack[CallValues]) -> Call:
        """Find the provider of that name and make a call of it (_ExtStorageAction).

        The node is asked about files once. Raises what ``provider`` and ``call`` raise.
        """
        files = self._glance(name)
        provider = self._loaded(files, name)
        return self.run(
            self._prepared(provider, method, disk, values, lambda: files.has_log_directory)
        )

    def _command(self, invocation: Invocation) -> Command:
        return Command(
            argv=invocation.argv,
            environment=invocation.environment,
            directory=invocation.directory,
            umask=invocation.umask,
            output_file=invocation.log_file,
            timeout_s=self.timeout_s,
        )

    def _has_log_directory(self) -> bool:
        return self.node.is_directory(self.log_directory)

    def _log_file(self, method: str, provider: str, volume: str) -> str:
        # _VolumeLogName: two calls of one method and second share a file.
        moment = time.strftime("%Y-%m-%d_%H_%M_%S")
        return paths.join(self.log_directory, f"{method}-{provider}-{volume}-{moment}.log")
