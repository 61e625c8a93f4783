from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from extstorage.lint import LINTS, Finding, ProviderSource

if TYPE_CHECKING:
    from pathlib import Path


def found(provider: Path) -> list[Finding]:
    return LINTS["ES-LINT-07"].check(ProviderSource.read(provider))


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\n. /usr/share/ganeti/extstorage/array/settings.sh\n",
        "#!/bin/bash\nDIR=/srv/ganeti/extstorage # where we are\n",
        "#!/usr/bin/python3\nimport sys\nsys.path.append('/usr/lib/ganeti/extstorage/array')\n",
        "#!/usr/bin/python3\nprint 'two', '/usr/local/lib/ganeti/extstorage/array/conf'\n",
        "#!/usr/bin/perl\nrequire '/usr/share/ganeti/extstorage/array/array.pl';\n",
    ],
)
def test_search_path_is_built_in(provider: Path, text: str) -> None:
    (provider / "grow").write_text(text, encoding="utf-8")

    findings = found(provider)

    assert [finding.file for finding in findings] == ["grow"]
    assert "/ganeti/extstorage" in findings[0].message


def test_directory_outside_of_the_search_path_is_built_in(provider: Path) -> None:
    (provider / "settings.sh").write_text(f"state={provider}/state\n", encoding="utf-8")

    (finding,) = found(provider)

    assert (finding.file, finding.line) == ("settings.sh", 1)
    assert str(provider) in finding.message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("grow", "#!/bin/sh\nexec /srv/ganeti/extstorage-loopback/helper\n"),
        ("grow", "#!/bin/sh\n# installed in /usr/share/ganeti/extstorage/array\n. ./settings.sh\n"),
        ("grow", "#!/bin/sh\n. /etc/ganeti/extstorage/array.conf\n"),
        ("grow", "#!/bin/sh\nexec 2>>/var/log/ganeti/extstorage/array.log\n"),
        ("grow", '#!/usr/bin/python3\n"""For /usr/share/ganeti/extstorage/array."""\n'),
        ("README", "ln -s array /usr/share/ganeti/extstorage/array\n"),
        ("Makefile", "D = /usr/share/ganeti/extstorage/array\n"),
    ],
)
def test_no_false_alarm(provider: Path, name: str, text: str) -> None:
    (provider / name).write_text(text, encoding="utf-8")

    assert not found(provider)


def test_directory_whose_name_begins_alike_is_another(provider: Path) -> None:
    (provider / "settings.sh").write_text(f"state={provider}-state\n", encoding="utf-8")

    assert not found(provider)
