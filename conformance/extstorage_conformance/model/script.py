"""Writes a failure as a POSIX sh script that needs nothing but the provider."""

from __future__ import annotations

import shlex
from importlib.resources import files
from typing import TYPE_CHECKING

from extstorage.contract.variables import PARAMETER_PREFIX
from extstorage_conformance.model.expected import Owes
from extstorage_conformance.stamps import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from extstorage.host.call import Call
    from extstorage_conformance.model.expected import Known
    from extstorage_conformance.model.machine import Failure
    from extstorage_conformance.model.play import Played
    from extstorage_conformance.suite import Suite

_OWED = {Owes.SUCCESS: "owes-success", Owes.FAILURE: "owes-failure"}
_PLACE = "/run_directory"  # stands for the run's directory until it is quoted


def script(suite: Suite, failure: Failure) -> str:
    """Return the script's text: it exits 1 if the failure is there, 0 if not, 3 if unknown.

    Secret parameters are not in it: it takes them from its environment.
    """
    return "\n".join([*_Writer(suite, failure).lines(), ""])


class _Writer:
    """Writes one failure; every volume gets a number, which its shell variable has."""

    def __init__(self, suite: Suite, failure: Failure) -> None:
        self._suite = suite
        self._failure = failure
        played = failure.play.played
        self._names = sorted(
            {known.name for each in played for known in (each.volume, each.snapshot)}
        )
        self._first = next(each.call for each in played if each.call is not None)

    def lines(self) -> Iterator[str]:
        violation, suite = self._failure.violation, self._suite
        yield "#!/bin/sh"
        yield f"# expected: {_one_line(suite.redact(violation.expected))}"
        yield f"# got:      {_one_line(suite.redact(violation.got))}"
        yield "# sh FILE [PROVIDER], as root: exit 1 if it happens again, 0 if not, 3 if unknown."
        yield f"provider=${{1:-{shlex.quote(str(suite.directory))}}}"
        for name in suite.configuration.secrets:
            variable = PARAMETER_PREFIX + name.upper()
            yield f': "${{{variable}:?export the secret parameter {name}}}"'
        yield from self._world()
        yield ""
        yield files(__package__).joinpath("preamble.sh").read_text(encoding="utf-8").rstrip()
        yield ""
        yield "begin"
        for number, played in enumerate(self._failure.play.played, start=1):
            yield ""
            yield f"# {number}. {played.step}"
            yield from self._step(played)
        yield ""
        yield "remove_all"
        yield "nothing_left"
        yield "does_not_happen"

    def _world(self) -> Iterator[str]:
        """Yield what is the same for all calls: volumes, hook, places, environment."""
        sent = self._first.invocation.sent
        common = dict(self._first.invocation.inherited) | _parameters(sent)
        hook = self._suite.configuration.hooks["setup"] or ":"
        places = self._suite.configuration.run["inventory_directories"]
        shown = " ".join(self._quoted(place.replace("{run_directory}", _PLACE)) for place in places)
        yield f"names={shlex.quote(' '.join(self._names))}"
        yield f"mark={shlex.quote(self._names[0][:36])}"
        yield f"volumes='{' '.join(str(self._number(name)) for name in self._names)}'"
        yield f"hook={shlex.quote(hook)}"
        yield f"places() {{ printf '%s\\n' {shown or '/nonexistent'}; }}"
        yield "world() {"
        yield "    env -i \\"
        for name, value in sorted(common.items()):
            yield f"        {self._assignment(name, value)} \\"
        yield '        "$@"'
        yield "}"

    def _assignment(self, name: str, value: str) -> str:
        secrets = {PARAMETER_PREFIX + each.upper() for each in self._suite.configuration.secrets}
        return f'{name}="${name}"' if name in secrets else f"{name}={self._quoted(value)}"

    def _quoted(self, value: str) -> str:
        """Return ``value`` for the shell; the run's directory becomes the script's own."""
        parts = value.replace(str(self._suite.run_directory), _PLACE).split(_PLACE)
        return '"$run"'.join(shlex.quote(part) if part else "" for part in parts) or "''"

    def _step(self, played: Played) -> Iterator[str]:
        known = played.volume
        number = self._number(known.name)
        if played.call is None:
            for offset, generation in known.written.items():
                if generation == max(known.written.values()):
                    yield f"write {number} {self._stamp(known, offset)}"
            return
        yield f"call {_owes(played, played.call)} {played.step.verb} {self._variables(played.call)}"
        if played.step.verb == "attach" and known.exists and played.call.succeeded:
            yield f"attached {number} {known.size_mib}"
            for offset in known.written:
                yield f"holds {number} {self._stamp(known, offset)}"
        elif played.step.verb in ("detach", "remove") and played.call.succeeded:
            first = self._stamp(known, 0).split(" ")[1] if 0 in known.written else ""
            yield f"detached {number} {first}".rstrip()
        if played.step.verb in ("detach", "remove"):
            yield f"others_stay {number}"

    def _variables(self, call: Call) -> str:
        own = set(call.invocation.sent) - set(_parameters(call.invocation.sent))
        return " ".join(
            f"{name}={self._quoted(call.invocation.sent[name])}" for name in sorted(own)
        )

    def _stamp(self, known: Known, offset: int) -> str:
        block = offset // BLOCK_BYTES
        return f"{block} {known.stamped_as[offset]}:{block}:{known.written[offset]}"

    def _number(self, name: str) -> int:
        return self._names.index(name) + 1


def _owes(played: Played, call: Call) -> str:
    return _OWED.get(played.owed, "succeeded" if call.succeeded else "failed")


def _parameters(sent: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in sent.items() if name.startswith(PARAMETER_PREFIX)}


def _one_line(text: str) -> str:
    return " ".join(text.split())
