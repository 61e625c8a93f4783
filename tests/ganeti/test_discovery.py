"""Which directories are providers, and what Ganeti says of the others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from extstorage.contract.methods import METHOD_NAMES, OPTIONAL_METHODS, REQUIRED_METHODS
from extstorage.host.provider import problems
from extstorage.nodes.local import LocalNode
from tests.ganeti import ours

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ganeti.world import World


def _replace(name: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
    def change(directory: Path) -> None:
        (directory / name).unlink()
        make(directory / name)

    return change


def _link_directory(directory: Path) -> None:
    real = directory.with_name("real")
    directory.rename(real)
    directory.symlink_to(real)


def _plain_file(directory: Path) -> None:
    directory.rename(directory.with_name("real"))
    directory.touch()


def _dangling_directory(directory: Path) -> None:
    directory.rename(directory.with_name("real"))
    directory.symlink_to("/nonexistent")


def _world_writable(directory: Path) -> None:
    (directory / "create").chmod(0o777)
    os.chown(directory / "create", 65534, 65534)


def _looping_link(path: Path) -> None:
    path.symlink_to(path)


def _without(*names: str) -> Callable[[Path], object]:
    def change(directory: Path) -> None:
        for name in names:
            (directory / name).unlink()

    return change


VALID: dict[str, Callable[[Path], object]] = {
    "as it is": lambda _directory: None,
    "no optional scripts": _without(*OPTIONAL_METHODS),
    "open without close": _without("close"),
    "link to a script": _replace("create", lambda path: path.symlink_to("attach")),
    "no #! line": lambda directory: (directory / "create").write_text("exit 0\n"),
    "missing interpreter": lambda directory: (directory / "create").write_text("#!/nonexistent\n"),
    "CRLF": lambda directory: (directory / "create").write_bytes(b"#!/bin/sh\r\n"),
    "empty script": lambda directory: (directory / "create").write_text(""),
    "world-writable, owned by nobody": _world_writable,
    "owner may execute only": lambda directory: (directory / "create").chmod(0o100),
    "link to the directory": _link_directory,
    "further files": lambda directory: (directory / "helper.sh").write_text("x"),
    "optional script is a dangling link": _replace("open", lambda path: path.symlink_to("nowhere")),
    "optional script links to itself": _replace("open", _looping_link),
    "parameters.list executable": lambda directory: (directory / "parameters.list").chmod(0o755),
    "parameters.list mode 000": lambda directory: (directory / "parameters.list").chmod(0),
}

INVALID: dict[str, Callable[[Path], object]] = {
    "mode 0644": lambda directory: (directory / "create").chmod(0o644),
    "mode 0655": lambda directory: (directory / "create").chmod(0o655),
    "mode 000": lambda directory: (directory / "create").chmod(0),
    "script is a directory": _replace("create", lambda path: path.mkdir()),
    "script is a dangling link": _replace("create", lambda path: path.symlink_to("nowhere")),
    "script links to itself": _replace("create", _looping_link),
    "script is a pipe": _replace("create", os.mkfifo),
    "optional script not executable": lambda directory: (directory / "open").chmod(0o644),
    "optional script is a directory": _replace("open", lambda path: path.mkdir()),
    "parameters.list is a directory": _replace("parameters.list", lambda path: path.mkdir()),
    "parameters.list missing": _without("parameters.list"),
    "plain file in the search path": _plain_file,
    "dangling link in the search path": _dangling_directory,
    **{f"{method} missing": _without(method) for method in REQUIRED_METHODS},
}

PARAMETERS = {
    "empty": b"",
    "one blank line": b"\n",
    "blank line between": b"a A\n\nb B\n",
    "blanks alone": b"  \t \n",
    "no description": b"pool\n",
    "duplicates": b"pool One\npool Two\n",
    "names differ by case": b"pool One\nPool Two\n",
    "upper case": b"POOL One\n",
    "CRLF": b"pool One\r\nsize Two\r\n",
    "CR": b"pool One\rsize Two",
    "comment": b"# comment\npool One\n",
    "leading blanks and tab": b"  pool\tThe pool's  name  \n",
    "no newline at the end": b"pool One",
    "reserved names": b"provider P\nsize S\naccess A\n",
    "UTF-8": "pool Größe ☃\n".encode(),
    "byte order mark": "\ufeffpool One\n".encode(),
    "no-break space": "pool\u00a0One\n".encode(),
    "other line ends": "pool One\x0bsize Two\x0cx X\u2028y Y\x85z Z\n".encode(),
    "zero byte": b"pool\0 One\n",
    "latin-1": "pool Größe\n".encode("latin-1"),
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("case", VALID)
def test_valid_provider(world: Callable[..., World], case: str) -> None:
    here = world(change=VALID[case])
    assert here.compare(here.request("load"))["error"] is None


@pytest.mark.parametrize("case", VALID)
def test_calls_of_a_valid_provider(world: Callable[..., World], case: str) -> None:
    here = world(change=VALID[case])
    here.compare(here.request("create", "open", "snapshot", "remove"))


@pytest.mark.parametrize("case", INVALID)
@pytest.mark.parametrize("step", ["load", "create", "attach"])
def test_invalid_provider(world: Callable[..., World], case: str, step: str) -> None:
    here = world(change=INVALID[case])
    answer = here.compare(here.request(step))
    assert answer["error"][0] == "BlockDeviceError"
    assert answer["calls"] == []


@pytest.mark.parametrize("content", PARAMETERS)
@pytest.mark.parametrize("step", ["load", "create"])
def test_parameters_list(world: Callable[..., World], content: str, step: str) -> None:
    here = world(
        change=lambda directory: (directory / "parameters.list").write_bytes(PARAMETERS[content])
    )
    here.compare(here.request(step))


NAMES = {
    "plain": True,
    "a-b_C9": True,
    "-dash": True,
    "with.dot": False,
    "with space": False,
    " leading-space": False,
    "two-newlines\n\n": False,
    ".hidden": False,
    "größe": False,
    "trailing-newline\n": True,
}


@pytest.mark.parametrize("name", NAMES)
def test_name(world: Callable[..., World], name: str) -> None:
    here = world(provider=name)
    answer = here.compare(here.request("load", "create"))
    assert (answer["error"] is None) == NAMES[name]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "steady/", "/", "x" * 300])
def test_name_that_no_directory_can_have(world: Callable[..., World], name: str) -> None:
    here = world()
    request = here.request("load")
    object.__setattr__(request, "provider", name)
    assert here.compare(request)["error"][0] == "BlockDeviceError"


def test_first_directory_on_the_search_path_wins(world: Callable[..., World]) -> None:
    here = world()
    request = here.request("load")
    request.search_path[0] = str(here.path / "first")

    def shadow(directory: Path) -> None:
        (here.path / "first" / directory.name).mkdir(parents=True)
        (here.path / "first" / directory.name / "create").touch()

    here.change = shadow
    found = here.path / "first" / here.provider
    here.build()
    error = here.oracle.answer(request)["error"][1]
    assert str(found) in error
    assert error in problems(LocalNode(), str(found), here.oracle.release)


@pytest.mark.parametrize("path", ["relative", "/etc/../etc", "/etc/", "//etc"])
def test_search_path_that_is_not_normalised(world: Callable[..., World], path: str) -> None:
    here = world()
    request = here.request("load")
    request.search_path[:] = [str(here.path / "providers") + "/../providers", path]
    assert here.compare(request)["error"][0] == "ValueError"


@pytest.mark.parametrize("missing", [("create", "verify"), METHOD_NAMES], ids=["two", "all"])
def test_several_faults(world: Callable[..., World], missing: tuple[str, ...]) -> None:
    """Ganeti names one of them, which one is chance: it is one of those that we know."""
    here = world(change=_without(*missing))
    here.build()
    theirs = here.oracle.answer(here.request("load"))["error"]
    mine = ours.answer(here.request("load"), here.oracle.release)["error"]
    known = problems(LocalNode(), str(here.directory), here.oracle.release)
    assert mine[0] == theirs[0] == "BlockDeviceError"
    assert {mine[1], theirs[1]} <= set(known)
    assert len(known) == len(set(missing) & set(REQUIRED_METHODS))
