"""The life of a volume on every Python that a node may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.provider.test_start import interpreters
from tests.reference_providers.nodes import MIB, VOLUME, Node, files, mapped, size

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("interpreter", interpreters())
def test_a_volumes_life(node: Node, base: Path, interpreter: str) -> None:
    # -W error: a warning of a new interpreter is a failure of a later one.
    node.prefix = (interpreter, "-IS", "-W", "error")
    node.do("verify")
    node.do("create", VOL_SIZE="4")
    device = node.do("attach")
    node.do("open", VOL_OPEN_EXCLUSIVE="True")
    node.do("setinfo", VOL_METADATA="originstname+a")
    node.do("snapshot", VOL_SNAPSHOT_NAME=f"{VOLUME}.snap", VOL_SNAPSHOT_SIZE="4")
    node.do("grow", VOL_SIZE="4", VOL_NEW_SIZE="8")
    assert node.do("attach") == device
    assert size(device) == 8 * MIB
    node.do("close")
    node.do("detach")
    for volume in (VOLUME, f"{VOLUME}.snap"):
        node.do("remove", volume)
    assert files(base / "pool/loopback") == [".staging"]
    assert mapped(base) == {}
