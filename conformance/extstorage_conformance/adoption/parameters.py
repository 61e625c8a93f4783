"""The parameters that a provider knows, by its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.contract.names import RESERVED_PARAMETERS, is_parameter_name
from extstorage.lint import ProviderSource, variables

if TYPE_CHECKING:
    from pathlib import Path

    from extstorage_conformance.configuration import Configuration


def known_parameters(provider_directory: Path) -> dict[str, str]:
    """Return the parameters that a provider knows, each with where it was found.

    Without those that Ganeti never sends, whatever the provider declares: nobody can give them.
    """
    source = ProviderSource.read(provider_directory)
    declared, read = variables.declared_parameters(source), variables.read_parameters(source)
    return {
        name: _found(declared=name in declared, read=name in read)
        for name in [*declared, *sorted(read - set(declared))]
        if is_parameter_name(name.lower()) and name.lower() not in RESERVED_PARAMETERS
    }


def _found(*, declared: bool, read: bool) -> str:
    if declared and read:
        return "declared and read"
    return "declared, not read" if declared else "read, not declared"


def advice(provider_directory: Path, configuration: Configuration) -> str:
    """Return which parameters to add to the command line; an empty text if all were given."""
    given = configuration.parameters.keys() | configuration.secrets.keys()
    missing = [name for name in known_parameters(provider_directory) if name not in given]
    if not missing:
        return ""
    words = " ".join(f"--parameter {name}=VALUE" for name in missing)
    return f"if the provider needs parameters, give them: {words}"
