"""``gnt-instance migrate`` and ``failover`` (``lib/cmdlib/instance_migration.py``).

Both nodes have the volumes attached and open while the memory moves; the order of the calls is
what storage has to live with, also when one of them fails.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extstorage.cluster import disks, placement
from extstorage.cluster.errors import (
    WRONG_STATE,
    HypervisorError,
    OpExecError,
    OpPrereqError,
    RpcError,
    raising,
)
from extstorage.cluster.model import EXT, UP

if TYPE_CHECKING:
    from extstorage.cluster.guest import Guests
    from extstorage.cluster.job import Job
    from extstorage.cluster.model import Instance

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How to move an instance.

    Attributes:
        target: The node to move to, or None to have one chosen.
        cleanup: Repair after a migration that failed.
        failover: Stop the instance, move it, start it again.
        allow_failover: Fail over if the instance cannot be migrated.
        ignore_consistency: Go on if the source cannot be reached.
    """

    target: str | None = None
    cleanup: bool = False
    failover: bool = False
    allow_failover: bool = False
    ignore_consistency: bool = False


def move(job: Job, guests: Guests, name: str, options: Options) -> None:
    """Migrate an instance, fail it over or clean up. Raises OpPrereqError, OpExecError."""
    _Move(job, guests, job.instance(name), options).run()


