"""Answers what Ganeti's master refuses: a JSON list of requests on stdin, a list of answers.

Runs under the distribution's /usr/bin/python3, which Ganeti's modules are for, and knows nothing of
this project. The argument is the directory that holds the package ``ganeti``. An answer is what
was returned, or what was raised: the type's name and its arguments.

Requests: ["hostname", name]; ["matched", name, known names]; ["changes", names of the disks, list
of (action, identifier, parameters)].
"""

# ruff: noqa: ANN401, SLF001 - Ganeti's code has no types; what is asked has no other door

from __future__ import annotations

import json
import sys
from typing import Any
from unittest import mock

sys.path.insert(0, sys.argv[1])

from ganeti import config, netutils, objects  # type: ignore[import-not-found]  # no package of ours
from ganeti.cmdlib import instance_set_params  # type: ignore[import-not-found]  # as above

_SetParams = instance_set_params.LUInstanceSetParams


def _changes(names: list[str | None], changes: list[list[Any]]) -> None:
    # The unit has no cluster: what it knows of one is made up, all but the instance's disks.
    unit = mock.MagicMock()
    unit.cfg.GetInstanceDisks.return_value = [
        objects.Disk(uuid=f"uuid{n}", name=name, size=4, dev_type="ext")
        for n, name in enumerate(names)
    ]
    unit.op.disks, unit.op.offline = changes, None
    unit._LookupDiskIndex = lambda identifier: _SetParams._LookupDiskIndex(unit, identifier)
    unit.op.disks = _SetParams._LookupDiskMods(unit)
    _SetParams._PreCheckDisks(unit, {})


_REQUESTS = {
    "changes": _changes,
    "hostname": netutils.Hostname.GetNormalizedName,
    "matched": config._MatchNameComponentIgnoreCase,
}


def _answer(kind: str, *arguments: Any) -> Any:
    try:
        return _REQUESTS[kind](*arguments)
    except Exception as error:  # noqa: BLE001 - what is raised is the answer
        return [type(error).__name__, *map(str, error.args)]


json.dump([_answer(*request) for request in json.load(sys.stdin)], sys.stdout)
