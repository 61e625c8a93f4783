"""In which order: what takes minutes begins first, each in a process of its own."""

from __future__ import annotations

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    long = [item for item in items if item.name.endswith("-standard]")]
    if not long:
        return
    # `--dist worksteal` gives each process as many in a row, before they steal from each other.
    others = [item for item in items if item not in long]
    share = -(-len(others) // len(long))
    items[:] = [
        each
        for number, first in enumerate(long)
        for each in (first, *others[number * share : (number + 1) * share])
    ]
