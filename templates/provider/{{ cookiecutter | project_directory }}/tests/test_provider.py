"""What `extstorage conform` does not know about this provider."""

from __future__ import annotations

import os
{% if cookiecutter.language == "python" %}
import subprocess
import sys
{% endif %}
from typing import TYPE_CHECKING

import pytest

from conftest import PROVIDER, REQUIRED, SECRETS

if TYPE_CHECKING:
    from conftest import Provider

METHODS = sorted(
    path.name for path in PROVIDER.iterdir() if path.is_file() and os.access(path, os.X_OK)
)


def test_parameters_list_is_what_is_declared(provider: Provider) -> None:
{% if cookiecutter.language == "sh" %}
    declared = provider.call("verify", "--parameters-list").stdout
{% else %}
    program = "from provider import Storage; print(Storage.parameters_list(), end='')"
    declared = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(provider.directory / "lib"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
{% endif %}
    assert (provider.directory / "parameters.list").read_text() == declared


@pytest.mark.parametrize("method", METHODS)
def test_help_is_given(provider: Provider, method: str) -> None:
    call = provider.call(method, "--help", VOL_NAME="")
    assert (call.returncode, call.stderr) == (0, "")
    assert call.stdout.startswith(f"usage: {method} ")


@pytest.mark.parametrize("size", ["0", "-1", "1e3", "ten"])
def test_a_wrong_size_is_refused(provider: Provider, size: str) -> None:
    call = provider.call("create", VOL_SIZE=size)
    assert call.returncode == 2
    assert "VOL_SIZE" in call.stderr


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_parameter_is_named(provider: Provider, name: str) -> None:
    call = provider.call("create", VOL_SIZE="8", **{f"EXTP_{name.upper()}": ""})
    assert call.returncode == 2
    assert f"parameter {name} is required" in call.stderr


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_not_shown(provider: Provider, name: str) -> None:
    call = provider.call("create", VOL_SIZE="8", **{f"EXTP_{name.upper()}": "hunter2\n"})
    assert call.returncode == 2
    assert "hunter2" not in call.stdout + call.stderr


@pytest.mark.usefixtures("root")
def test_verify_tells_of_a_missing_directory(provider: Provider) -> None:
    call = provider.call("verify", VOL_NAME="", EXTP_DEV_DIRECTORY="/no/such/directory")
    assert call.returncode == 1
    assert "/no/such/directory" in call.stderr
