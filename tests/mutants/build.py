"""Mutants: good providers with exactly one thing broken; README.md says how to write one."""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MUTANTS = Path(__file__).parent
_TESTS = MUTANTS.parent
_BASES = (_TESTS / "providers", _TESTS.parent / "reference-providers")
_KINDS: dict[str, type] = {
    "base": str,
    "breaks": list,
    "also": list,
    "sometimes": list,
    "why": str,
    "rename": str,
    "share": list,
    "remove": list,
    "directories": list,
    "links": dict,
    "mode": dict,
    "edit": list,
}
_REQUIRED = ("base", "breaks", "why")


class MutantError(ValueError):
    """A mutant is not what README.md asks for: which mutant, what, what is expected."""


@dataclass(frozen=True)
class Edit:
    """A replacement in one file of the base; ``find`` must stand there exactly once."""

    file: str
    find: str
    replace: str


@dataclass(frozen=True)
class Mutant:
    """One mutant.toml, with the directory ``path`` that it stands in.

    ``breaks`` holds the ids of the rules that fail, first the one that the mutant is for;
    ``also`` those that fail in its wake, ``sometimes`` those that do so by chance, which only the
    whole matrix looks at.
    """

    path: Path
    base: Path
    breaks: tuple[str, ...]
    why: str
    rename: str
    also: tuple[str, ...] = ()
    sometimes: tuple[str, ...] = ()
    share: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    links: dict[str, str] = field(default_factory=dict)
    mode: dict[str, int] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()

    @property
    def name(self) -> str:
        """The mutant's directory name."""
        return self.path.name


def all_mutants() -> list[Mutant]:
    """Return every mutant of the tree, by name; raises MutantError for a bad one."""
    return [load(file.parent) for file in sorted(MUTANTS.glob("*/mutant.toml"))]


def load(directory: Path) -> Mutant:
    """Return the mutant in ``directory``; raises MutantError."""
    try:
        data = tomllib.loads((directory / "mutant.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise MutantError(f"{directory.name}/mutant.toml: {error}") from None
    _check(data, directory.name)
    return Mutant(
        path=directory,
        base=_base(data["base"], directory.name),
        breaks=tuple(data["breaks"]),
        why=data["why"],
        rename=data.get("rename", directory.name),
        also=tuple(data.get("also", ())),
        sometimes=tuple(data.get("sometimes", ())),
        share=tuple(data.get("share", ())),
        remove=tuple(data.get("remove", ())),
        directories=tuple(data.get("directories", ())),
        links=data.get("links", {}),
        mode={name: int(mode, 8) for name, mode in data.get("mode", {}).items()},
        edits=tuple(_edit(edit, directory.name) for edit in data.get("edit", ())),
    )


def build(mutant: Mutant | Path, target_parent: Path) -> Path:
    """Make the provider that ``mutant`` (or its directory) describes; return its directory.

    It is a new directory in ``target_parent``, called as the mutant unless ``rename`` says
    otherwise. Raises MutantError when a change does not fit the base.
    """
    if isinstance(mutant, Path):
        mutant = load(mutant)
    target = target_parent / mutant.rename
    shutil.copytree(mutant.base, target, symlinks=True)
    for name in (*mutant.remove, *mutant.directories, *mutant.links):
        _existing(target, name, mutant).unlink()
    for name in mutant.directories:
        (target / name).mkdir()
    for name, link in mutant.links.items():
        (target / name).symlink_to(link)
    for edit in mutant.edits:
        _apply(edit, _existing(target, edit.file, mutant), mutant)
    for name in mutant.share:
        shutil.copy(MUTANTS / "shared" / name, target)
    overlay = mutant.path / "overlay"
    if overlay.is_dir():
        shutil.copytree(overlay, target, symlinks=True, dirs_exist_ok=True)
    for name, mode in mutant.mode.items():
        _existing(target, name, mutant).chmod(mode)
    return target


def _check(data: dict[str, Any], name: str) -> None:
    for key, value in data.items():
        if key not in _KINDS:
            raise MutantError(f"{name}: unknown key {key!r}: expected one of {', '.join(_KINDS)}")
        if not isinstance(value, _KINDS[key]):
            raise MutantError(f"{name}: {key} must be a {_KINDS[key].__name__}, not {value!r}")
    missing = [key for key in _REQUIRED if not data.get(key)]
    if missing:
        raise MutantError(f"{name}: {missing[0]} is missing or empty")


def _base(name: str, mutant: str) -> Path:
    for parent in _BASES:
        if (parent / name).is_dir():
            return parent / name
    raise MutantError(f"{mutant}: no provider {name!r} in {' or '.join(map(str, _BASES))}")


def _edit(data: dict[str, str], mutant: str) -> Edit:
    if set(data) != {"file", "find", "replace"}:
        raise MutantError(f"{mutant}: an [[edit]] has file, find and replace, not {sorted(data)}")
    return Edit(**data)


def _existing(target: Path, name: str, mutant: Mutant) -> Path:
    path = target / name
    if not path.exists():
        raise MutantError(f"{mutant.name}: {mutant.base.name} has no file {name!r}")
    return path


def _apply(edit: Edit, path: Path, mutant: Mutant) -> None:
    # Bytes, because a mutant may be about line ends.
    text, find = path.read_bytes(), edit.find.encode()
    if text.count(find) != 1:
        raise MutantError(
            f"{mutant.name}: {edit.find!r} must stand once in {mutant.base.name}/{edit.file}, "
            f"not {text.count(find)} times"
        )
    path.write_bytes(text.replace(find, edit.replace.encode()))
