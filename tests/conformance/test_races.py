"""What a race is judged by: steps of which each works before it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conformance.conftest import Workbench

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for loop devices")

# Once setinfo has run, the device that attach names cannot be opened, nor the volume.
ADDED_AFTER_FIND_VOLUME = {
    "setinfo": 'mknod "$volume/device" b 240 0 || fail "cannot write to $volume"',
    "attach": '[ ! -e "$volume/device" ] || { printf %s "$volume/device"; exit; }',
    "open": '[ ! -e "$volume/device" ] || fail "cannot open $VOL_NAME"',
    "remove": 'rm -f -- "$volume/device"',
}


def test_volume_that_cannot_be_opened_after_a_race_breaks_the_rule(workbench: Workbench) -> None:
    for method, command in ADDED_AFTER_FIND_VOLUME.items():
        text = (workbench.provider / method).read_text(encoding="utf-8")
        workbench.replace_script(
            method, text.replace("\nfind_volume\n", f"\nfind_volume\n{command}\n")
        )

    run = workbench.run(rules=("ES-CONC-04",))

    rule = run.rule("ES-CONC-04")
    assert rule["outcome"] == "failed", run.output
    assert "a volume that can be used after the race of grow and setinfo" in rule["message"]
    assert "open failed" in rule["message"]
