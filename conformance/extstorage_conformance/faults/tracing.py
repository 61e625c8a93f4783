"""Making a call under the tracer: an Invocation like any other, run through its host."""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from extstorage.nodes.local import LocalNode
from extstorage_conformance.faults.tracer.__main__ import CANNOT_TRACE, DIED
from extstorage_conformance.faults.tracer.hanging import END, LEFT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from extstorage.host.call import Call
    from extstorage.host.daemon import Host
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.faults.fault import Fault
    from extstorage_conformance.subject import Subject

INTERPRETERS = (
    "sh", "bash", "dash", "ksh", "mksh", "zsh", "busybox", "env", "python", "pypy", "perl", "ruby",
    "php", "lua", "tclsh", "node",
)  # fmt: skip
"""Programs that run the script's own code, by name without a version: no external commands."""
_PACKAGE = Path(__file__).parents[2]
_CODE = (
    "import sys; sys.path.insert(0, sys.argv.pop(1));"
    " from extstorage_conformance.faults.tracer.__main__ import main; main()"
)
_END = """
mv -- "$LEFT" "$END" 2>/dev/null || exit 0
tries=100
while [ -e "$END" ] && [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.1
done
rm -f -- "$END"
"""
_NODE_PYTHON = "/usr/bin/python3"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Traced:
    """A call that was made under the tracer.

    ``fired`` says whether the fault came to pass; ``steps`` are what the script did, ``taken``
    how many system calls asked for space in a file system, ``said`` how many wrote to standard
    output or error. ``stubborn`` says that a script that hung did not end by SIGTERM, ``ending``
    is the report of one that has left processes.
    """

    call: Call
    fired: bool
    steps: tuple[dict[str, Any], ...]
    taken: int
    said: int
    stubborn: bool = False
    ending: str = ""


@dataclass(frozen=True)
class Watched:
    """A call of which was noted what others can see of it, or get in the way of.

    ``arguments`` are those of every program that was executed; ``trusting`` and ``made`` are the
    paths in directories that anybody can write to which ``tracer/sightings.py`` describes.
    """

    call: Call
    arguments: tuple[tuple[str, ...], ...]
    trusting: tuple[str, ...]
    made: dict[str, str]


def watch(subject: Subject, invocation: Invocation) -> Watched:
    """Make a call under the tracer, which breaks nothing and watches; skips as ``run`` does."""
    call, told = _made(subject, invocation, {"watches": True})
    seen = told.get("sightings") or {"arguments": [], "trusting": [], "made": {}}
    arguments = tuple(tuple(argv) for argv in seen["arguments"])
    return Watched(call, arguments, tuple(seen["trusting"]), seen["made"])


def run(subject: Subject, invocation: Invocation, fault: Fault | None = None) -> Traced:
    """Make a call under the tracer, with a fault or only to see what it does.

    Skips the rule if this node cannot trace.
    """
    call, told = _made(subject, invocation, dict(fault.orders if fault else ()))
    ending = told["report"] if told["leaves"] and fault and fault.kind == "hang" else ""
    return Traced(
        call,
        told["fired"],
        tuple(told["steps"]),
        told["taken"],
        told["said"],
        told["stubborn"],
        ending,
    )


def end_what_is_left(subject: Subject, traced: Traced) -> None:
    """End the processes that a script which hung has left, and wait for that; they may be gone."""
    if traced.ending:
        subject.node.shell(_END, "/", {"LEFT": traced.ending + LEFT, "END": traced.ending + END})


def _made(
    subject: Subject, invocation: Invocation, orders: Mapping[str, Any]
) -> tuple[Call, dict[str, Any]]:
    """Make the call; return it and what the tracer told."""
    report = f"{subject.host.log_directory}/trace-{next(_numbers)}.json"
    names = {**names_in(invocation.environment), str(subject.suite.run_directory): "RUN"}
    call = subject.run(_under_tracer(subject.host, invocation, report, names, orders))
    if call.exit_code == CANNOT_TRACE:
        pytest.skip(f"needs ptrace and seccomp on Linux on x86-64: {call.output.strip()[-200:]}")
    try:
        told = json.loads(subject.host.node.read_file(report))
    except (OSError, ValueError) as error:
        if call.exit_code == DIED:
            raise RuntimeError("the tracer died of a mistake of its own") from error
        # The tracer itself was killed, with a script that did not end.
        told = {"fired": True, "steps": [], "taken": 0, "said": 0, "stubborn": True, "leaves": True}
    return call, {**told, "report": report}


def _under_tracer(
    host: Host,
    invocation: Invocation,
    report: str,
    names: Mapping[str, str],
    orders: Mapping[str, Any],
) -> Invocation:
    """Return the invocation of the tracer that runs the script of ``invocation``."""
    python, package = _tracer(host)
    plan = {
        "report": report,
        "provider": invocation.provider.path,
        "names": names,
        "interpreters": INTERPRETERS,
        **orders,
    }
    words = (python, "-I", "-S", "-c", _CODE, package, json.dumps(plan))
    return invocation.replace(argv=(*words, *invocation.argv))


def _tracer(host: Host) -> tuple[str, str]:
    """Return the node's Python and the directory from which it imports the tracer."""
    if isinstance(host.node, LocalNode):
        return sys.executable, str(_PACKAGE)
    target = f"{host.log_directory}/tracer"
    if not host.node.is_directory(target):
        inside = f"{target}/extstorage_conformance/faults/tracer"
        host.node.copy_directory(str(Path(__file__).parent / "tracer"), inside)
    return _NODE_PYTHON, target


def names_in(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what stands in the paths of one call only, longest first, and what it means."""
    names = ("VOL_SNAPSHOT_NAME", "VOL_NAME", "VOL_UUID")
    given = {name: environment.get(name, "") for name in names}
    values = {
        spelling: name
        for name, value in given.items()
        if len(value) > len(name)
        for spelling in (value, value.replace("-", "--"))  # device-mapper doubles each hyphen
    }
    return dict(sorted(values.items(), key=lambda item: -len(item[0])))
