"""The provider under test, in one test: makes volumes, runs scripts, cleans up after itself."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

import pytest

from extstorage.contract.methods import method as contract_method
from extstorage.contract.releases import release
from extstorage.contract.variables import ALWAYS_SENT_PARAMETERS, PARAMETER_PREFIX
from extstorage.host.disk import Disk
from extstorage.host.errors import OpExecError
from extstorage_conformance.faults.reach import Reach
from extstorage_conformance.violation import Blocked, NotApplicable
from extstorage_conformance.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from extstorage.host.call import Call
    from extstorage.host.daemon import CallValues, Host
    from extstorage.host.invocation import Invocation
    from extstorage.host.provider import Provider
    from extstorage_conformance.inventory import Item
    from extstorage_conformance.suite import Suite
    from extstorage_conformance.suite_node import SuiteNode


Result = TypeVar("Result")


class VolumeDescription(TypedDict, total=False):
    """What ``Subject.volume`` takes."""

    size_mib: int | None
    index: int
    uuid: str | None
    name: str | None
    cname: str | None
    parameters: dict[str, str] | None
    node: SuiteNode | None


class Subject:
    """What a check works with.

    ``nodes`` are as many as the rule needs, the first of them ``node``: that is where volumes
    are, unless ``Volume.on`` says otherwise.

    Every volume is registered, in the run's journal too, before the script
    that makes it runs; ``restore`` removes what is registered, whatever came of
    the check. ``excused`` is set when the check ended early: what is left then
    is no leak of its own. ``reach`` adds up the faults that the check tried,
    ``figures`` holds the times in ms that it measured, for the report.
    """

    def __init__(self, suite: Suite, nodes: tuple[SuiteNode, ...] | None = None) -> None:
        self.suite = suite
        self.configuration = suite.configuration
        self.nodes = nodes or suite.nodes[:1]
        self.node = self.nodes[0]
        self.calls: list[Call] = []
        self._providers = {node: _load(node) for node in self.nodes}
        self._registered: dict[str, Volume] = {}
        self._made: set[str] = set()
        self._used_on: dict[str, dict[SuiteNode, None]] = {}
        self._attached_as: dict[str, SuiteNode] = {}
        self.excused = False
        self.survey = suite.survey_of(self.nodes)
        self.baseline = self.survey.take()
        self.reach = Reach()
        self.figures: dict[str, float] = {}

    @property
    def host(self) -> Host:
        """The node daemon of the first node."""
        return self.node.host

    @contextmanager
    def imitating(self, name: str) -> Iterator[None]:
        """Let the node daemons be of the Ganeti release ``name`` for the length of a with block."""
        hosts = {node: node.host for node in self.nodes}
        providers = dict(self._providers)
        try:
            for node in self.nodes:
                node.host = node.host.as_release(release(name))
                self._providers[node] = _load(node)
            yield
        finally:
            for node, host in hosts.items():
                node.host = host
            self._providers.update(providers)

    @contextmanager
    def second_copy(self, name: str) -> Iterator[Subject]:
        """Give a subject whose provider is a copy under the name ``name``, for a with block.

        It is on the same nodes, and its calls are among this subject's. What it made is removed
        at the end of the block.
        """
        path = self.suite.copy_of_provider(name, self.nodes)
        copies = tuple(
            node.with_provider(node.host.with_search_path(str(path.parent)), name)
            for node in self.nodes
        )
        copy = Subject(self.suite, copies)
        copy.calls = self.calls
        try:
            yield copy
        finally:
            copy.undo()

    def provides(self, method: str) -> bool:
        """Return whether the provider has a script for ``method``."""
        return self.provider.scripts.get(method) is not None

    def uses(self, method: str) -> bool:
        """Return whether Ganeti calls a script of the provider's for ``method``."""
        return self.provides(method) and self.host.release.at_least(contract_method(method).since)

    def opens(self) -> bool:
        """Return whether Ganeti opens the provider's volumes before I/O on them."""
        return self.uses("open")

    @property
    def provider(self) -> Provider:
        """The provider as the first node's daemon has loaded it."""
        return self._providers[self.node]

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
        node: SuiteNode | None = None,
    ) -> Volume:
        """Return a volume that does not exist yet, named as Ganeti names disk ``index``.

        ``uuid`` gives several volumes of one instance the same first part;
        ``parameters`` change or add to those of the configuration; ``node`` is where it is seen
        from.
        """
        disk = Disk(
            name=name or f"{uuid or self.uuid()}.ext.disk{index}",
            uuid=self.uuid(),
            cname=cname,
            size_mib=size_mib or self.configuration.sizes["default"],
            parameters=self.suite.parameters | (parameters or {}),
        )
        return Volume(self, disk, node)

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

    def prepare(
        self,
        method: str,
        disk: Disk,
        node: SuiteNode | None = None,
        **values: Unpack[CallValues],
    ) -> Invocation:
        """Return the invocation of ``method``'s script for ``disk`` on ``node``, or the first."""
        self.require(method)
        node = node or self.node
        return node.host.prepare(self._providers[node], method, disk, **values)

    def run(self, invocation: Invocation, node: SuiteNode | None = None) -> Call:
        """Run a script on ``node``, or the first; what it may make is registered before."""
        self.announce(invocation, node)
        call = self.execute(invocation, node)
        self.note(call)
        return call

    def announce(self, invocation: Invocation, node: SuiteNode | None = None) -> None:
        """Register what a script that is about to run may make."""
        node = node or self.node
        name = _made_by(invocation)
        if name:
            self._register(name, invocation, node)
        self._used_on.setdefault(invocation.environment.get("VOL_NAME", ""), {})[node] = None

    def note(self, call: Call) -> None:
        """Keep what a script that has run tells of volumes and devices."""
        invocation = call.invocation
        node = next(node for node in self.nodes if node.node is call.node)
        self.calls.append(call)
        name = _made_by(invocation)
        if name and call.succeeded:
            self._register(
                name, invocation, node
            )  # a remove of the same moment may have been noted
            self._made.add(name)
        if call.succeeded and invocation.method in _EXPECT_A_VOLUME:
            # If there was none, the script has made one, or lies: it is undone without complaint.
            self._register(invocation.environment.get("VOL_NAME", ""), invocation, node)
        if invocation.method == "attach" and call.succeeded:
            path = call.stdout.split("\n")[0]
            self.survey.learn(node.ask("learn", path))
            self._expect_a_link_of_its_own(path, node)
        if _removes(invocation) and call.succeeded:
            self._forget(invocation.environment.get("VOL_NAME", ""))

    def _expect_a_link_of_its_own(self, path: str, node: SuiteNode) -> None:
        """Skip the test where a link below /dev leads to the device of another node by now.

        Hosts have a /dev each; nodes that share one would replace each other's links.
        """
        first = self._attached_as.setdefault(path, node)
        if first is node or not self.suite.shares_devices:
            return
        if node.shell('[ -L "$LINK" ]', "/", {"LINK": path}).exit_code == 0:
            pytest.skip(
                f"needs nodes with a /dev of their own, for {path} is a link that attach makes on"
                " each: --nodes guests:N or ssh:HOST,HOST"
            )

    def execute(self, invocation: Invocation, node: SuiteNode | None = None) -> Call:
        """Run a script, from any thread, between ``announce`` and ``note``; raises Blocked."""
        node = node or self.node
        try:
            return node.host.run(invocation)
        except (OSError, OpExecError) as error:
            raise Blocked(f"{invocation.method} cannot be executed: {error}") from None

    def left(self) -> list[Item]:
        """Return what exists now and did not before the test, after a moment's patience."""
        return self.survey.left_since(self.baseline)

    def restore(self) -> list[Item]:
        """Detach and remove every registered volume; return, and clear away, what is left.

        Nodes that the test switched or cut off come back first: all have to be as before.
        An interrupt is obeyed when all is done.
        """
        return self._before_an_interrupt(self._restore)

    def _restore(self) -> list[Item]:
        self._bring_back()
        self._undo_all()
        left = self.left()
        self.survey.clear(left)
        return left

    def undo(self) -> None:
        """Detach and remove every registered volume; an interrupt is obeyed when all is done."""
        self._before_an_interrupt(self._undo_all)

    def _before_an_interrupt(self, step: Callable[[], Result]) -> Result:
        """Do a step, and once more if an interrupt cuts it off; if that fails, --reap does it."""
        try:
            return step()
        except KeyboardInterrupt:
            try:
                step()
            except BaseException:  # noqa: BLE001 - the run ends with the interrupt, whatever this is
                self.suite.unremoved += self._registered
            raise

    def _undo_all(self) -> None:
        for volume in reversed(list(self._registered.values())):
            self._undo(volume)

    def _bring_back(self) -> None:
        for node in self.nodes:
            if not node.is_up:
                self.suite.bring_back(node)

    def _undo(self, volume: Volume) -> None:
        if self._is_undone(volume) or volume.name not in self._made:
            return
        # Made with a parameter that detach and remove refuse: those of the run may do.
        if not self._is_undone(self.volume(name=volume.name)) and not self._is_gone(volume):
            self.suite.unremoved.append(volume.name)

    def _is_gone(self, volume: Volume) -> bool:
        """Return whether a volume that remove refuses is not there: a killed call removed it."""
        if any(volume.name in item.text for item in self.left()):
            return False
        is_there = self._has_worked(volume, "attach")
        if is_there:
            self._has_worked(volume, "detach")
        return not is_there

    def _is_undone(self, volume: Volume) -> bool:
        for node in reversed([*self._used_on.get(volume.name, {})]):
            if node is not volume.node:
                self._has_worked(volume.on(node), "detach")
        self._has_worked(volume, "detach")
        return self._has_worked(volume, "remove")

    def _has_worked(self, volume: Volume, method: str) -> bool:
        try:
            invocation = volume.prepare(method)
        except ValueError:  # a name that leads elsewhere, for which Ganeti makes no log file
            harmless = replace(volume.disk, name=self.uuid())
            invocation = self.prepare(method, harmless, volume.node)
        try:
            return volume.run(invocation.with_variables(VOL_NAME=volume.name)).succeeded
        except Blocked:  # the script cannot be executed: others may be, of other volumes too
            return False

    def _register(self, name: str, invocation: Invocation, node: SuiteNode) -> None:
        if name not in self._registered:
            self.suite.journal.made(name)
            disk = Disk(name, self.uuid(), None, 1, _parameters(invocation))
            self._registered[name] = Volume(self, disk, node)

    def _forget(self, name: str) -> None:
        if self._registered.pop(name, None) is not None:
            self.suite.journal.gone(name)


_EXPECT_A_VOLUME = ("attach", "grow", "open", "setinfo")


def _load(node: SuiteNode) -> Provider:
    provider = node.provider()
    if isinstance(provider, Exception):
        raise Blocked(f"Ganeti does not load the provider: {provider}")
    return provider


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
