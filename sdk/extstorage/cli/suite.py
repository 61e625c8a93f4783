"""Starting the conformance suite: pytest, in this process, undisturbed by the directory it is in.

The suite is a pytest plugin, which pytest finds by its entry point; nothing of it is imported
here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extstorage.cli.errors import CANNOT_RUN, USAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXIT_STATUS = {
    int(pytest.ExitCode.USAGE_ERROR): USAGE,
    int(pytest.ExitCode.INTERRUPTED): CANNOT_RUN,
    int(pytest.ExitCode.NO_TESTS_COLLECTED): CANNOT_RUN,
}
"""pytest's own statuses in ours; 0, 1 and 3 mean the same in both."""


def run_pytest(arguments: Sequence[str]) -> int:
    """Run pytest; return 0, 1, 2 (usage) or 3 (could not run, interrupted, no rule selected)."""
    status = int(
        pytest.main(
            [
                # A pytest.ini or conftest.py of the current directory is another project's.
                f"--config-file={os.devnull}",
                f"--rootdir={Path.cwd()}",
                "--override-ini=cache_dir=.pytest_cache",  # tox would have it elsewhere
                "--noconftest",
                # Checks judge without assert. To rewrite all of this distribution's takes seconds.
                "--assert=plain",
                *arguments,
            ]
        )
    )
    return _EXIT_STATUS.get(status, status)
