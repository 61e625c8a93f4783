"""Sizes as Ganeti reads and writes them (ParseUnit, FormatUnit in ``lib/utils/text.py``)."""

from __future__ import annotations

import math
import re

from extstorage.cluster.errors import NumberError, UnitParseError

_PATTERN = re.compile(r"^([.\d]+)\s*([a-zA-Z]+)?$")
_MIB = {"": 1, "m": 1, "g": 1024, "t": 1024 * 1024}
_STEP_MIB = 4


def parse_unit(text: str) -> int:
    """Return a size in MiB, rounded up to a multiple of 4; raise UnitParseError, NumberError.

    A number without unit is in MiB; ``M``, ``MB`` and ``MiB`` are all the same unit.
    """
    match = _PATTERN.match(text)
    if not match:
        raise UnitParseError("Invalid format")
    factor = _factor(match[2] or "")
    try:
        value = math.ceil(float(match[1]) * factor)
    except (ValueError, OverflowError) as error:  # "1.2.3", "."
        raise NumberError(str(error)) from None
    return -(-value // _STEP_MIB) * _STEP_MIB


def _factor(unit: str) -> int:
    lower = unit.lower()
    for letter, factor in _MIB.items():
        if letter and lower in (letter, letter + "b", letter + "ib"):
            return factor
    if not unit:
        return 1
    raise UnitParseError(f"Unknown unit: {unit}")


def format_unit(mib: int) -> str:
    """Return a size in MiB as people read it: ``64M``, ``1.5G``."""
    if mib < _MIB["g"]:
        return f"{mib}M"
    if mib < _MIB["t"]:
        return f"{mib / _MIB['g']:0.1f}G"
    return f"{mib / _MIB['t']:0.1f}T"
