from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from extstorage.lint import LINTS, Finding, ProviderSource

if TYPE_CHECKING:
    from pathlib import Path


def found(rule: str, provider: Path) -> list[Finding]:
    return LINTS[rule].check(ProviderSource.read(provider))


def write(provider: Path, name: str, text: str) -> None:
    (provider / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        '#!/bin/sh\necho "$EXTP_CACHE"\n',
        '#!/bin/sh\nEXTP_CACHE=${EXTP_CACHE:-none}\necho "$EXTP_CACHE"\n',
        "#!/bin/sh\nprintenv EXTP_CACHE\n",
        "#!/usr/bin/python3\nimport os\ncache = os.environ['EXTP_CACHE']\n",
        "#!/usr/bin/python3\nimport os\nos.system('echo $EXTP_CACHE')\n",
        "#!/usr/bin/python3\nprint 'two', os.environ['EXTP_CACHE']\n",
        "#!/usr/bin/perl\nprint $ENV{'EXTP_CACHE'};\n",
    ],
)
def test_parameter_that_is_not_declared(provider: Path, text: str) -> None:
    write(provider, "grow", text)

    findings = found("ES-LINT-05", provider)

    assert [finding.file for finding in findings] == ["grow"]
    assert "does not declare 'cache'" in findings[0].message


def test_what_python_warns_of_is_read_without_a_word(
    provider: Path, recwarn: pytest.WarningsRecorder
) -> None:
    write(provider, "grow", "#!/usr/bin/python3\nimport re\nre.search('\\d', 'EXTP_CACHE')\n")

    assert found("ES-LINT-05", provider)
    assert not recwarn.list


def test_parameter_in_small_letters(provider: Path) -> None:
    write(provider, "grow", '#!/bin/sh\necho "$EXTP_directory"\n')

    assert "is never sent" in found("ES-LINT-05", provider)[0].message


@pytest.mark.parametrize(
    "text",
    [
        '#!/bin/sh\necho "$EXTP_PROVIDER $EXTP_ACCESS $EXTP_DIRECTORY"\n',
        "#!/bin/sh\n# EXTP_CACHE is not read here\nexit 0\n",
        '#!/bin/sh\nfor name in env; do eval "echo \\$EXTP_$name"; done\n',
        '#!/bin/sh\nEXTP_CACHE=1\necho "$EXTP_CACHE"\n',
        '#!/usr/bin/python3\n"""Once read EXTP_CACHE."""\n# EXTP_CACHE\n',
        "#!/usr/bin/python3\nprint('expected EXTP_CACHE in vain')\n",
    ],
)
def test_no_false_alarm_about_parameters(provider: Path, text: str) -> None:
    write(provider, "grow", text)

    assert not found("ES-LINT-05", provider)


def test_parameter_that_nothing_reads(provider: Path) -> None:
    with (provider / "parameters.list").open("a", encoding="utf-8") as file:
        file.write("cache size of the cache\n")

    findings = found("ES-LINT-05", provider)

    assert [(finding.file, finding.line) for finding in findings] == [("parameters.list", 3)]


def test_parameter_of_the_python_runtime(provider: Path) -> None:
    write(
        provider,
        "helper.py",
        "from extstorage.provider import parameters\n"
        "class Example:\n"
        "    cache = parameters.Text('size of the cache')\n",
    )

    findings = found("ES-LINT-05", provider)

    assert [(finding.file, finding.line) for finding in findings] == [("helper.py", 3)]


def test_parameter_of_a_kind_that_the_provider_made(provider: Path) -> None:
    write(
        provider,
        "helper.py",
        "from extstorage.provider import parameters\n"
        "class Name(parameters.Text):\n"
        "    pass\n"
        "class Example:\n"
        "    cache = Name('name of the cache')\n",
    )

    findings = found("ES-LINT-05", provider)

    assert [(finding.file, finding.line) for finding in findings] == [("helper.py", 5)]


def test_parameter_that_is_declared_and_only_declared_in_python(provider: Path) -> None:
    test_parameter_of_the_python_runtime(provider)
    with (provider / "parameters.list").open("a", encoding="utf-8") as file:
        file.write("cache size of the cache\n")

    assert not found("ES-LINT-05", provider)


def test_documentation_reads_nothing(provider: Path) -> None:
    write(provider, "README.md", "Set EXTP_CACHE and VOL_NEWSIZE.\n")

    assert not found("ES-LINT-05", provider)
    assert not found("ES-LINT-06", provider)


@pytest.mark.parametrize(
    "text",
    [
        '#!/bin/sh\nlvresize -L "$VOL_NEWSIZE"\n',
        "#!/usr/bin/python3\nimport os\nsize = os.environ.get('VOL_NEWSIZE')\n",
    ],
)
def test_unknown_volume_variable(provider: Path, text: str) -> None:
    write(provider, "grow", text)

    findings = found("ES-LINT-06", provider)

    assert [finding.file for finding in findings] == ["grow"]
    assert findings[0].message.endswith("it is VOL_NEW_SIZE")


@pytest.mark.parametrize(
    "text",
    [
        '#!/bin/sh\nVOL_PATH=/x/$VOL_NAME\necho "$VOL_PATH"\n',
        '#!/bin/sh\nread -r VOL_HOST VOL_PORT <x\necho "$VOL_HOST"\n',
        '#!/bin/sh\necho "$MY_VOL_THING" "$VOL_NEW_SIZE"\n',
        "#!/usr/bin/python3\nVOL_PATH = '/x'\nprint(VOL_PATH)\n",
    ],
)
def test_no_false_alarm_about_volume_variables(provider: Path, text: str) -> None:
    write(provider, "grow", text)

    assert not found("ES-LINT-06", provider)
