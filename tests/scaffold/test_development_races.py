"""The development back end between two steps of a call: what another call does there is kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.scaffold.test_development import SYSTEM, VOLUME, Project, project, pytestmark

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["project", "pytestmark"]
TOO_LARGE = str(1 << 41)  # MiB: more than any file system takes
# Where a call is met: a program of the one language, a function of the other.
FUNCTIONS = {"rmdir": "os.rmdir", "truncate": "os.ftruncate", "flock": "fcntl.flock"}
PATCH = """
import fcntl


def _meet():
    real = FUNCTION

    def function(*words):
        os.spawnv(os.P_WAIT, "/bin/sh", ["sh", "-c", SCRIPT, "sh", *map(str, words)])
        return real(*words)

    FUNCTION = function


_meet()
"""
TOOL = """\
#!/bin/sh
PATH=%s
%s
exec %s "$@"
"""
# What another call does that comes between: it makes the volume.
MAKES_IT = "if [ ! -e data ]; then : >lock && echo other >data; fi 2>/dev/null"
# It removes the volume, with the lock that is about to be taken.
REMOVES_IT = """
for each; do
    [ "$(readlink "/proc/$PPID/fd/$each")" != "$PWD/lock" ] || [ ! -e data ] || rm data lock
done
"""
LISTS_OPEN_FILES = 'ls -l "/proc/$PPID/fd" | grep -F "$PWD/" >>LOG'


@pytest.fixture
def volume(project: Project) -> Path:
    return project.pool / project.provider.name / VOLUME


@pytest.fixture
def meet(project: Project, volume: Path, tmp_path: Path) -> Callable[[str, str], None]:
    """Return what lets a script run in the volume's directory at each such step of a call."""

    def add(step: str, script: str) -> None:
        script = f"({{ cd '{volume}' && {script.strip()}\n}} 2>/dev/null) || :"
        tools = tmp_path / "tools"
        tools.mkdir(exist_ok=True)
        (tools / step).write_text(TOOL % (SYSTEM, script, step))
        (tools / step).chmod(0o755)
        project.path = f"{tools}:{SYSTEM}"
        development = project.provider / "lib/development.py"
        if development.exists():
            text = PATCH.replace("FUNCTION", FUNCTIONS[step]).replace("SCRIPT", repr(script))
            development.write_text(development.read_text() + text)

    return add


def inside(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_failed_create_leaves_nothing(project: Project, volume: Path) -> None:
    assert project.call("create", VOL_SIZE=TOO_LARGE).returncode == 1
    assert inside(volume.parent) == []


def test_remove_leaves_nothing(project: Project, volume: Path) -> None:
    assert project.call("create", VOL_SIZE="8").returncode == 0
    assert inside(volume) == ["data", "lock"]
    assert project.call("setinfo", VOL_METADATA="x").returncode == 0
    (volume / "data.new").touch()  # of a crash
    removed = project.call("remove")
    assert (removed.returncode, removed.stdout, removed.stderr) == (0, "", "")
    assert inside(volume.parent) == []
    assert project.call("remove").returncode == 0
    assert inside(volume.parent) == []


@pytest.mark.parametrize("method", ["create", "remove"])
def test_what_another_call_makes_at_the_end_is_kept(
    project: Project, volume: Path, meet: Callable[[str, str], None], method: str
) -> None:
    if method == "remove":
        assert project.call("create", VOL_SIZE="8").returncode == 0
    meet("rmdir", MAKES_IT)
    call = project.call(method, VOL_SIZE=TOO_LARGE)
    assert call.returncode == (1 if method == "create" else 0), call.stderr
    assert (volume / "data").read_text() == "other\n"
    assert inside(volume) == ["data", "lock"]
    assert inside(volume.parent) == [VOLUME]


@pytest.mark.parametrize("size", ["8", TOO_LARGE])
def test_a_volume_that_is_there_by_now_is_neither_replaced_nor_deleted(
    project: Project, volume: Path, meet: Callable[[str, str], None], size: str
) -> None:
    meet("truncate", MAKES_IT)
    assert project.call("create", VOL_SIZE=size).returncode == 1
    assert (volume / "data").read_text() == "other\n"
    assert inside(volume) == ["data", "lock"]


@pytest.mark.parametrize("method", ["create", "remove", "attach", "detach"])
def test_a_volume_that_cannot_be_looked_at_is_not_taken_for_none(
    project: Project, volume: Path, method: str
) -> None:
    volume.mkdir(parents=True)
    (volume / "data").symlink_to("data")  # the lookup fails, as an I/O error makes it fail
    call = project.call(method, VOL_SIZE="8")
    if method == "remove":
        assert (call.returncode, volume.exists()) == (0, False)
        return
    assert call.returncode == (0 if method == "detach" else 1)
    assert (volume / "data").is_symlink()


def test_remove_does_not_succeed_without_the_lock(project: Project, volume: Path) -> None:
    assert project.call("create", VOL_SIZE="8").returncode == 0
    (volume / "lock").unlink()
    (volume / "lock").mkdir()  # root may open every file, so this stands for one that it may not
    assert project.call("remove").returncode == 1
    assert (volume / "data").exists()


def test_remove_does_not_succeed_if_nobody_can_tell(project: Project, volume: Path) -> None:
    volume.parent.mkdir(parents=True)
    volume.symlink_to(VOLUME)
    assert project.call("remove").returncode == 1


@pytest.mark.parametrize("method", ["create", "remove"])
def test_no_file_of_the_directory_is_open_when_it_is_deleted(
    project: Project, meet: Callable[[str, str], None], method: str, tmp_path: Path
) -> None:
    # NFS keeps a deleted file that is open, and the directory with it.
    if method == "remove":
        assert project.call("create", VOL_SIZE="8").returncode == 0
    log = tmp_path / "log"
    meet("rmdir", LISTS_OPEN_FILES.replace("LOG", str(log)))
    project.call(method, VOL_SIZE=TOO_LARGE)
    assert log.read_text() == ""


@pytest.mark.parametrize("method", ["attach", "detach"])
def test_a_lock_that_is_made_while_the_volume_goes_does_not_stay(
    project: Project, volume: Path, meet: Callable[[str, str], None], method: str
) -> None:
    assert project.call("create", VOL_SIZE="8").returncode == 0
    meet("flock", REMOVES_IT)
    call = project.call(method)
    assert call.returncode == (0 if method == "detach" else 1), call.stderr
    assert inside(volume.parent) == []


def test_no_variable_is_inherited(project: Project) -> None:
    files = project.provider.rglob("lib/*.sh")
    names = {name for file in files for name in re.findall(r"\$\{?([a-z]\w*)", file.read_text())}
    inherited = dict.fromkeys(names, "/inherited")
    for method, code in (("create", 0), ("attach", 0), ("detach", 0), ("verify", 0), ("remove", 0)):
        call = project.call(method, VOL_SIZE="8", **inherited)
        assert call.returncode == code, call.stderr
        assert "inherited" not in call.stdout + call.stderr
