from __future__ import annotations

import pytest

from extstorage.contract.methods import METHOD_NAMES
from extstorage.contract.releases import release
from extstorage.contract.variables import required_variables, variables_of

# What was seen in every recorded call of Ganeti 3.0: VOL_CNAME only if the disk has a name.
SENT = {
    "create": {"VOL_NAME", "VOL_UUID", "VOL_SIZE", "VOL_CNAME"},
    "attach": {"VOL_NAME", "VOL_UUID", "VOL_CNAME"},
    "detach": {"VOL_NAME", "VOL_UUID", "VOL_CNAME"},
    "remove": {"VOL_NAME", "VOL_UUID", "VOL_CNAME"},
    "close": {"VOL_NAME", "VOL_UUID", "VOL_CNAME"},
    "open": {"VOL_NAME", "VOL_UUID", "VOL_CNAME", "VOL_OPEN_EXCLUSIVE"},
    "grow": {"VOL_NAME", "VOL_UUID", "VOL_CNAME", "VOL_SIZE", "VOL_NEW_SIZE"},
    "setinfo": {"VOL_NAME", "VOL_UUID", "VOL_CNAME", "VOL_METADATA"},
    "snapshot": {"VOL_NAME", "VOL_SNAPSHOT_NAME", "VOL_SNAPSHOT_SIZE"},
    "verify": set(),
}


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_variables_of_a_method(method: str) -> None:
    assert {variable.name for variable in variables_of(method)} == SENT[method]


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_required_are_those_that_are_always_sent_by_every_release(method: str) -> None:
    assert set(required_variables(method)) == SENT[method] - {"VOL_UUID", "VOL_CNAME"}


def test_old_releases_send_less() -> None:
    assert [variable.name for variable in variables_of("attach", release("2.10"))] == ["VOL_NAME"]
