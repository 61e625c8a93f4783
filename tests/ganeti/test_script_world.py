"""What a script finds when it looks around: the same under both."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.ganeti import ours

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from tests.ganeti.world import World

LOOK_AROUND = r"""
{
    echo "argv: $0 $*"
    tr '\0' '\n' </proc/$$/cmdline
    echo "environment:"; tr '\0' '\n' </proc/$$/environ | sort
    echo "directory: $(readlink /proc/$$/cwd)"
    echo "umask: $(umask)"
    echo "descriptors:"
    for fd in 0 1 2 3 4 5 6 7 8 9; do
        # The shell's own descriptors, for this file and this block, are above 9.
        [ -e "/proc/$$/fd/$fd" ] && readlink "/proc/$$/fd/$fd" | sed 's/\[.*//; s/-20.*//'
    done
    echo "input: $(wc -c)"
    # grep's own: the shell blocks signals for a moment while it starts a program.
    grep -E '^(Uid|Gid|Groups|SigBlk|SigIgn|Umask)' /proc/self/status
    echo "terminal: $(tty <&1)"
    ulimit -a
} >"$EXTP_STORE/${0##*/}" 2>&1
"""

# Last thing in a call, it leaves the calls that follow at once nearly a second to share.
UNTIL_THE_SECOND_ENDS = """sleep "$(date +%N | awk '{ print 1 - $1 / 1e9 }')" """


def _link(directory: Path) -> None:
    real = directory.with_name("real")
    directory.rename(real)
    directory.symlink_to(real)


@pytest.mark.parametrize("method", ["create", "attach"])
@pytest.mark.parametrize("change", [None, _link], ids=["directory", "link to it"])
def test_script_world(
    world: Callable[..., World], method: str, change: Callable[[Path], object] | None
) -> None:
    here = world(faults={method: LOOK_AROUND + '"$GOOD"'}, change=change)
    request = here.request("create")
    here.build()
    here.oracle.answer(request)
    theirs = (here.store / method).read_text()
    here.build()
    ours.answer(request, here.oracle.release)
    assert (here.store / method).read_text() == theirs
    assert "umask: 0077" in theirs
    assert "input: 0" in theirs


def test_log_file(world: Callable[..., World]) -> None:
    here = world(faults={"create": 'echo out; echo err >&2; "$GOOD"'})
    request = here.request("create", "open")
    logs = []
    for answer in (here.oracle.answer, lambda asked: ours.answer(asked, here.oracle.release)):
        here.build()
        answer(request)
        logs.append(
            sorted(
                (path.name[:-24], path.stat().st_mode, path.read_text())
                for path in (here.path / "log").iterdir()
            )
        )
    assert logs[0] == logs[1]
    assert [log[0].split("-")[0] for log in logs[0]] == ["create", "open"]


def test_calls_of_one_second_share_a_log(world: Callable[..., World]) -> None:
    """A failure then quotes the earlier call's output too, under both."""
    here = world(
        faults={
            "create": '"$GOOD" && ' + UNTIL_THE_SECOND_ENDS,
            "setinfo": 'echo "$VOL_METADATA"; [ "$VOL_METADATA" = first ]',
        }
    )
    steps = [("setinfo", {"text": "first"}), ("setinfo", {"text": "second"})]
    for answer in (here.oracle.answer, lambda asked: ours.answer(asked, here.oracle.release)):
        error = _error_within_a_second(here, partial(answer, here.request("create", *steps)))
        assert error[1].endswith("output:\nfirst\nsecond")


def _error_within_a_second(here: World, answer: Callable[[], dict[str, Any]]) -> list[Any]:
    """Return the answer's error, of a time when no second ended between the calls of setinfo."""
    for _ in range(10):
        here.build()
        error: list[Any] = answer()["error"]
        if len(list((here.path / "log").glob("setinfo-*"))) == 1:
            return error
    pytest.fail("a second has ended between two calls, ten times")
