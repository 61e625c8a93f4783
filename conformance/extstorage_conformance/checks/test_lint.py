"""Rules about the scripts as programs, found without running them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage_conformance import judge
from extstorage_conformance.rules import Level, rule

if TYPE_CHECKING:
    from extstorage.lint import ProviderSource


@rule("ES-LINT-01", Level.MUST, source="derived: execve(2); Ganeti calls such a provider valid")
def test_scripts_can_be_started(source: ProviderSource) -> None:
    """Every script begins with #! and an interpreter that this machine has, or is a program itself.

    A missing interpreter or a carriage return after its name shows only when an
    instance is made.
    """
    judge.no_findings("ES-LINT-01", source)


@rule("ES-LINT-02", Level.MUST, source="derived: a script that does not parse cannot do its work")
def test_scripts_parse(source: ProviderSource) -> None:
    """Every script parses in the shell, or the Python, that it names.

    Scripts for Python 2 are the usual case: they start and end with a traceback.
    """
    judge.no_findings("ES-LINT-02", source)


@rule("ES-LINT-03", Level.SHOULD, source="derived: values reach scripts raw, blanks included")
def test_shell_scripts_are_clean(source: ProviderSource) -> None:
    """Shell scripts have no shellcheck errors and quote Ganeti's variables."""
    judge.no_findings("ES-LINT-03", source)


@rule("ES-LINT-05", Level.SHOULD, source="man ganeti-extstorage-interface(7) parameters.list")
def test_parameters_are_declared_and_read(source: ProviderSource) -> None:
    """Every parameter that the scripts read is declared, and every declared one is read.

    What gnt-storage info shows is all that an administrator learns of parameters.
    """
    judge.no_findings("ES-LINT-05", source)


@rule("ES-LINT-06", Level.SHOULD, source="lib/storage/extstorage.py _ExtStorageEnvironment")
def test_known_variables_are_read(source: ProviderSource) -> None:
    """Scripts read no VOL_ variable that Ganeti does not send.

    A misspelt name is always empty.
    """
    judge.no_findings("ES-LINT-06", source)


@rule(
    "ES-LINT-07", Level.SHOULD, source="lib/storage/extstorage.py ES_SEARCH_PATH; lib/pathutils.py"
)
def test_own_place_is_not_built_in(source: ProviderSource) -> None:
    """No script has the directory built in that its provider is installed in.

    $0 says where it is. ES-DISC-07 lets a copy work elsewhere, and sees nothing of this while the
    provider is also there, where the copy finds the other one's files.
    """
    judge.no_findings("ES-LINT-07", source)
