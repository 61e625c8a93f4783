"""Judgements of a call under test; each raises Violation when the provider is wrong."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from extstorage.lint import LINTS, CannotLint
from extstorage_conformance.violation import Violation

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage.lint import ProviderSource
    from extstorage_conformance.devices import Stream

LONGEST_WAIT_S = 5.0  # an instance notices; a loaded node reaches one or two seconds by itself

_SHOWN_FINDINGS = 5


def ended(call: Call) -> Call:
    """Judge that the script ended by itself, with an exit status, in its time limit."""
    if call.timed_out:
        raise Violation("the script to end", f"no end after {call.seconds:.0f} s", call)
    if call.signal is not None:
        raise Violation("an exit status", f"the script was killed by signal {call.signal}", call)
    return call


def succeeds(call: Call, because: str = "") -> Call:
    """Judge that the script exited 0; ``because`` says why it owes that."""
    ended(call)
    if call.exit_code != 0:
        raise Violation(f"exit 0{_clause(because)}", f"exit {call.exit_code}", call)
    return call


def fails(call: Call, because: str = "") -> Call:
    """Judge that the script exited non-zero; ``because`` says why it owes that."""
    ended(call)
    if call.exit_code == 0:
        raise Violation(f"a non-zero exit{_clause(because)}", "exit 0", call)
    return call


def holds(condition: object, expected: str, got: str, call: Call | None = None) -> None:
    """Judge that ``condition`` is true; ``call`` is the script call that decides it."""
    if not condition:
        raise Violation(expected, got, call)


def undisturbed(stream: Stream, call: Call) -> None:
    """Judge that I/O that went on during ``call`` met no error and no long wait."""
    holds(not stream.errors, "undisturbed I/O", "; ".join(stream.errors[:3]), call)
    expected = f"no I/O to wait longer than {LONGEST_WAIT_S:.0f} s"
    holds(stream.longest_s <= LONGEST_WAIT_S, expected, f"a wait of {stream.longest_s:.1f} s", call)


def block_device(call: Call) -> str:
    """Judge that attach succeeded and named a block device; return the path.

    Reads the output as Ganeti does: the first line, nothing stripped.
    """
    succeeds(call)
    path = call.stdout.split("\n")[0]
    if not path:
        raise Violation("a device path on the first line of stdout", _shown(call.stdout), call)
    assert call.node is not None  # noqa: S101 - the call was made
    try:
        # The path as it was printed: a blank at its end is part of it.
        mode = call.node.stat(path).st_mode
    except (OSError, ValueError) as error:
        raise Violation(
            "the path of an existing block device", f"{path!r}: {error}", call
        ) from None
    if not stat.S_ISBLK(mode):
        raise Violation("the path of a block device", f"{path!r} is something else", call)
    return path


def no_findings(rule_id: str, source: ProviderSource) -> None:
    """Judge that lint finds nothing against the rule ``rule_id``; skips without lint's tools."""
    try:
        found = LINTS[rule_id].check(source)
    except CannotLint as error:
        pytest.skip(str(error))
    shown = [str(finding).rpartition(" [")[0] for finding in found[:_SHOWN_FINDINGS]]
    if len(found) > len(shown):
        shown.append(f"and {len(found) - len(shown)} more")
    holds(not found, "nothing to find in the provider's files", "; ".join(shown))


def _shown(text: str, limit: int = 80) -> str:
    return repr(text[:limit]) + (" ..." if len(text) > limit else "") if text else "no output"


def _clause(because: str) -> str:
    return f" ({because})" if because else ""
