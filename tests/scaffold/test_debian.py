"""The Debian package of a project: it is built, and lintian has nothing to say."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.scaffold.projects import bake, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("dpkg-buildpackage") and shutil.which("dh") and shutil.which("lintian")),
        reason="needs debhelper and lintian: apt-get install debhelper lintian",
    ),
]


@pytest.mark.parametrize("language", ["sh", "python"])
def test_the_package_is_clean(language: str, tmp_path: Path) -> None:
    project = bake(tmp_path, language=language, name="Acme_2", vendor="O'Reilly")
    built = run("/usr/bin/dpkg-buildpackage", "-us", "-uc", "-b", cwd=project)
    assert built.returncode == 0, built.stdout + built.stderr
    (package,) = tmp_path.glob("*.deb")
    listed = run("/usr/bin/dpkg-deb", "--contents", package, cwd=tmp_path).stdout
    assert " ./usr/share/ganeti/extstorage/Acme_2/attach\n" in listed
    assert " ./var/log/ganeti/extstorage/\n" in listed
    (changes,) = tmp_path.glob("*.changes")
    found = run("/usr/bin/lintian", "--display-info", "--allow-root", changes, cwd=tmp_path)
    assert (found.returncode, found.stdout) == (0, "")
