"""Where the files that are no modules are, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parents[1]


def reference_provider(name: str) -> Path:
    """Return the directory of the reference provider ``name``; raise KeyError without one."""
    for path in reference_providers():
        if path.name == name:
            return path
    raise KeyError(name)


def reference_providers() -> list[Path]:
    """Return the directory of every reference provider, by name."""
    return sorted(path for path in _folder("reference-providers").iterdir() if path.is_dir())


def template() -> Path:
    """Return the directory of the cookiecutter template of a provider's project."""
    return _folder("templates") / "provider"


def _folder(name: str) -> Path:
    """Return a folder of data: inside the package, or in the checkout that this package is of."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _CHECKOUT / name
