"""Rules about the variables that scripts read: declared, and really sent.

A text scan, made to err on the side of silence: a name that the provider sets
itself is its own, and a name put together at run time can be any.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from extstorage.contract.methods import PARAMETERS_FILE
from extstorage.contract.parameters import parse
from extstorage.contract.variables import (
    ALWAYS_SENT_PARAMETERS,
    PARAMETER_PREFIX,
    VARIABLE_NAMES,
)
from extstorage.lint import reading
from extstorage.lint.finding import Lint, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage.lint.source import ProviderSource, SourceFile

_NAME = re.compile(r"(?<![A-Za-z0-9_])(?:EXTP|VOL)_\w+")
# The beginning of names that are put together at run time: EXTP_$name, grep ^EXTP_.
_PREFIX = re.compile(
    r"(?<![A-Za-z0-9_])((?:EXTP|VOL)_(?:\w*_)?)(?=[^\w\s.,])|\bgrep\b.*\b(EXTP_|VOL_)(?!\w)"
)
_IN_PYTHON = re.compile(r"^(?:EXTP|VOL)_\w*$|(?<=\$)(?:EXTP|VOL)_\w+|(?<=\$\{)(?:EXTP|VOL)_\w+")
_ASSIGNED = re.compile(r"(?<![\w$-])((?:EXTP|VOL)_\w+)\+?=(?!=)(.*)")
_READ_INTO = re.compile(r"\b(?:for|local|read)\b((?:\s+[\w-]+)+)")
_RUNTIME_PARAMETERS = "extstorage.provider.parameters"


@dataclass
class _Names:
    """The names that a provider's code speaks of; each with the place where it is first read."""

    read: dict[str, tuple[str, int]] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)

    def note(self, name: str, file: SourceFile, line: int) -> None:
        """Note a name that is read; one that ends in ``_`` is the beginning of names."""
        if name.endswith("_"):
            self.prefixes.add(name)
        else:
            self.read.setdefault(name, (file.name, line))

    def foreign(self, prefix: str) -> dict[str, tuple[str, int]]:
        """Return the names with this prefix that are read and not set by the provider itself."""
        return {
            name: place
            for name, place in self.read.items()
            if name.startswith(prefix) and name not in self.assigned
        }


def _names(source: ProviderSource) -> _Names:
    names = _Names()
    for file in source.code:
        tree = reading.tree(file)
        if tree is None:
            _scan_text(file, names)
        else:
            _scan_python(tree, file, names)
    return names


def _scan_text(file: SourceFile, names: _Names) -> None:
    for number, code in reading.lines(file):
        for match in _ASSIGNED.finditer(code):
            # NAME=${NAME:-default} reads what Ganeti sent.
            if match[1] not in match[2]:
                names.assigned.add(match[1])
        for match in _READ_INTO.finditer(code):
            names.assigned.update(match[1].split())
        for match in _PREFIX.finditer(code):
            names.prefixes.add(match[1] or match[2])
        for match in _NAME.finditer(code):
            names.note(match[0], file, number)


def _scan_python(tree: ast.Module, file: SourceFile, names: _Names) -> None:
    kinds = _parameter_kinds(tree)
    for line, text in reading.strings(tree):
        for match in _IN_PYTHON.finditer(text):
            names.note(match[0], file, line)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for name, line in _declared_in(node, kinds):
                names.note(PARAMETER_PREFIX + name.upper(), file, line)


def _parameter_kinds(tree: ast.Module) -> set[str]:
    """Return the names under which a module knows kinds of parameters: the runtime's, its own."""
    kinds: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == _RUNTIME_PARAMETERS:
            kinds |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base) for base in node.bases}
            if bases & kinds or any("parameters." in base for base in bases):
                kinds.add(node.name)
    return kinds


def _declared_in(node: ast.ClassDef, kinds: set[str]) -> Iterator[tuple[str, int]]:
    """Yield ``pool`` for each ``pool = parameters.Text(...)`` of a class."""
    for statement in node.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            function = ast.unparse(statement.value.func)
            if function in kinds or "parameters." in function:
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        yield target.id, statement.lineno


def _declared(source: ProviderSource) -> dict[str, int]:
    """Return the variable of each declared parameter, with its line in parameters.list."""
    lines = enumerate(parse(source.parameters or ""), start=1)
    return {
        PARAMETER_PREFIX + words[0].upper(): number
        for number, words in lines
        if words and not words[0].startswith("#")  # the comment itself is what is wrong there
    }


def declared_parameters(source: ProviderSource) -> list[str]:
    """Return the parameters in parameters.list, in its order, as Ganeti's users write them."""
    return [name.removeprefix(PARAMETER_PREFIX).lower() for name in _declared(source)]


def read_parameters(source: ProviderSource) -> set[str]:
    """Return the parameters that the provider's code reads by name; Ganeti's own are left out."""
    read = _names(source).foreign(PARAMETER_PREFIX)
    return {
        name.removeprefix(PARAMETER_PREFIX).lower()
        for name in read
        if name not in ALWAYS_SENT_PARAMETERS
    }


def _parameters_match(source: ProviderSource) -> Iterator[Place]:
    if source.parameters is None:
        return  # ES-DISC-05 says it
    names = _names(source)
    declared = _declared(source)
    read = names.foreign(PARAMETER_PREFIX)
    for name, (file, line) in read.items():
        if name not in declared and name not in ALWAYS_SENT_PARAMETERS:
            yield file, line, _undeclared(name)
    if not names.read:
        return  # the work is done by a program elsewhere, which cannot be read here
    for name, line in declared.items():
        if name not in names.read and not name.startswith(tuple(names.prefixes)):
            parameter = name.removeprefix(PARAMETER_PREFIX).lower()
            yield (
                PARAMETERS_FILE,
                line,
                f"parameter {parameter!r} is declared, but no script reads {name}",
            )


def _undeclared(name: str) -> str:
    if name != name.upper():
        return f"{name} is never sent: Ganeti writes a parameter's name in capitals"
    parameter = name.removeprefix(PARAMETER_PREFIX).lower()
    return f"{name} is read, but {PARAMETERS_FILE} does not declare {parameter!r}"


def _volume_variables(source: ProviderSource) -> Iterator[Place]:
    for name, (file, line) in _names(source).foreign("VOL_").items():
        if name not in VARIABLE_NAMES:
            yield file, line, f"{name} is read, but Ganeti sends no such variable{_similar(name)}"


def _similar(name: str) -> str:
    squeezed = name.replace("_", "").upper()
    for known in VARIABLE_NAMES:
        if known.replace("_", "") == squeezed:
            return f": it is {known}"
    return ""


LINTS = (
    Lint("ES-LINT-05", "SHOULD", _parameters_match),
    Lint("ES-LINT-06", "SHOULD", _volume_variables),
)
