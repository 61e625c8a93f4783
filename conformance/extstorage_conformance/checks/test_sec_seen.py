"""Rules about what others on a node see of scripts: secrets, and files in shared directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.contract.variables import PARAMETER_PREFIX
from extstorage_conformance import judge
from extstorage_conformance.adoption.proposal import is_secret
from extstorage_conformance.faults import tracing
from extstorage_conformance.life import ordinary, snapshot_of
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from extstorage_conformance.faults.tracing import Watched
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_LIFE = ("create", "attach", "open", "setinfo", "snapshot", "grow", "close", "detach", "remove")
_SENTINEL = "Sentinel7dQx4Zw9"
_SHORTEST_SECRET = 6
"""A shorter value stands in harmless text by chance."""


def _watched(subject: Subject, volume: Volume) -> Iterator[Watched]:
    """Take a volume through its life under the tracer; yield each of its calls."""
    for method in filter(subject.uses, _LIFE):
        yield tracing.watch(subject, ordinary(volume, method))
        if method == "snapshot":
            snapshot_of(volume).call("remove")


def _secrets(subject: Subject) -> dict[str, str]:
    """Return the secret parameters and their values: what is not set gets a sentinel.

    Raises NotApplicable if there is none.
    """
    suite = subject.suite
    declared = {words[0] for words in subject.provider.parameters}
    names = {name for name in declared | suite.parameters.keys() if is_secret(name)}
    found = {
        name: suite.parameters.get(name) or _SENTINEL
        for name in sorted(names | suite.configuration.secrets.keys())
    }
    if not found:
        raise NotApplicable("no parameter is in [secrets], or named as a secret is")
    return found


@rule(
    "ES-SEC-05",
    Level.SHOULD,
    source="derived: every user of a node sees arguments of processes, and logs are passed on",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_secrets_are_not_shown(subject: Subject) -> None:
    """The value of a secret parameter is no argument of any program, and stands in no output.

    Secret are the parameters of [secrets], and those that are named so (password, token, api_key).
    A wrong value is no less secret: it may be the right one with a typing error. Programs take
    secrets from files, descriptors and their environment.
    """
    secrets = _secrets(subject)
    for call in _watched(subject, subject.volume(parameters=secrets)):
        _judge_hidden(call, secrets)
    for name in secrets:
        wrong = {**secrets, name: f"{_SENTINEL}Wrong"}
        refused = subject.volume(parameters=wrong)
        _judge_hidden(tracing.watch(subject, ordinary(refused, "create")), wrong)
        if subject.provides("verify"):
            _judge_hidden(tracing.watch(subject, ordinary(refused, "verify")), wrong)


def _judge_hidden(watched: Watched, secrets: Mapping[str, str]) -> None:
    call = watched.call
    judge.ended(call)
    written = call.stdout + call.stderr + call.log
    for name, value in secrets.items():
        if len(value) < _SHORTEST_SECRET:
            continue
        variable = f"{PARAMETER_PREFIX}{name.upper()}"
        judge.holds(
            value not in written, f"no value of {variable} in the output", "it is shown", call
        )
        seen = [argv[0] for argv in watched.arguments if any(value in word for word in argv)]
        got = f"an argument of {', '.join(dict.fromkeys(seen))}"
        judge.holds(not seen, f"no value of {variable} in a program's arguments", got, call)


@rule(
    "ES-SEC-04",
    Level.MUST,
    source="derived: whoever can foretell a root script's file in /tmp can put a link there",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_nothing_can_be_planted_for_scripts(subject: Subject) -> None:
    """Scripts open no file to write, and make no directory, under a name that others can foretell.

    That is about directories that anybody can write to, as /tmp. What mktemp makes is safe, but
    has to be gone when the volume is.
    """
    known: set[str] = set()
    made: dict[str, str] = {}
    try:
        for _ in range(2):
            volume = subject.volume()
            directories = set()
            for watched in _watched(subject, volume):
                made |= watched.made
                _judge_unforeseen(watched, volume, known)
                directories |= _directories(watched, volume)
            known |= directories
        left = _still_there(subject, made)
        got = f"left: {', '.join(left[:3])}"
        judge.holds(not left, "nothing left in shared directories", got, subject.calls[-1])
    finally:
        _clear(subject, made)


def _judge_unforeseen(watched: Watched, volume: Volume, known: set[str]) -> None:
    trusting = ", ".join(dict.fromkeys(watched.trusting))
    expected = "no file in a shared directory, unless it is made as a new one (O_EXCL, mktemp)"
    judge.holds(not trusting, expected, f"opened: {trusting}", watched.call)
    again = sorted(known & _directories(watched, volume))
    expected = "no directory in a shared one, unless its name is random (mktemp --directory)"
    judge.holds(not again, expected, f"made for each volume: {', '.join(again)}", watched.call)


def _directories(watched: Watched, volume: Volume) -> set[str]:
    """Return the directories that were made, with VOL_NAME for the volume's name."""
    return {
        path.replace(volume.name, "VOL_NAME")
        for path, kind in watched.made.items()
        if kind == "directory"
    }


def _still_there(subject: Subject, paths: Mapping[str, str]) -> list[str]:
    found = subject.node.shell(
        "".join(f'[ ! -e "$PATH_{number}" ] || echo {number}\n' for number in range(len(paths))),
        "/",
        {f"PATH_{number}": path for number, path in enumerate(paths)},
    )
    every = list(paths)
    return [every[int(line)] for line in found.stdout.split()]


def _clear(subject: Subject, paths: Mapping[str, str]) -> None:
    """Delete what scripts have made in shared directories: nobody else's, as it was not there."""
    for path, kind in paths.items():
        command = 'rm -rf -- "$MADE"' if kind == "directory" else 'rm -f -- "$MADE"'
        subject.node.shell(command, "/", {"MADE": path})
