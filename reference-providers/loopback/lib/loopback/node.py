"""This node: its name, and short numbers that stand for long names."""

from __future__ import annotations

import os

NAME = os.uname().nodename
"""The name that tells this node from the others that share the directory."""


def fingerprint(text: str) -> int:
    """Return a 64-bit number for ``text``, the same on every node (FNV-1a)."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value