class _Move:
    """TLMigrateInstance."""

    def __init__(self, job: Job, guests: Guests, instance: Instance, options: Options) -> None:
        self._job = job
        self._guests = guests
        self._instance = instance
        self._options = options
        self._failover = options.failover
        self._source = instance.primary_node
        self._target = ""
        # Volumes are opened and closed since 2.14.
        self._opens = job.at_least("2.14")

    def run(self) -> None:
        self._check()
        if self._failover:
            self._job.feedback(f"Failover instance {self._instance.name}")
            self._fail_over()
            return
        self._job.feedback(f"Migrating instance {self._instance.name}")
        if self._options.cleanup:
            self._clean_up()
        else:
            self._migrate()

    def _check(self) -> None:
        up = self._instance.admin_state == UP
        cleanup = self._options.cleanup
        if not (cleanup or up or self._failover) and self._options.allow_failover:
            self._job.info(
                "Instance is marked down or offline, fallback allowed, switching to failover"
            )
            self._failover = True
        self._check_layout()
        self._choose_target()
        if cleanup or (self._failover and not up):
            self._job.info(
                "Not checking memory on the secondary node as instance will not be started"
            )
        self._job.check_online(self._target)
        if not (cleanup or self._failover):
            self._check_migratable()

    def _check_layout(self) -> None:
        invalid = {disk.template for disk in self._instance.disks if disk.template != EXT}
        if invalid:
            text = "failovers" if self._failover else "migrations"
            raise OpPrereqError(
                f"Instance's disk layout '{', '.join(sorted(invalid))}' does not allow {text}",
                WRONG_STATE,
            )

    def _choose_target(self) -> None:
        if self._options.target is None:
            self._target = placement.choose(self._job, {self._source})
            self._job.info(
                f"Selected nodes for instance {self._instance.name} via iallocator"
                f" {placement.ALLOCATOR}: {self._target}"
            )
        else:
            self._target = self._job.node(self._options.target)
        if self._target == self._source:
            raise OpPrereqError(
                f"Cannot migrate instance {self._instance.name} to its primary ({self._source})",
                WRONG_STATE,
            )

    def _check_migratable(self) -> None:
        try:
            self._job.daemon(self._source).instance_migratable(self._instance.name)
        except RpcError as error:
            if not self._options.allow_failover:
                raise OpPrereqError(
                    f"Can't migrate, please use failover: {error}", WRONG_STATE
                ) from error
            self._job.info("Can't migrate, instance offline, fallback to failover")
            self._failover = True

    # Steps that several ways share

    def _open(self, node: str, *, exclusive: bool) -> None:
        mode = "exclusive" if exclusive else "shared"
        self._job.feedback(f"* opening instance disks on node {node} in {mode} mode")
        with raising(f"Cannot open instance disks on node {node}"):
            self._job.daemon(node).blockdev_open(self._instance.disks, exclusive=exclusive)

    def _close(self, node: str) -> None:
        self._job.feedback(f"* closing instance disks on node {node}")
        try:
            self._job.daemon(node).blockdev_close(self._instance.disks)
        except RpcError as error:
            if not (error.offline or self._options.ignore_consistency):
                raise OpExecError(f"Cannot close instance disks on node {node}: {error}") from error
            self._job.warning(f"Could not close instance disks on node {node}, proceeding anyway")

    def _unmap(self, node: str) -> None:
        names = ", ".join(str(disk.name) for disk in self._instance.disks)
        which = f" {names}" if self._opens else ""
        self._job.feedback(f"* unmapping instance's disks{which} from {node}")
        for disk in self._instance.disks:
            try:
                self._job.daemon(node).blockdev_shutdown(disk)
            except RpcError as error:
                # Only the master's log hears of it.
                _logger.error("cannot unmap %s on %s: %s", disk.location, node, error)  # noqa: TRY400

    def _record(self, node: str) -> None:
        self._instance.primary_node = node
        self._job.save(self._instance)

    # Migration

    def _migrate(self) -> None:
        self._job.feedback("* checking disk consistency between source and target")
        if self._opens:
            self._close(self._target)
            self._open(self._source, exclusive=False)
            self._open(self._target, exclusive=False)
        self._job.feedback(f"* preparing {self._target} to accept the instance")
        # Up to 2.13 this is where the target attaches the volumes.
        attached = () if self._opens else self._instance.disks
        try:
            self._job.daemon(self._target).accept_instance(self._instance.name, attached)
        except RpcError as error:
            self._abort("Pre-migration failed, aborting", "pre-migrate", error)
        self._job.feedback(f"* migrating instance to {self._target}")
        try:
            source = self._job.daemon(self._source)
            source.instance_migrate(self._target, self._instance.name)
        except RpcError as error:
            self._abort("Migration failed, aborting", "migrate", error)
        self._job.feedback("* starting memory transfer")
        self._job.feedback("* memory transfer complete")
        self._finish_guest(success=True)
        self._record(self._target)
        if self._opens:
            self._close(self._source)
            self._open(self._target, exclusive=True)
        self._unmap(self._source)
        self._job.feedback("* done")

    def _abort(self, text: str, verb: str, error: RpcError) -> None:
        self._job.feedback(text)
        self._finish_guest(success=False)
        # _RevertDiskStatus; up to 2.13 it leaves the target as it is.
        if self._opens:
            self._close(self._target)
            self._unmap(self._target)
            self._open(self._source, exclusive=True)
        raise OpExecError(f"Could not {verb} instance {self._instance.name}: {error}") from error

    def _finish_guest(self, *, success: bool) -> None:
        try:
            self._guests.finish(self._source, self._target, self._instance.name, success=success)
        except HypervisorError as error:
            if success:
                raise OpExecError(f"Could not finalize instance migration: {error}") from error

    # Cleaning up

    def _clean_up(self) -> None:
        places = self._places()
        if self._source in places and self._target in places:
            self._job.feedback("Trying to cleanup after failed migration")
            self._finish_guest(success=False)
            places = self._places()
        demoted = self._demoted(places)
        if self._opens:
            self._close(demoted)
            # On the old primary, even if the instance runs on the target: Ganeti's own mistake.
            self._open(self._source, exclusive=True)
        self._job.feedback("* done")

    def _places(self) -> list[str]:
        self._job.feedback(
            "* checking where the instance actually runs (if this hangs, the hypervisor might be"
            " in a bad state)"
        )
        found = []
        for entry in self._job.cluster.nodes:
            if not entry.offline:
                with raising(f"Can't contact node {entry.name}"):
                    if self._instance.name in self._job.daemon(entry.name).instance_list():
                        found.append(entry.name)
        self._job.feedback(f"* instance running on: {','.join(found)}")
        return found

    def _demoted(self, places: list[str]) -> str:
        """Return the node whose volumes are to be closed; put the instance's place on record."""
        if self._source in places and self._target in places:
            raise OpExecError(
                "Instance seems to be running on two nodes, or the hypervisor is confused; you"
                " will have to ensure manually that it runs only on one and restart this operation"
            )
        if self._source in places:
            self._job.feedback(
                f"* instance confirmed to be running on its primary node ({self._source})"
            )
            return self._target
        if self._target not in places:
            self._adopt(places)
        self._job.feedback(
            f"* instance running on secondary node ({self._target}), updating config"
        )
        self._record(self._target)
        return self._source

    def _adopt(self, places: list[str]) -> None:
        if len(places) != 1:
            raise OpExecError(
                "Instance does not seem to be running at all; in this case it's safer to repair"
                " by running 'gnt-instance stop' to ensure disk shutdown, and then restarting it"
            )
        self._target = places[0]
        self._job.feedback(
            f"* instance running on unexpected node ({self._target}), updating as the new secondary"
        )

    # Failover

    def _fail_over(self) -> None:
        if self._instance.disks_active:
            self._job.feedback("* checking disk consistency between source and target")
        else:
            self._job.feedback("* not checking disk consistency as instance is not running")
        self._stop()
        if self._opens:
            self._close(self._source)
        self._job.feedback("* deactivating the instance's disks on source node")
        if not disks.shutdown(self._job, self._instance, ignore_primary=True):
            raise OpExecError("Can't shut down the instance's disks")
        self._record(self._target)
        if self._instance.admin_state == UP:
            self._start()

    def _stop(self) -> None:
        self._job.feedback("* shutting down instance on source node")
        try:
            self._job.daemon(self._source).instance_shutdown(self._instance.name)
        except RpcError as error:
            if not (error.offline or self._options.ignore_consistency):
                raise OpExecError(
                    f"Could not shutdown instance {self._instance.name} on node"
                    f" {self._source}: {error}"
                ) from error
            self._job.warning(
                f"Could not shutdown instance {self._instance.name} on node {self._source},"
                f" proceeding anyway; please make sure node {self._source} is down;"
                f" error details: {error}"
            )

    def _start(self) -> None:
        job = self._job
        job.feedback(f"* activating the instance's disks on target node {self._target}")
        well, _found = disks.assemble(job, self._instance)
        if not well:
            disks.shutdown(job, self._instance)
            raise OpExecError("Can't activate the instance's disks")
        job.feedback(f"* starting the instance on the target node {self._target}")
        try:
            job.primary(self._instance).instance_start(self._instance)
        except RpcError as error:
            disks.shutdown(job, self._instance)
            raise OpExecError(
                f"Could not start instance {self._instance.name} on node {self._target}: {error}"
            ) from error
