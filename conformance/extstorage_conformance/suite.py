"""One run of the suite: the provider, its nodes, the run's own directory, hooks, journal."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from extstorage.contract.releases import release
from extstorage.nodes.node import NodeError
from extstorage_conformance.configuration import Configuration, expand
from extstorage_conformance.faults.extent import Extent
from extstorage_conformance.inventory import Survey
from extstorage_conformance.journal import Journal
from extstorage_conformance.naming import Namer, new_run
from extstorage_conformance.nodeset import LOCAL, NodeSet
from extstorage_conformance.rules import Profile
from extstorage_conformance.suite_node import SuiteNode, looks
from extstorage_conformance.violation import CannotRun

if TYPE_CHECKING:
    from collections.abc import Iterable

    from extstorage.host.daemon import Host
    from extstorage.host.errors import BlockDeviceError
    from extstorage.host.provider import Provider


@dataclass(frozen=True)
class Request:
    """What the user asked for: which provider, configuration, release, worker, how much, nodes.

    ``seed`` decides what a check draws at random: the same seed, the same draws. ``nodes`` is
    None when the user left it to the suite: this machine, and namespaces for rules that need
    more than one node. ``extent`` says which faults of the
    sweep are tried.
    """

    provider_directory: Path
    configuration: Configuration
    release: str
    worker: int = 0
    profile: Profile = Profile.STANDARD
    seed: int = 1
    nodes: str | None = None
    extent: Extent = field(default_factory=Extent)


class Suite:
    """A run on the nodes that ``nodes`` names; ``close`` undoes all that it made.

    Attributes:
        node: The first node: all that needs one node only happens here.
        nodes: All of them.
        other_pool: The parameters that lead to another pool; empty if none is configured.
        survey: The inventory of all nodes.
        unremoved: Names of the volumes that the provider refused to remove.
    """

    def __init__(self, request: Request, nodes: str = LOCAL) -> None:
        self.configuration = request.configuration
        self.release = release(request.release)
        self.profile = request.profile
        self.seed = request.seed
        self.extent = request.extent
        self.run = new_run()
        self.namer = Namer(self.run, request.worker)
        self.unremoved: list[str] = []
        self.source = request.provider_directory
        self._set = NodeSet(
            nodes,
            self.source,
            str(self.configuration.nodes["directory"]),
            f"extstorage-{self.namer.prefix}-",
        )
        self.run_directory = self._set.run_directory
        self.nodes = self._set.nodes
        self.node = self.nodes[0]
        self.journal = Journal(
            self.run, request.worker, self.source, self.run_directory, nodes=nodes
        )
        self.parameters = self.configuration.parameters_for(self.run_directory)
        self.other_pool = {
            name: expand(value, self.run_directory)
            for name, value in self.configuration.other_pool.items()
        }
        self.survey = Survey(
            self.namer,
            self.run_directory,
            self._inventory_directories(),
            self._objects,
            looks(self.nodes, named=len(self.nodes) > 1),
        )
        self._set_up()

    @property
    def directory(self) -> Path:
        """The provider's directory on the first node."""
        return Path(self.node.host.search_path[0], self.node.provider_name)

    @property
    def host(self) -> Host:
        """The node daemon of the first node."""
        return self.node.host

    @property
    def shares_directory(self) -> bool:
        """Whether the run's own directory is one that all nodes see."""
        return self._set.is_shared

    @property
    def shares_devices(self) -> bool:
        """Whether all nodes have one /dev."""
        return self._set.text.startswith("namespaces:")

    def survey_of(self, nodes: tuple[SuiteNode, ...]) -> Survey:
        """Return the inventory of these nodes."""
        return self.survey.of(looks(nodes, named=len(self.nodes) > 1))

    def provider(self) -> Provider | BlockDeviceError | UnicodeDecodeError:
        """Return the provider as Ganeti loads it, or Ganeti's reason why it is invalid."""
        return self.node.provider()

    def copy_of_provider(self, name: str, nodes: Iterable[SuiteNode] | None = None) -> Path:
        """Copy the provider to a new directory of the nodes, under the name ``name``.

        Returns the copy's path, the same on all: its parent is a search path. It is deleted with
        the run's directory.
        """
        parent = self.run_directory / f"providers-{self.namer.uuid()}"
        for node in nodes or (self.node,):
            if not node.node.is_directory(str(parent / name)):
                self._set.copy_to(node, self.source, parent / name)
        return parent / name

    def redact(self, text: str) -> str:
        """Return ``text`` without the values of secret parameters.

        Where the provider was copied to a node, its own directory is named: the copy goes.
        """
        for name in self.configuration.secrets:
            text = text.replace(self.parameters[name], f"[secret {name}]")
        return text.replace(str(self.directory), str(self.source))

    def hook(
        self, name: str, variables: dict[str, str] | None = None, node: SuiteNode | None = None
    ) -> str | None:
        """Run the hook ``name`` and return its output; None when there is none.

        It runs on ``node``, or else on the first one, under /bin/sh in the provider's directory,
        with EXTP_*, RUN_DIRECTORY, NODE and NODES set. Raises CannotRun when it fails.
        """
        command = self.configuration.hooks[name]
        if not command:
            return None
        node = node or self.node
        environment = os.environ if self._set.text == LOCAL else {}
        completed = node.shell(
            command,
            str(Path(node.host.search_path[0], node.provider_name)),
            {**environment, **self._hook_variables(node), **(variables or {})},
        )
        if completed.exit_code != 0:
            lines = completed.stderr.decode(errors="backslashreplace").strip().splitlines()
            last = (lines or [f"exit status {completed.exit_code}, no message"])[-1]
            where = f" on {node.name}" if len(self.nodes) > 1 else ""
            raise CannotRun(f"hook {name} of the configuration failed{where}: {last}")
        return completed.stdout.decode(errors="backslashreplace")

    def settle(self, node: SuiteNode) -> None:
        """Make a node ready that has come up; raises CannotRun."""
        self._set.settle(node, self.release, float(self.configuration.run["script_timeout"]))

    def boot(self, node: SuiteNode) -> None:
        """Start a node whose power was cut, and make it ready; raises CannotRun, NodeError."""
        node.start()
        self.settle(node)
        self.hook("node_setup", node=node)

    def cut_power(self, dead: SuiteNode) -> None:
        """Cut a node's power; another node is told if the configuration says how."""
        dead.kill()
        alive = next(node for node in self.nodes if node.is_up)
        self.hook("node_dead", {"DEAD": dead.name}, node=alive)

    def bring_back(self, node: SuiteNode) -> None:
        """Connect a node that was cut off, or boot one whose power was cut."""
        try:
            node.reconnect()
        except NodeError:  # its power was cut
            self.boot(node)

    def close(self) -> None:
        """Undo what the run made; directory and journal stay if a volume could not be removed."""
        try:
            for node in self.nodes:
                if node.is_up:
                    self.hook("node_teardown", node=node)
            self.hook("teardown")
        except NodeError as error:
            raise CannotRun(str(error)) from None
        finally:
            # What could not be removed may need it: --reap deletes it then.
            if self.unremoved:
                self._set.close()
            else:
                self._set.discard()
                self.journal.close()

    def _set_up(self) -> None:
        try:
            for node in self.nodes:
                self.settle(node)
            self.hook("setup")
            for node in self.nodes:
                self.hook("node_setup", node=node)
        except BaseException:
            self._set.discard()
            self.journal.close()
            raise

    def _hook_variables(self, node: SuiteNode) -> dict[str, str]:
        parameters = {f"EXTP_{name.upper()}": value for name, value in self.parameters.items()}
        return {
            **parameters,
            "RUN_DIRECTORY": str(self.run_directory),
            "NODE": node.name,
            "NODES": " ".join(node.name for node in self.nodes),
        }

    def _inventory_directories(self) -> list[str]:
        directories = self.configuration.run["inventory_directories"]
        return [expand(directory, self.run_directory) for directory in directories]

    def _objects(self) -> list[str]:
        # Tools pad a column to its longest entry: a row would change with other rows.
        return [line.strip() for line in (self.hook("inventory") or "").splitlines()]
