"""Modules of ours as one text, for nodes on which they are not installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def bundled(*modules: ModuleType) -> str:
    """Return a program that makes these modules importable by their full names, in this order.

    Each is bound to the last part of its name, too. They may import each other, if what is
    imported comes first. The packages that they are in are empty where they are not installed.
    """
    sources = [(module.__name__, _source(module)) for module in modules]
    return f"""
import sys
for _name, _source in {sources!r}:
    _parts = _name.split(".")
    for _length in range(1, len(_parts)):
        _package = ".".join(_parts[:_length])
        if _package not in sys.modules:
            sys.modules[_package] = type(sys)(_package)
            sys.modules[_package].__path__ = []
    _module = sys.modules[_name] = type(sys)(_name)
    exec(compile(_source, _name, "exec"), _module.__dict__)
    setattr(sys.modules[_package], _parts[-1], _module)
    globals()[_parts[-1]] = _module
"""


def _source(module: ModuleType) -> str:
    assert module.__file__ is not None  # noqa: S101 - it is one of our own files
    return Path(module.__file__).read_text(encoding="utf-8")
