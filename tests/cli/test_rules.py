from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def test_list(extstorage: Command) -> None:
    completed = extstorage("rules")

    assert completed.returncode == 0
    assert "ES-ATTACH-04" in completed.stdout


def test_one_rule(extstorage: Command) -> None:
    completed = extstorage("rules", "es-attach-04")

    assert completed.returncode == 0
    assert completed.stdout.startswith("ES-ATTACH-04")


def test_json(extstorage: Command) -> None:
    completed = extstorage("rules", "--json")

    assert "ES-ATTACH-04" in {rule["id"] for rule in json.loads(completed.stdout)}


def test_unknown_rule(extstorage: Command) -> None:
    completed = extstorage("rules", "ES-NOTHING-01")

    assert completed.returncode == 2
    assert "ES-NOTHING-01" in completed.stderr
    assert completed.stderr.strip().count("\n") == 0
