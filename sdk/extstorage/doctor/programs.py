"""Which programs a provider calls, as far as its files tell."""

from __future__ import annotations

import ast
import re
import shutil
from typing import TYPE_CHECKING

from extstorage.doctor import shell
from extstorage.host.environment import daemon_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from extstorage.lint import ProviderSource
    from extstorage.lint.source import SourceFile

_CALLERS = frozenset(
    {"run", "call", "check_call", "check_output", "Popen", "which", "system", "popen", "getoutput"}
)
RUNTIME_WRAPPERS = frozenset({"run", "ask", "run_daemon"})
"""The functions of the runtime in sh whose first argument is a program."""
_NAME = re.compile(r"^/?[A-Za-z0-9_][\w./+-]*$")


def called(source: ProviderSource) -> dict[str, str]:
    """Return the programs that a provider's code names, each with the first file that does."""
    runtime = _functions(file for file in source.runtime if file.language == "sh")
    own = runtime | _functions(source.code) | {file.name for file in source.files}
    found: dict[str, str] = {}
    for file in source.code:
        for program in sorted(_of_file(file, RUNTIME_WRAPPERS & runtime)):
            if program not in own:
                found.setdefault(program, file.name)
    return found


def missing(source: ProviderSource) -> dict[str, str]:
    """Return those of the programs that the node daemon's PATH does not lead to."""
    path = daemon_environment()["PATH"]
    return {
        program: file
        for program, file in called(source).items()
        if shutil.which(program, path=path) is None
    }


def _functions(files: Iterable[SourceFile]) -> set[str]:
    return {name for file in files for name in shell.functions(file.text)}


def _of_file(file: SourceFile, wrappers: frozenset[str]) -> set[str]:
    interpreter = {file.interpreter[0]} if file.interpreter else set()
    if file.language == "sh":
        return interpreter | shell.commands(file.text, wrappers)
    if file.language == "python":
        return interpreter | set(_of_python(file))
    return interpreter


def _of_python(file: SourceFile) -> Iterator[str]:
    try:
        tree = ast.parse(file.content)
    except (SyntaxError, ValueError):
        return  # lint says so
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _function(node).lstrip("_") in _CALLERS:
            yield from _first_word(node.args[0])


def _function(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _first_word(argument: ast.expr) -> Iterator[str]:
    if isinstance(argument, (ast.List, ast.Tuple)) and argument.elts:
        argument = argument.elts[0]
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        words = argument.value.split()
        if words and _NAME.match(words[0]):
            yield words[0]
