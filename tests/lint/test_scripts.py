from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from extstorage.lint import LINTS, Finding, ProviderSource

if TYPE_CHECKING:
    from pathlib import Path


def found(rule: str, provider: Path) -> list[Finding]:
    return LINTS[rule].check(ProviderSource.read(provider))


def write(provider: Path, name: str, text: str) -> None:
    (provider / name).write_text(text, encoding="utf-8", newline="")


@pytest.mark.parametrize(
    ("first_line", "message"),
    [
        ("", "does not begin with #!"),
        ("echo /dev/sda", "does not begin with #!"),
        ("#!", "does not begin with #!"),
        ("#!/usr/bin/python2", "/usr/bin/python2 does not exist"),
        ("#!sh", "interpreter sh does not exist"),
        ("#!/usr/bin/env no-such-program", "finds no no-such-program"),
        ("#!/usr/bin/env python3 -u", "finds no python3 -u"),
    ],
)
def test_script_that_does_not_start(provider: Path, first_line: str, message: str) -> None:
    write(provider, "grow", f"{first_line}\n")

    findings = found("ES-LINT-01", provider)

    assert [(finding.file, finding.line) for finding in findings] == [("grow", 1)]
    assert message in findings[0].message


@pytest.mark.parametrize(
    "first_line", ["#!/bin/sh", "#! /bin/sh -e", "#!/usr/bin/env sh", "#!/usr/bin/env -S sh -e"]
)
def test_script_that_starts(provider: Path, first_line: str) -> None:
    write(provider, "grow", f"{first_line}\nexit 0\n")

    assert not found("ES-LINT-01", provider)
    assert not found("ES-LINT-02", provider)


def test_native_executable_starts(provider: Path) -> None:
    (provider / "grow").unlink()
    shutil.copy("/bin/true", provider / "grow")

    assert not found("ES-LINT-01", provider)
    assert not found("ES-LINT-02", provider)


def test_carriage_returns(provider: Path) -> None:
    write(provider, "grow", "#!/bin/sh\necho a\r\necho b\r\n")

    findings = found("ES-LINT-01", provider)

    assert [(finding.file, finding.line) for finding in findings] == [("grow", 2)]


def test_carriage_return_in_the_first_line(provider: Path) -> None:
    write(provider, "grow", "#!/bin/sh\r\nexit 0\r\n")

    assert [finding.line for finding in found("ES-LINT-01", provider)] == [1]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("grow", "#!/bin/sh\nif true; then\n"),
        ("grow", "#!/bin/dash\na=(1 2)\n"),
        ("grow", "#!/bin/bash\nfor\n"),
        ("grow", "#!/usr/bin/python3\nprint 'x'\n"),
        ("grow", "#!/usr/bin/env python3\ndef f(:\n"),
        ("common.sh", "case x in\n"),
        ("helper.py", "print 'x'\n"),
    ],
)
def test_file_that_does_not_parse(provider: Path, name: str, text: str) -> None:
    write(provider, name, text)

    findings = found("ES-LINT-02", provider)

    assert [finding.file for finding in findings] == [name]
    assert "\n" not in findings[0].message


def test_bash_is_parsed_as_bash(provider: Path) -> None:
    write(provider, "grow", "#!/bin/bash\na=(1 2)\n[[ ${a[0]} =~ 1 ]]\n")

    assert not found("ES-LINT-02", provider)


def test_busybox_is_parsed_by_its_shell(provider: Path) -> None:
    if shutil.which("busybox") is None:
        pytest.skip("needs busybox: apt-get install busybox")
    busybox = shutil.which("busybox")
    write(provider, "grow", f"#!{busybox} sh\nif true; then\n")

    findings = found("ES-LINT-02", provider)

    assert [finding.file for finding in findings] == ["grow"]


def test_parsing_leaves_nothing_behind(provider: Path) -> None:
    write(provider, "helper.py", "x = 1\n")
    before = sorted(provider.rglob("*"))

    found("ES-LINT-02", provider)

    assert sorted(provider.rglob("*")) == before


def test_parsing_does_not_run_the_script(provider: Path) -> None:
    canary = provider.parent / "canary"
    write(provider, "grow", f"#!/bin/sh\ntouch {canary}\n")
    write(provider, "create", f"#!/usr/bin/python3\nopen('{canary}', 'w')\n")

    found("ES-LINT-02", provider)
    found("ES-LINT-03", provider)

    assert not canary.exists()


@pytest.mark.parametrize("expansion", ["$VOL_NAME", "${EXTP_POOL}/x", "x$VOL_SIZE"])
def test_unquoted_variable(provider: Path, expansion: str) -> None:
    write(provider, "grow", f"#!/bin/sh\n\tzfs create {expansion}\n")

    findings = found("ES-LINT-03", provider)

    assert [(finding.file, finding.line) for finding in findings] == [("grow", 2)]
    assert findings[0].message.startswith("SC2086")


@pytest.mark.parametrize("line", ['zfs create "$VOL_NAME"', "a=$VOL_NAME", "ls $options"])
def test_quoted_variable_or_another(provider: Path, line: str) -> None:
    write(provider, "grow", f"#!/bin/sh\n{line}\n")

    assert not found("ES-LINT-03", provider)


def test_error_of_shellcheck(provider: Path) -> None:
    write(provider, "grow", '#!/bin/sh\nif ["$1" = a ]; then exit 1; fi\n')

    assert [finding.file for finding in found("ES-LINT-03", provider)] == ["grow"]


def test_helper_without_first_line_is_no_finding(provider: Path) -> None:
    write(provider, "helper.sh", "helper() { :; }\n")

    assert not found("ES-LINT-03", provider)


@pytest.mark.parametrize("rule", ["ES-LINT-01", "ES-LINT-02", "ES-LINT-03"])
def test_python_provider_is_judged_as_python(provider: Path, rule: str) -> None:
    write(provider, "grow", "#!/usr/bin/python3\nimport os\nprint(os.environ['VOL_NAME'])\n")

    assert not found(rule, provider)
