from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Command

VOLUME = "VOL_NAME=0b7c2c55-8a4e-4f0e-8a0e-3f5a3a1f2c77.ext.disk0"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_loop = pytest.mark.skipif(
    not Path("/dev/loop-control").exists(), reason="needs loop devices: modprobe loop"
)


@pytest.fixture
def volume(extstorage: Command, provider: Path, pool: str) -> Iterator[str]:
    """A volume of 8 MiB, gone after the test."""
    assert extstorage("call", provider, "create", VOLUME, "VOL_SIZE=8", pool).returncode == 0
    yield VOLUME
    extstorage("call", provider, "detach", VOLUME, pool)
    removed = extstorage("call", provider, "remove", VOLUME, pool)
    assert removed.returncode == 0, removed.stdout


@needs_loop
def test_attach_shows_what_ganeti_reads(
    extstorage: Command, provider: Path, pool: str, volume: str
) -> None:
    completed = extstorage("call", provider, "attach", volume, pool)

    assert completed.returncode == 0
    assert f"command: {provider}/attach" in completed.stdout
    assert f"  {volume}\n" in completed.stdout
    assert "  EXTP_PROVIDER=good\n" in completed.stdout
    assert "inherited from the node daemon:\n  HOME=/root\n" in completed.stdout
    assert "result: exited with exit code 0" in completed.stdout
    assert "Ganeti says" not in completed.stdout
    assert "Ganeti reads: device /dev/loop" in completed.stdout
    assert ", 8 MiB\n" in completed.stdout


@needs_loop
def test_json_has_the_same_facts(
    extstorage: Command, provider: Path, pool: str, volume: str
) -> None:
    facts = json.loads(extstorage("call", provider, "attach", volume, pool, "--json").stdout)

    assert facts["exit_code"] == 0
    assert facts["failed"] is False
    assert facts["device"]["is_block_device"] is True
    assert facts["device"]["size_bytes"] == 8 << 20
    assert facts["stdout"].strip() == facts["device"]["path"]
    assert facts["environment"]["LC_ALL"] == "C"


def test_failure_of_the_script(extstorage: Command, provider: Path, pool: str) -> None:
    completed = extstorage("call", provider, "attach", VOLUME, pool)

    assert completed.returncode == 1
    assert "result: exited with exit code 1" in completed.stdout
    assert "stderr:\n  attach: there is no volume" in completed.stdout
    assert "Ganeti says:\n  External storage's attach script failed (exited" in completed.stdout


def test_output_of_other_methods_is_the_log(extstorage: Command, provider: Path, pool: str) -> None:
    completed = extstorage("call", provider, "create", VOLUME, "VOL_SIZE=nothing", pool)

    assert completed.returncode == 1
    assert "log:\n  create: VOL_SIZE" in completed.stdout


def test_release_decides_what_is_sent(extstorage: Command, provider: Path, pool: str) -> None:
    arguments = ("call", provider, "detach", VOLUME, pool, "--json")

    old = json.loads(extstorage(*arguments, "--release", "2.7").stdout)["sent"]
    new = json.loads(extstorage(*arguments, "--release", "3.0.2").stdout)["sent"]

    assert set(new) - set(old) == {"VOL_UUID", "EXTP_ACCESS"}


def test_variables_are_sent_unchanged(extstorage: Command, provider: Path) -> None:
    (provider / "detach").write_text('#!/bin/sh\nprintf "%s|" "$VOL_NAME" "$EXTP_POOL"\n')

    completed = extstorage("call", provider, "detach", "VOL_NAME=", "EXTP_POOL=a=b $c", "--json")

    assert json.loads(completed.stdout)["log"] == "|a=b $c|"


@pytest.mark.parametrize(
    ("output", "reading"),
    [
        ("/dev/null\\n", "Ganeti reads: '/dev/null', which is no block device: not attached"),
        ("\\nkvm:rbd:pool/x\\n", "Ganeti reads: no device, URIs: kvm:rbd:pool/x"),
        ("done\\n", "Ganeti reads: 'done', which is no block device: not attached"),
    ],
)
def test_reading_of_strange_output(
    extstorage: Command, provider: Path, output: str, reading: str
) -> None:
    (provider / "attach").write_text(f"#!/bin/sh\nprintf '{output}'\n")

    assert f"{reading}\n" in extstorage("call", provider, "attach", VOLUME).stdout


def test_script_that_hangs_is_killed(extstorage: Command, provider: Path) -> None:
    (provider / "detach").write_text("#!/bin/sh\nsleep 60\n")

    completed = extstorage("call", provider, "detach", VOLUME, "--timeout", "0.5")

    assert completed.returncode == 1
    assert "result: did not end within" in completed.stdout


@pytest.mark.parametrize(
    ("method", "text", "message"),
    [
        ("detach", "echo no shebang\n", "Exec format error"),
        ("detach", "#!/no/such/interpreter\n", "not found"),
        ("parameters.list", "pool Gr\xf6\xdfe\n", "cannot read the provider's parameters.list"),
    ],
)
def test_provider_that_ganeti_cannot_use_is_one_line(
    extstorage: Command, provider: Path, method: str, text: str, message: str
) -> None:
    (provider / method).write_text(text, encoding="latin-1")

    completed = extstorage("call", provider, "detach", VOLUME)

    assert completed.returncode == 1
    assert message in completed.stderr
    assert completed.stderr.count("\n") == 1


def test_invalid_provider_is_refused_in_ganetis_words(extstorage: Command, provider: Path) -> None:
    (provider / "grow").chmod(0o644)

    completed = extstorage("call", provider, "detach", VOLUME)

    assert completed.returncode == 1
    assert completed.stderr == (
        "extstorage call: Ganeti refuses the provider:"
        f" File 'grow' under path '{provider}' is not executable\n"
    )


def test_method_that_the_provider_lacks(extstorage: Command, provider: Path) -> None:
    (provider / "close").unlink()

    completed = extstorage("call", provider, "close", VOLUME)

    assert completed.returncode == 2
    assert "Ganeti skips it" in completed.stderr


def test_nothing_is_left_in_the_temporary_directory(
    extstorage: Command, provider: Path, pool: str, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    extstorage.environment["TMPDIR"] = str(temporary)

    extstorage("call", provider, "detach", VOLUME, pool)

    assert not list(temporary.iterdir())


def test_not_root_is_one_line() -> None:
    # The privilege goes after the imports: nobody else may read the interpreter's files.
    program = (
        "import os, sys; from extstorage.cli import call, command;"
        "os.setuid(65534); sys.exit(command.run(sys.argv[1:]))"
    )
    completed = subprocess.run(
        [sys.executable, "-c", program, "call", "/usr", "attach", VOLUME],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )

    assert (completed.returncode, completed.stdout) == (3, ""), completed.stderr
    assert completed.stderr.startswith("extstorage call: not root")
    assert completed.stderr.count("\n") == 1
