"""The entry point: exit codes, usage, messages, and the one way to stdout."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from extstorage.contract.methods import METHOD_NAMES
from tests.provider.scripts import ENVIRONMENT, Scripts

if TYPE_CHECKING:
    from pathlib import Path

TOUCH = "        open('touched', 'w').close()"


def example(tmp_path: Path, **methods: str) -> Scripts:
    return Scripts(tmp_path / "example", **methods)


def raising(statement: str) -> str:
    return f"    def detach(self, volume):\n        {statement}\n"


def test_success_is_exit_code_0_and_silence(tmp_path: Path) -> None:
    done = example(tmp_path, detach=raising("pass")).call("detach")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_printed_goes_to_stderr(tmp_path: Path) -> None:
    done = example(tmp_path, detach=raising("print('a'); __import__('os').system('echo b')")).call(
        "detach"
    )
    assert done.stdout == ""
    assert sorted(done.stderr.split()) == ["a", "b"]


def test_the_method_is_called_with_typed_values(tmp_path: Path) -> None:
    body = "    def grow(self, *values):\n        raise ProviderError(repr(values))\n"
    done = example(tmp_path, grow=body).call("grow", VOL_SIZE="64", VOL_NEW_SIZE="96")
    assert done.stderr == "example grow vol.ext.disk0: ('vol.ext.disk0', 64, 96)\n"


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("raise ProviderError('the pool is full')", "the pool is full"),
        ("raise ProviderError('two\\nlines \\u00e4')", "two lines \\xe4"),
        ("open('/no/such')", "No such file or directory: /no/such"),
        ("raise KeyboardInterrupt", "interrupted"),
    ],
)
def test_a_failure_is_one_ascii_line_and_exit_code_1(
    tmp_path: Path, statement: str, line: str
) -> None:
    done = example(tmp_path, detach=raising(statement)).call("detach")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"example detach vol.ext.disk0: {line}\n"


def test_a_bug_is_one_line_that_says_where(tmp_path: Path) -> None:
    done = example(tmp_path, detach=raising("{}['x']")).call("detach")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "internal error: KeyError: 'x' (at detach:" in done.stderr


@pytest.mark.parametrize("variables", [{"VOL_NAME": ""}, {"VOL_NAME": "../x"}, {"EXTP_THIN": "1"}])
def test_a_wrong_call_is_exit_code_2_and_does_nothing(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    scripts = example(tmp_path, detach=f"    def detach(self, volume):\n{TOUCH}\n")
    done = scripts.call("detach", **variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert not (scripts.directory / "touched").exists()


def test_a_secret_is_never_told(tmp_path: Path) -> None:
    scripts = example(tmp_path, detach=raising("pass"))
    done = scripts.call("detach", EXTP_PASSWORD="hunter2")  # noqa: S106 - it opens nothing
    assert done.returncode == 2
    assert "parameter password" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_prints_the_usage_and_does_nothing(tmp_path: Path, method: str, word: str) -> None:
    scripts = example(tmp_path, **{method: f"    def {method}(self, *values):\n{TOUCH}\n"})
    done = subprocess.run(
        [scripts.directory / method, word], env={}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {method} ")
    assert "EXTP_POOL" in done.stdout
    assert not (scripts.directory / "touched").exists()


@pytest.mark.parametrize("method", [name for name in METHOD_NAMES if name != "verify"])
def test_an_argument_is_a_usage_error_and_does_nothing(tmp_path: Path, method: str) -> None:
    scripts = example(tmp_path, **{method: f"    def {method}(self, *values):\n{TOUCH}\n"})
    done = scripts.call(method, "a", "b", "c", VOL_SIZE="1", VOL_NEW_SIZE="1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"usage: {method} ")
    assert not (scripts.directory / "touched").exists()


def test_a_script_without_its_method_says_so(tmp_path: Path) -> None:
    done = example(tmp_path, open="").call("open", VOL_OPEN_EXCLUSIVE="True")
    assert done.returncode == 1
    assert "has no open: remove the script" in done.stderr


VERIFY = """\
    def checks(self):
        def bad():
            raise ProviderError("the array does not answer")
        return {"tools": lambda: print("looked"), "array": bad}
"""


@pytest.mark.parametrize(
    ("words", "exit_code", "told"),
    [
        (["tools"], 0, "looked\n"),
        ([], 1, "example verify: array: the array does not answer\n"),
        (["array"], 1, "array: the array does not answer\n"),
        (["bogus"], 2, "no check 'bogus': the checks are: tools array\n"),
        (["tools", "bogus"], 2, "no check 'bogus'"),
    ],
)
def test_verify_runs_the_checks_that_are_named(
    tmp_path: Path, words: list[str], exit_code: int, told: str
) -> None:
    done = example(tmp_path, verify=VERIFY).call("verify", *words)
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert told in done.stderr


def test_verify_needs_neither_volume_nor_parameters(tmp_path: Path) -> None:
    scripts = example(tmp_path, verify="")
    done = subprocess.run([scripts.directory / "verify"], env={}, check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_verify_refuses_a_wrong_parameter(tmp_path: Path) -> None:
    done = example(tmp_path, verify="").call("verify", EXTP_COPIES="7")
    assert done.returncode == 2
    assert "parameter copies: expected" in done.stderr


@pytest.mark.parametrize("path", ["/dev/null", "/no/such", "relative", "", "/etc/passwd"])
def test_attach_fails_without_a_usable_device(tmp_path: Path, path: str) -> None:
    body = f"    def attach(self, volume):\n        return Device({path!r})\n"
    done = example(tmp_path, attach=body).call("attach")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1


def test_attach_fails_when_nobody_hears_its_answer(tmp_path: Path) -> None:
    body = "    def attach(self, volume):\n        return Device('', ['kvm:x'])\n"
    scripts = example(tmp_path, attach=body)
    command = f'"{scripts.directory}/attach" >&-'
    environment = {**ENVIRONMENT, "VOL_NAME": "v"}
    done = subprocess.run(
        ["/bin/sh", "-c", command], env=environment, check=False, capture_output=True
    )
    assert done.returncode == 1
