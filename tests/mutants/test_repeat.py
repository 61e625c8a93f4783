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
    results = tmp_path / "results.xml"

    conform(
        build(mutant, tmp_path),
        tmp_path,
        {mutant.breaks[0]},
        faults_of(mutant),
        (f"--count={TIMES}", f"--junit-xml={results}"),
    )

    assert outcomes(results) == {"failed": TIMES}


def outcomes(results: Path) -> Counter[str]:
    """Return how often each outcome came of the check; pytest calls a broken SHOULD skipped."""
    properties = ET.parse(results).getroot().iter("property")  # noqa: S314 - pytest wrote it
    return Counter(
        found.attrib["value"] for found in properties if found.get("name") == "extstorage-outcome"
    )
