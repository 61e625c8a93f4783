"""Whether verdicts are the same each time: the loopback provider, judged again and again.

Run as ``python -m benchmarks.repeat [--times N] [--profile P]``. Each time is a run of its own;
that mutants are caught each time is what ``pytest tests/mutants/test_repeat.py`` shows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from tests.mutants.judging import conform

LOOPBACK = Path(__file__).parents[1] / "reference-providers/loopback"


def main() -> int:
    """Judge loopback N times; print each verdict that ever differed; 1 if one did."""
    arguments = _arguments()
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for number in range(1, arguments.times + 1):
        for rule_id, outcome, message in _verdicts(arguments.profile):
            seen[rule_id][outcome] += 1
            if outcome != seen[rule_id].most_common(1)[0][0]:
                print(f"{rule_id} {outcome}: {message}", file=sys.stderr)
        print(f"{number} of {arguments.times}: {_summary(seen)}", file=sys.stderr)
    differed = [rule_id for rule_id, outcomes in sorted(seen.items()) if len(outcomes) > 1]
    for rule_id in differed:
        print(f"{rule_id}: {dict(seen[rule_id])}")
    print(f"{arguments.times} times, {len(seen)} rules: {_summary(seen)}")
    return 1 if differed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--profile", default="core")
    return parser.parse_args()


def _verdicts(profile: str) -> list[tuple[str, str, str]]:
    """Return each rule's id, outcome and message in one run."""
    with tempfile.TemporaryDirectory() as directory:
        options = (f"--extstorage-profile={profile}",)
        report = conform(LOOPBACK, Path(directory), set(), options=options)
    return [(rule["id"], rule["outcome"], rule["message"]) for rule in report["rules"]]


def _summary(seen: dict[str, Counter[str]]) -> str:
    total: Counter[str] = sum(seen.values(), Counter())
    return ", ".join(f"{count} {outcome}" for outcome, count in total.items())


if __name__ == "__main__":
    sys.exit(main())
