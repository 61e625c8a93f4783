"""The runtime of providers in sh: the ``*.sh`` files here, filled in from the contract.

``render()`` returns what lies in a provider's ``lib/extstorage/``. Which variables a
method gets, what they are and how a script is used comes from ``extstorage.contract``;
their checks have the names of those of the Python runtime.
"""

from __future__ import annotations

from pathlib import Path

import extstorage
from extstorage.contract.methods import METHOD_NAMES, METHODS
from extstorage.contract.names import METADATA_LENGTH
from extstorage.contract.variables import VARIABLE_NAMES, required_variables, variables_of
from extstorage.provider.variables import MAX_SIZE_MIB, NAME_LENGTH, READERS

_DIRECTORY = Path(__file__).parent


def render() -> dict[str, str]:
    """Return the files of this version's runtime by their names."""
    files = {}
    for path in (_DIRECTORY / "MANUAL", *sorted(_DIRECTORY.glob("*.sh"))):
        text = _filled_in(path.read_text(encoding="ascii"))
        files[path.name] = f"{text}\n{_usage()}\n" if path.name == "usage.sh" else text
    return files


def _filled_in(text: str) -> str:
    kinds = {kind: _variables_of_kind(kind) for kind in _kinds()}
    values = {
        "VERSION": extstorage.__version__,
        "METHODS": " ".join(METHOD_NAMES),
        "NAME_LENGTH": NAME_LENGTH,
        "MAX_SIZE_MIB": MAX_SIZE_MIB,
        "LONGEST_SIZE": "?" * len(str(MAX_SIZE_MIB)),
        "METADATA_LENGTH": METADATA_LENGTH,
        "NAMES": " | ".join(f"{name}:*" for name in kinds["volume_name"]),
        "SIZES": " | ".join(f"{name}:*" for name in kinds["size"]),
        "NEEDS": "\n    ".join(_needs()),
        "NOT_ALWAYS_SENT": " ".join(_not_always_sent()),
        "KINDS": "\n    ".join(
            f"{' | '.join(names)}) es_check_{kind} ;;" for kind, names in kinds.items()
        ),
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def _kinds() -> list[str]:
    return list(dict.fromkeys(reader.__name__ for reader in READERS.values()))


def _variables_of_kind(kind: str) -> list[str]:
    return [name for name, reader in READERS.items() if reader.__name__ == kind]


def _needs() -> list[str]:
    """Return the cases of what methods need; those that need the same share one."""
    cases: dict[str, list[str]] = {}
    for method in METHOD_NAMES:
        sent = {variable.name for variable in variables_of(method)}
        others = [name for name in VARIABLE_NAMES if name not in {*sent, *_not_always_sent()}]
        commands = [f"es_needs='{' '.join(required_variables(method))}'"]
        commands += [f"&& unset {' '.join(others)}"] if others else []
        cases.setdefault(" ".join(commands), []).append(method)
    return [f"{' | '.join(names)}) {commands} ;;" for commands, names in cases.items()]


def _not_always_sent() -> list[str]:
    """Return the variables that go to the methods that need them, and to no other."""
    sent = {name for method in METHOD_NAMES for name in required_variables(method)}
    return [name for name in VARIABLE_NAMES if name in sent]


def _usage() -> str:
    lines = ["es_usage() {", "    case $es_method in"]
    for method in METHODS:
        takes = "[CHECK]..." if method.name == "verify" else "(no arguments)"
        shown = [f"usage: {method.name} {takes}", method.summary, "environment:"]
        shown += [
            f"  {variable.name}  {variable.meaning}" for variable in variables_of(method.name)
        ]
        lines += [f"    {method.name})", "        printf '%s\\n' \\"]
        lines += [f"            {_quoted(line)} \\" for line in shown[:-1]]
        lines += [f"            {_quoted(shown[-1])}", "        ;;"]
    lines += ["    esac", "    es_declare=describe", "    declare_parameters", "}"]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    escaped = text.replace("'", "'\\''")
    return f"'{escaped}'"
