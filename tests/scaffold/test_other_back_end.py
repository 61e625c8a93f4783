"""A vendor's trial: the back end of a new sh project is replaced by another, in few lines.

The other one is a directory of qcow2 images, which qemu-storage-daemon serves (FUSE) and a loop
device makes a block device of. QEMU lets one process write to an image, so two nodes cannot have
a volume attached at once: the rules for several nodes, profile standard, are out of its reach,
and core is what it has to keep.
"""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.scaffold.projects import bake, content, lint, provider_of, run

PATCH = Path(__file__).with_name("qcow2.patch")
FEWER_THAN = 60
ANSWERS = {
    "name": "qcow2",
    "language": "sh",
    "snapshot": False,
    "open_close": False,
    "parameters": "images=/srv/qcow2 directory of the images, shared by all nodes",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the project with the other back end; the development one is deleted."""
    made = bake(tmp_path, **ANSWERS)
    subprocess.run(["git", "apply", PATCH], cwd=made, check=True)
    (provider_of(made) / "lib/development.sh").unlink()
    return made


def test_few_lines_change(project: Path, tmp_path: Path) -> None:
    before = content(bake(tmp_path / "before", **ANSWERS))
    after = content(project)
    assert {*before} - {*after} == {"qcow2/lib/development.sh"}
    changed = sum(changed_lines(before[name][1], after[name][1]) for name in after)
    assert 0 < changed < FEWER_THAN


def changed_lines(before: bytes, after: bytes) -> int:
    """Return how many lines were written, or taken away without another in their place."""
    old, new = before.splitlines(), after.splitlines()
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return sum(
        max(old_end - old_begin, new_end - new_begin)
        for kind, old_begin, old_end, new_begin, new_end in blocks
        if kind != "equal"
    )


@pytest.mark.slow
def test_it_is_clean_and_its_tests_pass(project: Path) -> None:
    assert lint(project) == []
    words = ("-q", "-p", "no:cacheprovider", "-p", "no:extstorage_conformance", "tests")
    done = run("pytest", *words, "--ignore=tests/test_ganeti.py", cwd=project)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0
    or not all(Path(device).exists() for device in ("/dev/loop-control", "/dev/fuse"))
    or not all(map(shutil.which, ("qemu-img", "qemu-storage-daemon"))),
    reason="needs root, loop devices, FUSE, and Debian's qemu-utils and qemu-system-common",
)
def test_it_conforms_again(project: Path) -> None:
    done = run("extstorage", "conform", "--profile", "core", provider_of(project), cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
