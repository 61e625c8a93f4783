"""The provider under test, in one test: makes volumes, runs scripts, cleans up after itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, Unpack

from extstorage.contract.methods import method as contract_method
from extstorage.contract.variables import ALWAYS_SENT_PARAMETERS, PARAMETER_PREFIX
from extstorage.host.disk import Disk
from extstorage.host.errors import OpExecError
from extstorage_conformance.violation import Blocked, NotApplicable
from extstorage_conformance.volume import Volume

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage.host.daemon import CallValues
    from extstorage.host.invocation import Invocation
    from extstorage.host.provider import Provider
    from extstorage_conformance.inventory import Item
    from extstorage_conformance.suite import Suite


class VolumeDescription(TypedDict, total=False):
    """What ``Subject.volume`` takes."""

    size_mib: int | None
    index: int
    uuid: str | None
    name: str | None
    cname: str | None
    parameters: dict[str, str] | None


class Subject:
    """What a check works with.

    Every volume is registered, in the run's journal too, before the script
    that makes it runs; ``restore`` removes what is registered, whatever came of
    the check. ``excused`` is set when the check ended early: what is left then
    is no leak of its own.
    """

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.configuration = suite.configuration
        self.host = suite.host
        self.calls: list[Call] = []
        self.provider = self._load()
        self._registered: dict[str, Volume] = {}
        self._made: set[str] = set()
        self.excused = False
        self.baseline = suite.survey.take()

    def _load(self) -> Provider:
        provider = self.suite.provider()
        if isinstance(provider, Exception):
            raise Blocked(f"Ganeti does not load the provider: {provider}")
        return provider

    def provides(self, method: str) -> bool:
        """Return whether the provider has a script for ``method``."""
        return self.provider.scripts.get(method) is not None

    def uses(self, method: str) -> bool:
        """Return whether Ganeti calls a script of the provider's for ``method``."""
        return self.provides(method) and self.host.release.at_least(contract_method(method).since)

    def opens(self) -> bool:
        """Return whether Ganeti opens the provider's volumes before I/O on them."""
        return self.uses("open")

    def require(self, *needs: str) -> None:
        """Raise NotApplicable unless the provider has all these methods and capabilities.

        ``device`` is the need for a block device: not all volumes have one.
        """
        for need in needs:
            if need == "device":
                self._require_device()
            elif need in self.configuration.capabilities:
                if not self.configuration.capabilities[need]:
                    raise NotApplicable(f"capability {need} is not declared")
            elif not self.provides(need):
                raise NotApplicable(f"the provider has no {need} script")

    def _require_device(self) -> None:
        if self.configuration.capabilities["userspace_only"]:
            raise NotApplicable("the provider declares userspace_only: there is no block device")

    def volume(
        self,
        *,
        size_mib: int | None = None,
        index: int = 0,
        uuid: str | None = None,
        name: str | None = None,
        cname: str | None = None,
        parameters: dict[str, str] | None = None,
    ) -> Volume:
        """Return a volume that does not exist yet, named as Ganeti names disk ``index``.

        ``uuid`` gives several volumes of one instance the same first part;
        ``parameters`` change or add to those of the configuration.
        """
        disk = Disk(
            name=name or f"{uuid or self.uuid()}.ext.disk{index}",
            uuid=self.uuid(),
            cname=cname,
            size_mib=size_mib or self.configuration.sizes["default"],
            parameters=self.suite.parameters | (parameters or {}),
        )
        return Volume(self, disk)

    def created(self, **description: Unpack[VolumeDescription]) -> Volume:
        """Return a new volume, created as a given step (``volume`` describes it)."""
        volume = self.volume(**description)
        volume.given("create")
        return volume

    def attached(self, **description: Unpack[VolumeDescription]) -> Volume:
        """Return a new volume, created and attached as given steps (``volume`` describes it)."""
        volume = self.volume(**description)
        volume.create_attached()
        return volume

    def uuid(self) -> str:
        """Return a UUID that carries this run's mark."""
        return self.suite.namer.uuid()

    def prepare(self, method: str, disk: Disk, **values: Unpack[CallValues]) -> Invocation:
        """Return the invocation of ``method``'s script for ``disk``."""
        self.require(method)
        return self.host.prepare(self.provider, method, disk, **values)

    def run(self, invocation: Invocation) -> Call:
        """Run a script; what it may make is registered first."""
        self.announce(invocation)
        call = self.execute(invocation)
        self.note(call)
        return call

    def announce(self, invocation: Invocation) -> None:
        """Register what a script that is about to run may make."""
        name = _made_by(invocation)
        if name:
            self._register(name, invocation)

    def note(self, call: Call) -> None:
        """Keep what a script that has run tells of volumes and devices."""
        invocation = call.invocation
        self.calls.append(call)
        name = _made_by(invocation)
        if name and call.succeeded:
            self._register(name, invocation)  # a remove of the same moment may have been noted
            self._made.add(name)
        if invocation.method == "attach" and call.succeeded:
            path = call.stdout.split("\n")[0]
            self.suite.survey.learn(path)
            self.suite.guard.learn(path)
        if _removes(invocation) and call.succeeded:
            self._forget(invocation.environment.get("VOL_NAME", ""))

    def execute(self, invocation: Invocation) -> Call:
        """Run a script, from any thread, between ``announce`` and ``note``; raises Blocked."""
        try:
            return self.host.run(invocation)
        except (OSError, OpExecError) as error:
            raise Blocked(f"{invocation.method} cannot be executed: {error}") from None

    def left(self) -> list[Item]:
        """Return what exists now and did not before the test, after a moment's patience."""
        return self.suite.survey.left_since(self.baseline)

    def restore(self) -> list[Item]:
        """Detach and remove every registered volume; return, and clear away, what is left."""
        for volume in reversed(list(self._registered.values())):
            self._undo(volume)
        left = self.left()
        self.suite.survey.clear(left)
        return left

    def _undo(self, volume: Volume) -> None:
        if self._is_undone(volume) or volume.name not in self._made:
            return
        # Made with a parameter that detach and remove refuse: those of the run may do.
        if not self._is_undone(self.volume(name=volume.name)):
            self.suite.unremoved.append(volume.name)

    def _is_undone(self, volume: Volume) -> bool:
        volume.call("detach")
        return volume.call("remove").succeeded

    def _register(self, name: str, invocation: Invocation) -> None:
        if name not in self._registered:
            self.suite.journal.made(name)
            disk = Disk(name, self.uuid(), None, 1, _parameters(invocation))
            self._registered[name] = Volume(self, disk)

    def _forget(self, name: str) -> None:
        if self._registered.pop(name, None) is not None:
            self.suite.journal.gone(name)


def _made_by(invocation: Invocation) -> str:
    variable = {"create": "VOL_NAME", "snapshot": "VOL_SNAPSHOT_NAME"}.get(invocation.method, "")
    return invocation.environment.get(variable, "")


def _removes(invocation: Invocation) -> bool:
    """Return whether it is a call of remove without arguments: with --help it removes nothing."""
    script = invocation.provider.scripts["remove"]
    return invocation.method == "remove" and invocation.argv[-1] == script


def _parameters(invocation: Invocation) -> dict[str, str]:
    return {
        name.removeprefix(PARAMETER_PREFIX).lower(): value
        for name, value in invocation.environment.items()
        if name.startswith(PARAMETER_PREFIX) and name not in ALWAYS_SENT_PARAMETERS
    }
