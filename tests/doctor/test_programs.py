from __future__ import annotations

from pathlib import Path

from extstorage.doctor.packages import package_of
from extstorage.doctor.programs import called, missing
from extstorage.lint import ProviderSource

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


def test_interpreter_that_is_not_there(tmp_path: Path) -> None:
    assert missing(source(tmp_path, create="#!/opt/array/sh\n:\n")) == {"/opt/array/sh": "create"}


def test_files_that_are_no_scripts_say_nothing(tmp_path: Path) -> None:
    files = {"create": "#!/usr/bin/python3\nnot python\n", "README.md": "install: foo; bar"}

    assert not missing(source(tmp_path, **files))


def test_packages_of_programs() -> None:
    assert package_of("/usr/bin/rbd") == "ceph-common"
    assert package_of("no-such-tool") is None
