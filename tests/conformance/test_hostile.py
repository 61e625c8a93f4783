"""Hostile names and a script that takes them for patterns: told, and nothing is lost by it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.mutants.judging import forget_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conformance.conftest import Workbench

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for loop devices")


@pytest.fixture(autouse=True)
def forgotten(workbench: Workbench) -> Iterator[None]:
    """Delete what a run keeps when a provider cannot remove what it has made."""
    yield
    forget_runs(workbench.directory / "state")


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def test_a_name_that_matches_the_providers_own_files(workbench: Workbench) -> None:
    remove = (workbench.provider / "remove").read_text()
    unquoted = "rm -f $EXTP_DIRECTORY/other-$VOL_NAME*\n"
    workbench.replace_script("remove", remove.replace("takes_no", f"{unquoted}takes_no", 1))
    before = files(workbench.provider)

    run = workbench.run(rules=("ES-SEC-02",))

    assert files(workbench.provider) == before
    assert run.outcome("ES-SEC-02") == "failed"
    message = run.rule("ES-SEC-02")["message"]
    assert "expected: the provider's files to stay" in message
    assert "remove with VOL_NAME='x\\n" in message
    assert f"cp -aT {workbench.provider} " in run.rule("ES-SEC-02")["replay"]


def test_odd_names_may_be_taken_where_only_a_parameter_tells_the_pool(workbench: Workbench) -> None:
    configuration = workbench.provider / "conformance.toml"
    lines = configuration.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("inventory_directories")]
    configuration.write_text("\n".join(kept))
    common = workbench.provider / "common.sh"
    text = common.read_text()
    assert "*[!A-Za-z0-9._-]*) fail" in text
    common.write_text(text.replace("*[!A-Za-z0-9._-]*) fail", "*[!A-Za-z0-9._\\ -]*) fail"))

    run = workbench.run(rules=("ES-SEC-02",))

    assert run.outcome("ES-SEC-02") == "passed", run.output


@pytest.mark.parametrize("above", [1, 2])
def test_a_name_that_leads_out_of_a_pool_elsewhere(workbench: Workbench, above: int) -> None:
    pool = workbench.directory / "somewhere/pool"
    pool.mkdir(mode=0o700, parents=True)
    configuration = workbench.provider / "conformance.toml"
    text = configuration.read_text().replace('"{run_directory}/pool"\n', f'"{pool}"\n')
    configuration.write_text(text.replace('"{run_directory}/pool", ', ""))
    create = (workbench.provider / "create").read_text()
    leads_out = (
        f'case $VOL_NAME in {"../" * above}s*) : >"$EXTP_DIRECTORY/$VOL_NAME"; exit ;; esac\n'
    )
    workbench.replace_script("create", create.replace("takes_no", f"{leads_out}takes_no", 1))

    run = workbench.run(rules=("ES-SEC-02",))

    assert run.outcome("ES-SEC-02") == "failed", run.output
    assert f"{pool.parents[above - 1]}/stray-" in run.rule("ES-SEC-02")["message"]
    assert not list(pool.parents[above - 1].glob("stray-*"))
