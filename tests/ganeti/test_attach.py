"""What attach prints, and what Ganeti makes of it.

A script may run the good one with ``"$GOOD"``; it prints the device's path and a newline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ganeti.world import World

DEVICE, NO_DEVICE, USERSPACE, ERROR = "device", "no device", "userspace", "error"

ATTACH = {
    "device and newline": ('"$GOOD"', DEVICE),
    "no trailing newline": ('printf %s "$("$GOOD")"', DEVICE),
    "extra lines: URIs and junk": ('"$GOOD"; echo kvm:file:/x; echo "junk line"', DEVICE),
    "URI with upper-case hypervisor": ('"$GOOD"; echo KVM:rbd:pool/x', DEVICE),
    "two URIs of one hypervisor": ('"$GOOD"; echo kvm:a; echo kvm:b', DEVICE),
    "URI of another hypervisor": ('"$GOOD"; echo xen:a', DEVICE),
    "CRLF": ('printf \'%s\\r\\n\' "$("$GOOD")"', DEVICE),
    "CR alone": ('printf \'%s\\rkvm:x\' "$("$GOOD")"', DEVICE),
    "form feed in an extra line": ("\"$GOOD\"; printf 'a\\fb\\n'", DEVICE),
    "chatter on stderr": ('echo Mapping >&2; "$GOOD"', DEVICE),
    "10 MB of extra output": ('"$GOOD"; head -c 10000000 /dev/zero | tr "\\0" x', DEVICE),
    "10 MB on stderr": ('head -c 10000000 /dev/zero | tr "\\0" x >&2; "$GOOD"', DEVICE),
    "symbolic link to the device": (
        'ln -s "$("$GOOD")" "$EXTP_STORE/link"; echo "$EXTP_STORE/link"',
        DEVICE,
    ),
    "background child that lets go of the pipes": ('sleep 1 >/dev/null 2>&1 & "$GOOD"', DEVICE),
    "UTF-8 in an extra line": ('"$GOOD"; echo "Größe ☃"', DEVICE),
    "doubled slash": ('"$GOOD" | sed "s,/,//,g"', DEVICE),
    "nothing": (":", NO_DEVICE),
    "garbage": ("echo garbage", NO_DEVICE),
    "nonexistent path": ("echo /dev/nonexistent0", NO_DEVICE),
    "regular file": ('echo "$EXTP_STORE/$VOL_NAME"', NO_DEVICE),
    "directory": ('echo "$EXTP_STORE"', NO_DEVICE),
    "character device": ("echo /dev/null", NO_DEVICE),
    "chatter before the device": ('echo "Mapping volume..."; "$GOOD"', NO_DEVICE),
    "leading blank": ('printf \' %s\\n\' "$("$GOOD")"', NO_DEVICE),
    "trailing blank": ('printf \'%s \\n\' "$("$GOOD")"', NO_DEVICE),
    "trailing tab": ('printf \'%s\\t\\n\' "$("$GOOD")"', NO_DEVICE),
    "trailing slash": ('printf \'%s/\\n\' "$("$GOOD")"', NO_DEVICE),
    "quoted": ('printf \'"%s"\\n\' "$("$GOOD")"', NO_DEVICE),
    "path of 5000 characters": ("head -c 5000 /dev/zero | tr '\\0' x", NO_DEVICE),
    "byte order mark": ("printf '\\357\\273\\277'; \"$GOOD\"", NO_DEVICE),
    "device on stderr": ('"$GOOD" >&2', NO_DEVICE),
    "newline alone": ("echo", USERSPACE),
    "blank line, then a URI": ("echo; echo kvm:file:/x", USERSPACE),
    "blank line, then the device": ('echo; "$GOOD"', USERSPACE),
    "zero byte": ("printf '/dev/\\000x\\n'", ERROR),
    "non-UTF-8 after the device": ('printf \'%s\\n\\377\\376\\n\' "$("$GOOD")"', ERROR),
    "non-UTF-8 on stderr": ("printf 'a\\377' >&2; \"$GOOD\"", ERROR),
    "exit 1 with messages": ("echo 'boom on stderr' >&2; echo 'on stdout'; exit 1", ERROR),
    "exit 5 silent": ("exit 5", ERROR),
    "exit 255": ("exit 255", ERROR),
    "device, then exit 1": ('"$GOOD"; exit 1', ERROR),
    "UTF-8 and exit 1": ("echo 'Größe ☃' >&2; exit 1", ERROR),
    "non-UTF-8 and exit 1": ("printf 'bad \\377\\376 bytes\\n' >&2; exit 1", ERROR),
    "control characters and exit 1": ("printf 'a\\tb\\033[1m\\001\\177\\r\\n' >&2; exit 1", ERROR),
    "30 lines on each and exit 1": ("seq 1 30; seq 31 60 >&2; exit 1", ERROR),
    "15 lines on each and exit 1": ("seq 1 15; seq 31 45 >&2; exit 1", ERROR),
    "no newline between stdout and stderr": ("printf a; printf b >&2; exit 1", ERROR),
    "other line ends and exit 1": ("printf 'a\\vb\\fc\\302\\205d\\342\\200\\250e'; exit 1", ERROR),
    "killed": ("kill -KILL $$", ERROR),
    "terminated": ('"$GOOD"; kill -TERM $$', ERROR),
    "segmentation fault": ("kill -SEGV $$", ERROR),
}


def _kind(answer: dict[str, Any]) -> str:
    if answer["error"]:
        return ERROR
    device = answer["device"]
    if not device["attached"]:
        return NO_DEVICE
    return DEVICE if device["dev_path"] else USERSPACE


@pytest.mark.parametrize("case", ATTACH)
def test_attach(world: Callable[..., World], case: str) -> None:
    script, kind = ATTACH[case]
    here = world(faults={"attach": script})
    assert _kind(here.compare(here.request("create"))) == kind


@pytest.mark.parametrize("case", ATTACH)
@pytest.mark.parametrize(
    "step",
    ["detach", "remove", ("grow", {"amount_mib": 4}), ("uri", {"hypervisor": "kvm"}), "open"],
    ids=["detach", "remove", "grow", "uri", "open"],
)
def test_operation_after_attach(world: Callable[..., World], case: str, step: Any) -> None:  # noqa: ANN401 - a step
    here = world(faults={"attach": ATTACH[case][0]})
    here.compare(here.request("create", step))


def test_attach_that_fails_the_second_time(world: Callable[..., World]) -> None:
    fault = 'mkdir "$EXTP_STORE/once" 2>&- || { echo already attached >&2; exit 1; }\n"$GOOD"'
    here = world(faults={"attach": fault})
    answer = here.compare(here.request("create", ("grow", {"amount_mib": 4})))
    assert answer["error"][1].endswith("last lines of output:\nalready attached")


def test_a_child_that_holds_the_pipes_holds_the_call(world: Callable[..., World]) -> None:
    fault = '{ sleep 0.5; "$GOOD"; } &'
    here = world(faults={"attach": fault})
    # Both read to the end of the pipes: else there would be no device yet.
    assert _kind(here.compare(here.request("create"))) == DEVICE
