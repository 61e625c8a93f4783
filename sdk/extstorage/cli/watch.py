"""``extstorage watch``: judge a provider again whenever one of its files changes.

The files are watched with watchfiles (inotify, or polling where that does not reach): it waits
until an editor is done and reports a file that was replaced as changed.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extstorage.cli.arguments import provider_to_read
from extstorage.cli.errors import CANNOT_RUN
from extstorage.contract.methods import METHOD_NAMES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

SUMMARY = "judge a provider again whenever one of its files changes, until Ctrl-C"
_DEBOUNCE_MS = 300
_STEP_MS = 100
_ENDING_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("directory", metavar="DIR", help="the provider's directory")
    parser.add_argument(
        "--profile",
        choices=("core", "standard", "full"),
        default="core",
        help="how much to run (default: %(default)s)",
    )
    parser.add_argument(
        "--config", metavar="FILE", help="the configuration (default: conformance.toml in DIR)"
    )
    parser.add_argument(
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter of every disk, beside those of the configuration (repeatable)",
    )
    parser.add_argument(
        "--rule", metavar="ID", action="append", default=[], help="only this rule (repeatable)"
    )
    parser.add_argument(
        "--polling", action="store_true", help="look at the files often: for network file systems"
    )


def run(arguments: argparse.Namespace) -> int:
    """Judge once, then after each change; 0 after Ctrl-C, 2 or 3 if the first run cannot be."""
    directory = provider_to_read(arguments.directory)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="extstorage-watch-") as scratch:
        judge = _Judge(directory, _options(arguments), Path(scratch, "report.json"))
        try:
            changes = _changes(_files(directory, arguments.config), polling=arguments.polling)
            status = judge.run(arguments.rule)
            if not judge.methods:
                return status or CANNOT_RUN
            for changed in changes:
                _judge_again(judge, changed, arguments.rule)
        except KeyboardInterrupt:
            print("\nstopped")
    return 0


def _options(arguments: argparse.Namespace) -> list[str]:
    config = [f"--config={arguments.config}"] if arguments.config else []
    parameters = [f"--parameter={word}" for word in arguments.parameter]
    return [f"--profile={arguments.profile}", *config, *parameters]


def _files(directory: Path, config: str | None) -> list[Path]:
    """Return what to watch: where links lead to is where files change."""
    linked = {path.resolve().parent for path in directory.iterdir() if path.is_symlink()}
    chosen = {directory.resolve(), *(path for path in linked if path.is_dir())}
    if config and Path(config).exists():
        chosen.add(Path(config).resolve())
    return sorted(chosen)


def _judge_again(judge: _Judge, changed: set[Path], chosen: list[str]) -> None:
    rules = affected(judge.methods, changed) or chosen
    shown = ", ".join(sorted({path.name for path in changed}))
    print(f"\n{shown}: {len(rules) if rules else 'all'} rules", flush=True)
    judge.run(rules)


def _changes(paths: Sequence[Path], *, polling: bool) -> Iterator[set[Path]]:
    """Return what yields the files that changed from now on, whenever some did."""
    import watchfiles  # noqa: PLC0415 - slow, and only needed here

    watched = watchfiles.watch(
        *paths,
        debounce=_DEBOUNCE_MS,
        step=_STEP_MS,
        rust_timeout=_STEP_MS,
        yield_on_timeout=True,
        force_polling=polling or None,
    )
    next(watched)  # it begins to watch when it is asked the first time
    return _asked(watched)


def _asked(watched: Iterator[set[tuple[Any, str]]]) -> Iterator[set[Path]]:
    told = False
    for found in watched:
        if not told:
            print("waiting for changes (Ctrl-C ends)", flush=True)
        changed = {Path(path) for _kind, path in found}
        # Editors' own files, caches: no part of the provider.
        changed = {path for path in changed if not path.name.startswith((".", "__"))}
        told = not changed
        if changed:
            yield changed


def affected(methods: dict[str, list[str]], changed: Iterable[Path]) -> list[str]:
    """Return the rules to run again, by the methods that each ran; an empty list for all.

    A file that is no method's script can be part of every script. Rules that ran no script read
    the files, which takes no time.
    """
    names = {path.name for path in changed}
    if not names <= set(METHOD_NAMES):
        return []
    return sorted(rule for rule, ran in methods.items() if not ran or names & set(ran))


class _Judge:
    """Runs ``extstorage conform`` as a process of its own, and notes which rules ran which methods.

    Ctrl-C reaches that process too: it removes its volumes, and this one waits for it.
    """

    def __init__(self, directory: Path, options: Sequence[str], report: Path) -> None:
        self._command = [sys.executable, "-m", "extstorage", "conform", str(directory), *options]
        self._report = report
        self.methods: dict[str, list[str]] = {}

    def run(self, rules: Sequence[str]) -> int:
        """Judge by ``rules``, or by all of the profile if it is empty; return the exit status."""
        self._report.unlink(missing_ok=True)
        chosen = [f"--rule={rule}" for rule in rules]
        words = [*self._command, *chosen, f"--json={self._report}", "--", "-q", "--no-header"]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL) as process:
            try:
                status = process.wait()
            except KeyboardInterrupt:
                _end(process)
                raise
        if self._report.exists():
            self._note(json.loads(self._report.read_text(encoding="utf-8")))
        return status

    def _note(self, report: dict[str, Any]) -> None:
        for result in report["rules"]:
            self.methods[result["id"]] = result["methods"]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the run clean up; whoever is impatient can press Ctrl-C again."""
    process.terminate()  # a background job's children ignore SIGINT
    try:
        process.wait(_ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
