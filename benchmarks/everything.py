"""The nightly run: every provider, whole, on every kind of node; kinds, soak, power cuts.

Prints one row of Markdown for each run, as it ends, and exits with 1 if anything failed. What the
runs say goes to standard error. ``--profile core --soak 1m`` is the short form, to try it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests import children

_ROOT = Path(__file__).parents[1]
_PROVIDERS = _ROOT / "reference-providers"
_RUNS = (
    ("loopback", "local"),
    ("loopback", "namespaces:3"),
    ("loopback", "guests:1"),
    ("loopback", "guests:2,nfs"),
    ("lvm", "guests:1,disk=1G"),
    ("lvm", "guests:2,disk=1G"),
    ("lvm/conformance-thin.toml", "guests:1,disk=1G"),
)
_SOAKS = (("loopback", "local"), ("lvm", "guests:1,disk=1G"))
_LEFT_OUT_OF_CI = ("-m", "whole", "tests/conformance")
_POWER_CUTS = ("tests/nodes/test_guests_power.py", "tests/reference_providers/test_lvm_power.py")


def main() -> int:
    """Run all; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soak", default="1h", help="how long each soak lasts (default: 1h)")
    parser.add_argument("--profile", default="full", help="of the suite (default: full)")
    chosen = parser.parse_args()
    print("| what | nodes | result | time |\n| --- | --- | --- | --- |", flush=True)
    good = [_conform(provider, nodes, chosen.profile) for provider, nodes in _RUNS]
    good.append(_left_out_of_ci())
    good += [_soak(provider, nodes, chosen.soak) for provider, nodes in _SOAKS]
    good += [_power_cuts(path) for path in _POWER_CUTS]
    return 0 if all(good) else 1


def _conform(provider: str, nodes: str, profile: str) -> bool:
    name, _, configuration = provider.partition("/")
    words = ["conform", str(_PROVIDERS / name), "--profile", profile, "--nodes", nodes]
    if configuration:
        words += ["--config", str(_PROVIDERS / provider)]
    status, seconds, report = _extstorage([*words, "-n", "2"])
    counts = report.get("counts", {})
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    return _row(f"{provider}, profile {profile}", nodes, status, seconds, said)


def _soak(provider: str, nodes: str, duration: str) -> bool:
    words = ["soak", str(_PROVIDERS / provider), "--for", duration, "--nodes", nodes]
    status, seconds, report = _extstorage(words)
    said = ", ".join(f"{report.get(name, 0)} {name}" for name in ("sequences", "calls", "races"))
    return _row(f"{provider}, soak", nodes, status, seconds, said)


def _left_out_of_ci() -> bool:
    status, seconds, lines = _pytest(("-n", "2", "--dist", "worksteal", *_LEFT_OUT_OF_CI))
    return _row("what CI leaves out of the suite", "local, guests", status, seconds, lines[-1])


def _power_cuts(path: str) -> bool:
    status, seconds, lines = _pytest((path,))
    made = [line.rpartition(" ")[2] for line in lines if line.startswith("power cuts: ")]
    said = f"{(made or ['0'])[-1]} power cuts; {lines[-1]}"
    return _row("power cuts", path, status, seconds, said)


def _pytest(words: tuple[str, ...]) -> tuple[int, float, list[str]]:
    """Run tests; return pytest's status, its seconds, and the lines that it said, at least one."""
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", *words]
    done = children.run(command, _ROOT, stderr=None)
    sys.stderr.write(done.stdout)
    lines = done.stdout.strip().splitlines()
    return done.returncode, time.monotonic() - started, lines or ["nothing"]


def _extstorage(words: list[str]) -> tuple[int, float, dict[str, Any]]:
    """Run a command of ours; return its status, its seconds, its report (empty: it made none)."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "report.json")
        command = [sys.executable, "-m", "extstorage", *words, "--json", str(file)]
        status = children.run(command, _ROOT, stdout=sys.stderr, stderr=None).returncode
        report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return status, time.monotonic() - started, report


def _row(what: str, nodes: str, status: int, seconds: float, said: str) -> bool:
    verdict = "passed" if status == 0 else f"FAILED (exit status {status})"
    print(f"| {what} | {nodes} | {verdict}: {said} | {seconds / 60:.1f} min |", flush=True)
    return status == 0


if __name__ == "__main__":
    sys.exit(main())
