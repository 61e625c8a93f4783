from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema

from tests.sarif_schema import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command


def test_good_provider(extstorage: Command, provider: Path) -> None:
    completed = extstorage("lint", provider)

    assert (completed.returncode, completed.stdout) == (0, "good: no findings\n")


def test_findings_name_file_line_and_rule(extstorage: Command, provider: Path) -> None:
    (provider / "setinfo").write_text('#!/bin/sh\necho "$EXTP_CACHE"\n')

    completed = extstorage("lint", provider)

    assert completed.returncode == 1
    assert completed.stdout == (
        "setinfo:2: EXTP_CACHE is read, but parameters.list does not declare 'cache'"
        " [ES-LINT-05 SHOULD]\n"
        "good: 1 finding\n"
    )


def test_json(extstorage: Command, provider: Path) -> None:
    (provider / "setinfo").chmod(0o644)

    completed = extstorage("lint", provider, "--json")

    assert completed.returncode == 1
    assert json.loads(completed.stdout) == [
        {
            "rule": "ES-DISC-04",
            "level": "MUST",
            "file": "setinfo",
            "line": None,
            "message": "is not executable by its owner: run chmod +x",
        }
    ]


def test_sarif(extstorage: Command, provider: Path) -> None:
    (provider / "setinfo").chmod(0o644)

    completed = extstorage("lint", provider, "--sarif")

    jsonschema.validate(json.loads(completed.stdout), SCHEMA)
    run = json.loads(completed.stdout)["runs"][0]
    assert completed.returncode == 1
    assert [one["ruleId"] for one in run["results"]] == ["ES-DISC-04"]
    assert run["tool"]["driver"]["rules"][0]["defaultConfiguration"] == {"level": "error"}


def test_sarif_names_files_below_the_current_directory(extstorage: Command, provider: Path) -> None:
    (provider / "setinfo").chmod(0o644)
    inside = provider.rename(extstorage.directory / "my provider")

    whole = json.loads(extstorage("lint", inside, "--sarif").stdout)
    jsonschema.validate(whole, SCHEMA)
    run = whole["runs"][0]

    uris = [
        one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]
    ]
    assert uris == ["my%20provider", "my%20provider/setinfo"]


def test_what_is_no_provider_is_not_read(extstorage: Command) -> None:
    completed = extstorage("lint", "/")

    assert completed.returncode == 2
    assert completed.stderr.startswith("extstorage lint: / is no provider's directory: expected ")
    assert not completed.stdout
