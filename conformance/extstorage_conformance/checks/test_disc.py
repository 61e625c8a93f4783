"""Rules about discovery: what Ganeti looks at before it calls a provider valid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.comparison import as_ganeti_calls, as_well
from extstorage_conformance.node_side.files import digests
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import NotApplicable

if TYPE_CHECKING:
    from extstorage.host.invocation import Invocation
    from extstorage.lint import ProviderSource
    from extstorage_conformance.subject import Subject

_FROM_DISK = "lib/storage/extstorage.py ExtStorageFromDisk"
_CHECK_FILE = "lib/storage/extstorage.py _CheckExtStorageFile"
_OTHER_NAME = "Other_Name-2"


@rule("ES-DISC-01", Level.MUST, source="lib/constants.py EXT_PLUGIN_MASK; lib/utils/io.py FindFile")
def test_name_is_valid(source: ProviderSource) -> None:
    """The provider's directory has a name of letters, digits, underscores and hyphens only."""
    judge.no_findings("ES-DISC-01", source)


@rule("ES-DISC-02", Level.MUST, source=f"{_FROM_DISK}; man ganeti-extstorage-interface(7)")
def test_required_scripts_exist(source: ProviderSource) -> None:
    """The seven required scripts exist.

    If one is missing Ganeti refuses every call to the provider, not only that one.
    """
    judge.no_findings("ES-DISC-02", source)


@rule("ES-DISC-03", Level.MUST, source=f"{_CHECK_FILE} (S_ISREG)")
def test_required_scripts_are_files(source: ProviderSource) -> None:
    """Each required script is a regular file, or a link that leads to one."""
    judge.no_findings("ES-DISC-03", source)


@rule("ES-DISC-04", Level.MUST, source=f"{_CHECK_FILE} (S_IXUSR)")
def test_required_scripts_are_executable(source: ProviderSource) -> None:
    """Each required script is executable by its owner.

    Ganeti asks for the owner's bit alone, whoever the owner is.
    """
    judge.no_findings("ES-DISC-04", source)


@rule("ES-DISC-05", Level.MUST, source=_FROM_DISK)
def test_parameters_file_is_readable(source: ProviderSource) -> None:
    """The file parameters.list exists and is UTF-8 text, empty if there are no parameters."""
    judge.no_findings("ES-DISC-05", source)


@rule("ES-DISC-06", Level.MUST, source=f"{_CHECK_FILE} (required=False)", since="2.14")
def test_optional_scripts_are_executable_files(source: ProviderSource) -> None:
    """An optional script that is there is a regular file that its owner can execute.

    One bad optional script makes the whole provider invalid.
    """
    judge.no_findings("ES-DISC-06", source)


@rule("ES-DISC-07", Level.MUST, source="lib/storage/extstorage.py ES_SEARCH_PATH; lib/pathutils.py")
def test_works_elsewhere_under_another_name(subject: Subject) -> None:
    """The provider works in any directory of the search path and under any valid name.

    Both are the administrator's choice; a script that has them built in fails,
    or runs half, on the first installation that differs.
    """
    copy = subject.suite.copy_of_provider(_OTHER_NAME)

    def moved(invocation: Invocation) -> Invocation:
        return invocation.in_copy(str(copy)).with_variables(EXTP_PROVIDER=copy.name)

    as_well(subject, moved, as_ganeti_calls)


@rule(
    "ES-DISC-08",
    Level.SHOULD,
    source="man ganeti-extstorage-interface(7) DESCRIPTION; lib/cmdlib/misc.py ExtStorageQuery",
    profile=Profile.STANDARD,
    nodes=2,
)
def test_same_files_on_every_node(subject: Subject) -> None:
    """A provider that is installed on several nodes has the same files on all of them.

    Ganeti neither copies providers nor compares them, beyond the names of their parameters.
    Looked at is the directory that is judged, at its own path on each node.
    """
    installed = [node for node in subject.nodes if node.installed]
    if not installed:
        raise NotApplicable("the nodes have nothing at the provider's path: they use a copy")
    wanted = digests(str(subject.suite.source))
    for node in installed:
        found = node.installed
        different = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
        shown = f"others on {node.name}: {', '.join(different[:5])}"
        judge.holds(not different, "the same files as on this machine", shown)
