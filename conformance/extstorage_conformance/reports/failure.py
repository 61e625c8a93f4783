"""The text of one result that is not a pass: what a vendor needs to reproduce and mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.nodes.local import LocalNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from extstorage.host.call import Call
    from extstorage_conformance.rules import Rule
    from extstorage_conformance.violation import Blocked, Violation

_LINES = 20  # as many as Ganeti shows an operator


def violation(rule: Rule, found: Violation, calls: Sequence[Call]) -> str:
    """Return the report of a broken rule: sentence, expected, got, call, stderr, replay."""
    lines = [
        f"{rule.id} ({rule.level}) {rule.sentence}",
        f"  expected: {found.expected}",
        f"  got:      {found.got}",
        *_call_lines(found.call),
        f"  source:   {rule.source}",
    ]
    if len(calls) > 1:
        lines.append(f"  calls:    {_history(calls)}")
    return "\n".join(lines)


def blocked(found: Blocked) -> str:
    """Return the report of a step that failed before the rule could be exercised."""
    return "\n".join([str(found), *_call_lines(found.call)])


def _call_lines(call: Call | None) -> list[str]:
    if call is None:
        return []
    heading = "stderr:" if call.invocation.method == "attach" else "output:"
    remote = call.node is not None and not isinstance(call.node, LocalNode)
    return [
        *([f"  node:     {call.node.name}"] if remote and call.node is not None else []),
        f"  call:     {_one(call)} after {call.seconds:.3f} s",
        *(f"  {heading:9} {line[:500]}" for line in call.output.splitlines()[-_LINES:]),
        f"  replay:   {call.invocation.replay()}",
    ]


def _history(calls: Sequence[Call]) -> str:
    several = len({call.node.name for call in calls if call.node is not None}) > 1
    shown = [_on_node(call) if several else _one(call) for call in calls[-12:]]
    return ("... " if len(calls) > len(shown) else "") + ", ".join(shown)


def _on_node(call: Call) -> str:
    assert call.node is not None  # noqa: S101 - the call was made
    return f"{call.node.name.partition('.')[0]} {_one(call)}"


def _one(call: Call) -> str:
    if call.timed_out:
        return f"{call.invocation.method} timed out"
    status = f"signal {call.signal}" if call.signal is not None else f"exit {call.exit_code}"
    return f"{call.invocation.method}: {status}"
