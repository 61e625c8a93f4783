"""Whether verdicts are the same each time: a good provider and mutants, judged again and again.

Run as ``python -m benchmarks.repeat [--times N] [--profile P] [--rule ID]... [MUTANT]...``. Without
mutants the loopback provider is judged; a mutant is judged by the rules that it names.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from tests.mutants.build import MUTANTS, build, load
from tests.mutants.judging import forget_runs

LOOPBACK = Path(__file__).parents[1] / "reference-providers/loopback"


def main() -> int:
    """Judge each provider N times; print each verdict that ever differed; 1 if one did."""
    arguments = _arguments()
    differed = 0
    for name in arguments.mutants or ["loopback"]:
        with tempfile.TemporaryDirectory() as directory:
            seen = _verdicts(name, Path(directory), arguments)
        for rule_id, outcomes in sorted(seen.items()):
            if len(outcomes) > 1:
                differed += 1
                print(f"{name} {rule_id}: {dict(outcomes)}")
        print(f"{name}: {arguments.times} times, {len(seen)} rules: {_summary(seen)}")
    return 1 if differed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--profile", default="core")
    parser.add_argument("--rule", action="append", default=[])
    parser.add_argument("mutants", nargs="*")
    return parser.parse_args()


def _verdicts(name: str, directory: Path, arguments: argparse.Namespace) -> dict[str, Counter[str]]:
    provider, rules = LOOPBACK, list(arguments.rule)
    if name != "loopback":
        provider = build(MUTANTS / name, directory)
        rules = rules or list(load(MUTANTS / name).breaks)
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    report = directory / "report.json"
    for number in range(1, arguments.times + 1):
        _judge(provider, report, rules, arguments.profile)
        for rule in json.loads(report.read_text(encoding="utf-8"))["rules"]:
            seen[rule["id"]][rule["outcome"]] += 1
        print(f"{name}: {number} of {arguments.times}", file=sys.stderr)
    return seen


def _judge(provider: Path, report: Path, rules: list[str], profile: str) -> None:
    report.unlink(missing_ok=True)
    state = report.parent / "state"
    completed = subprocess.run(
        [
            *(sys.executable, "-m", "extstorage", "conform", str(provider), "--profile", profile),
            *("--json", str(report), *(f"--rule={rule}" for rule in rules)),
        ],
        env=os.environ | {"XDG_STATE_HOME": str(state)},
        capture_output=True,
        text=True,
        check=False,
    )
    forget_runs(state)
    if not report.exists():
        sys.exit(f"{provider.name} was not judged:\n{completed.stdout}{completed.stderr}")


def _summary(seen: dict[str, Counter[str]]) -> str:
    total: Counter[str] = sum(seen.values(), Counter())
    return ", ".join(f"{count} {outcome}" for outcome, count in total.items())


if __name__ == "__main__":
    sys.exit(main())
