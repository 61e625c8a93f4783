"""Each mutant is caught by the rule that it is for every time, not only now and then."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.mutants.build import Mutant, all_mutants, build
from tests.mutants.judging import conform
from tests.mutants.test_matrix import faults_of

if TYPE_CHECKING:
    from pathlib import Path

TIMES = 50


@pytest.mark.whole
@pytest.mark.parametrize("mutant", all_mutants(), ids=lambda mutant: mutant.name)
def test_mutant_is_caught_each_time(mutant: Mutant, tmp_path: Path) -> None:
    provider, rule_id = build(mutant, tmp_path), mutant.breaks[0]
    # What one rule of ES-CRASH has tried serves the others of a run: that is a run each time.
    runs, count = (TIMES, 1) if rule_id.startswith("ES-CRASH") else (1, TIMES)
    results = tmp_path / "results.xml"
    found: Counter[str] = Counter()

    for _ in range(runs):
        options = (f"--count={count}", f"--junit-xml={results}")
        conform(provider, tmp_path, {rule_id}, faults_of(mutant), options)
        found += outcomes(results)

    assert found == {"failed": TIMES}


def outcomes(results: Path) -> Counter[str]:
    """Return how often each outcome came of the check; pytest calls a broken SHOULD skipped."""
    properties = ET.parse(results).getroot().iter("property")  # noqa: S314 - pytest wrote it
    return Counter(
        found.attrib["value"] for found in properties if found.get("name") == "extstorage-outcome"
    )
