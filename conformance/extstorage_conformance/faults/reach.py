"""How far the faults reached: what a script's boundaries are, and which of them were tried how."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from extstorage_conformance.faults.boundary import ONLY_ASKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extstorage_conformance.faults.boundary import CallMap
    from extstorage_conformance.faults.trial import Tried

_LONGEST = 100


@dataclass
class Reach:
    """Adds up call maps and trials, of one test or of all.

    Attributes:
        methods: For each method its boundaries, as JSON objects, in the order of a call.
        trials: What was tried, with what came of it, as JSON objects.
        skipped: How many trials an earlier run had done already.
        seconds: Time spent on trials.
    """

    methods: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    trials: list[dict[str, Any]] = field(default_factory=list)
    skipped: int = 0
    seconds: float = 0.0

    def know(self, call_map: CallMap) -> None:
        """Note what one method's script does."""
        self.methods[call_map.method] = [each.to_json() for each in call_map.boundaries]

    def note(self, tried: Tried, seconds: float) -> None:
        """Note one trial."""
        self.trials.append(tried.to_json())
        self.seconds += seconds

    def add(self, data: dict[str, Any]) -> None:
        """Add what ``to_json`` made of another test's reach."""
        self.methods.update(data["methods"])
        self.trials += data["trials"]
        self.skipped += data["skipped"]
        self.seconds = round(self.seconds + data["seconds"], 3)

    def __bool__(self) -> bool:
        return bool(self.methods or self.trials)

    def counts(self) -> dict[str, int]:
        """Return how many boundaries there are and how many were tried, kind by kind."""
        boundaries = [(method, each) for method, found in self.methods.items() for each in found]
        tried = {(trial["method"], trial["boundary"]) for trial in self._fired}
        kinds = Counter(trial["kind"] for trial in self._fired)
        return {
            "boundaries": len(boundaries),
            "commands": sum(each["kind"] == "command" for _, each in boundaries),
            "system_calls": sum(each["kind"] != "command" for _, each in boundaries),
            "alike": sum(_is_alike(each) for _, each in boundaries),
            "boundaries_tried": sum((method, each["name"]) in tried for method, each in boundaries),
            "trials": len(self.trials) + self.skipped,
            "failures": kinds["fail"],
            "kills": kinds["kill"],
            "terminations": kinds["term"],
            "hangs": kinds["hang"],
            "whole_call": kinds["whole"],
            "not_reached": sum(not trial["fired"] for trial in self.trials),
            "broken": sum(bool(trial["broken"]) for trial in self.trials),
        }

    @property
    def _fired(self) -> list[dict[str, Any]]:
        return [trial for trial in self.trials if trial["fired"]]

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object, which ``add`` takes."""
        return {
            "methods": self.methods,
            "trials": self.trials,
            "skipped": self.skipped,
            "seconds": round(self.seconds, 3),
        }

    def document(self) -> dict[str, Any]:
        """Return the part of a run's report on faults."""
        return {"means": "ptrace", "counts": self.counts(), **self.to_json()}

    def lines(self) -> Iterator[str]:
        """Yield what a run says of its faults on the terminal."""
        counts = self.counts()
        yield (
            f"faults: {counts['boundaries']} boundaries of {len(self.methods)} methods"
            f" ({counts['commands']} commands, {counts['system_calls']} system calls),"
            f" {counts['boundaries_tried']} of them tried, {counts['alike']} reads like one before"
            f" them; {counts['trials']} trials in"
            f" {self.seconds:.0f} s: {counts['failures']} failures, {counts['kills']} kills,"
            f" {counts['terminations']} SIGTERM, {counts['hangs']} hangs,"
            f" {counts['whole_call']} whole calls; {counts['not_reached']} did not come to pass"
        )
        for method, boundaries in self.methods.items():
            yield f"  {method:8} {len(boundaries):3}  {_sequence(boundaries)}"
        if self.skipped:
            yield f"faults: {self.skipped} trials had passed in the run that is resumed"


def _is_alike(boundary: dict[str, Any]) -> bool:
    """Return whether it only reads what the script has read before: the first stands for all."""
    return boundary["kind"] in ONLY_ASKS and not boundary["name"].endswith("#1")


def _sequence(boundaries: list[dict[str, Any]]) -> str:
    """Return the boundaries in their order, each by its shortest name, repeated ones once."""
    words = [each["name"].partition("#")[0].partition(" ")[0] for each in boundaries]
    changed = [word for word, before in zip(words, ["", *words], strict=False) if word != before]
    text = " ".join(changed)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
