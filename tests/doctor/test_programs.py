from __future__ import annotations

import re
from pathlib import Path

import pytest

from extstorage.doctor.packages import package_of
from extstorage.doctor.programs import RUNTIME_WRAPPERS, called, missing
from extstorage.lint import ProviderSource
from extstorage.scaffold.answers import Answers
from extstorage.scaffold.project import create
from extstorage.shell import render

PLAIN = Path(__file__).parents[1] / "providers/plain"


def source(directory: Path, **files: str) -> ProviderSource:
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    return ProviderSource.read(directory)


def test_programs_of_a_whole_provider() -> None:
    found = called(ProviderSource.read(PLAIN))

    assert {"losetup", "truncate", "flock", "/bin/sh"} <= set(found)
    assert not {"fail", "check_name", "find_volume"} & set(found)  # functions of common.sh
    assert not missing(ProviderSource.read(PLAIN))


def test_programs_of_a_script_in_python(tmp_path: Path) -> None:
    text = (
        "#!/usr/bin/env python3\nimport subprocess\nfrom extstorage.provider import tools\n"
        "subprocess.run(['no-such-array', 'create'], check=True)\n"
        "tools.run('no-such-tool', '-x')\nsubprocess.run(command)\nx = ['word', 'word']\n"
    )

    found = missing(source(tmp_path, create=text))

    assert found == {"no-such-array": "create", "no-such-tool": "create"}


@pytest.mark.parametrize(
    ("language", "programs"),
    [
        (
            "sh",
            "/bin/sh blockdev cp date find ln losetup mkdir mv rm rmdir sleep stat sync truncate",
        ),
        ("python", "/usr/bin/python3 blockdev cp losetup"),
    ],
)
def test_programs_of_a_new_project(language: str, programs: str, tmp_path: Path) -> None:
    project = create(Answers.parse({"name": "new", "language": language}), tmp_path)

    assert sorted(called(ProviderSource.read(project / "new"))) == programs.split()


def test_wrappers_are_those_of_the_runtime() -> None:
    found = re.findall(
        r"^(\w+)\(\) \{\n    es_ready \"\$1\"$", render()["programs.sh"], re.MULTILINE
    )

    assert sorted(found) == sorted(RUNTIME_WRAPPERS)


def test_a_function_called_run_of_ones_own_is_no_wrapper(tmp_path: Path) -> None:
    text = "#!/bin/sh\nrun() { echo; }\nrun losetup; date\n"

    assert set(called(source(tmp_path, create=text))) == {"/bin/sh", "date"}


def test_interpreter_that_is_not_there(tmp_path: Path) -> None:
    assert missing(source(tmp_path, create="#!/opt/array/sh\n:\n")) == {"/opt/array/sh": "create"}


def test_files_that_are_no_scripts_say_nothing(tmp_path: Path) -> None:
    files = {"create": "#!/usr/bin/python3\nnot python\n", "README.md": "install: foo; bar"}

    assert not missing(source(tmp_path, **files))


def test_packages_of_programs() -> None:
    assert package_of("/usr/bin/rbd") == "ceph-common"
    assert package_of("no-such-tool") is None
