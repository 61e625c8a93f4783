"""Adoption of providers that know nothing of the suite."""

from __future__ import annotations

import datetime as dt
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from extstorage_conformance.adoption.observation import Observation
from extstorage_conformance.adoption.proposal import Proposal, is_secret
from extstorage_conformance.checks import register_all
from extstorage_conformance.configuration import ConfigurationError
from extstorage_conformance.outcome import Outcome, Result
from tests.mutants import build

if TYPE_CHECKING:
    from tests.conformance.conftest import Workbench

MUTANTS = Path(__file__).parents[1] / "mutants"
POOL = "--extstorage-parameter=directory={run_directory}/pool"
TODAY = dt.date(2031, 5, 17)

needs_devices = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
    reason="needs root and loop devices",
)


@pytest.fixture
def stranger(workbench: Workbench) -> Workbench:
    """The plain provider without a file of ours."""
    (workbench.provider / "conformance.toml").unlink()
    return workbench


def adopted(workbench: Workbench, *arguments: str, rules: tuple[str, ...]) -> dict[str, Any]:
    file = workbench.directory / "adopted.toml"
    run = workbench.run(f"--extstorage-adopt={file}", *arguments, rules=rules)
    assert run.exit_code == 0, run.output
    return tomllib.loads(file.read_text(encoding="utf-8"))


def mutant(workbench: Workbench, name: str) -> None:
    """Put a broken provider in the place of the good one, without a file of ours."""
    workbench.provider = build.build(MUTANTS / name, workbench.directory)
    (workbench.provider / "conformance.toml").unlink()


@needs_devices
def test_a_stranger_is_judged_without_a_file(stranger: Workbench) -> None:
    run = stranger.run(POOL, rules=("ES-ATTACH-01", "ES-CREATE-01"))

    assert run.exit_code == 0, run.output
    assert not (stranger.provider / "conformance.toml").exists()


@needs_devices
def test_parameters_that_are_missing_are_named(stranger: Workbench) -> None:
    run = stranger.run(rules=("ES-DISC-02", "ES-ATTACH-01"))

    assert run.exit_code == 1
    assert "--parameter directory=VALUE --parameter layout=VALUE" in run.output


@needs_devices
def test_parameters_that_ganeti_never_sends_are_not_proposed(stranger: Workbench) -> None:
    parameters = stranger.provider / "parameters.list"
    parameters.write_text(parameters.read_text() + "size how large\npo-ol where\n")

    run = stranger.run(rules=("ES-DISC-02", "ES-ATTACH-01"))

    assert "--parameter directory=VALUE --parameter layout=VALUE" in run.output
    assert "--parameter size" not in run.output
    assert "--parameter po-ol" not in run.output


@pytest.mark.parametrize("name", ["size", "po ol"])
def test_parameter_that_ganeti_never_sends_is_a_usage_error(stranger: Workbench, name: str) -> None:
    for more in ((), (f"--extstorage-adopt={stranger.directory / 'adopted.toml'}",)):
        run = stranger.run(f"--extstorage-parameter={name}=3", *more)

        assert run.exit_code == pytest.ExitCode.USAGE_ERROR, run.output
        assert name in run.output


@needs_devices
def test_what_a_good_provider_does_is_written_down(stranger: Workbench) -> None:
    written = adopted(stranger, POOL, rules=("ES-DISC-02", "ES-CREATE-07"))

    assert written == {
        "parameters": {"directory": "{run_directory}/pool"},
        "sizes": {"default": 32, "minimum": 1, "granularity": 1},
        "capabilities": {
            "create_existing": "fails",
            "visible_after_detach": False,
            "remove_with_snapshots": "independent",
            "close_stops_writes": True,
        },
    }


@needs_devices
def test_file_that_was_written_makes_the_provider_conform(stranger: Workbench) -> None:
    file = stranger.directory / "adopted.toml"
    rules = ("ES-DISC-02", "ES-CREATE-07", "ES-REMOVE-07", "ES-OPEN-08")
    adopted(stranger, POOL, rules=rules)

    run = stranger.run(f"--extstorage-config={file}", rules=rules)

    assert run.exit_code == 0, run.output


@needs_devices
@pytest.mark.parametrize(
    ("name", "capability", "value"),
    [
        ("create-existing-undeclared", "create_existing", "succeeds"),
        ("dirty-blocks", "zeroed", False),
        ("close-allows-writes", "close_stops_writes", False),
        ("remove-neighbours", "remove_with_snapshots", "cascades"),
    ],
)
def test_what_a_provider_does_otherwise_is_seen(
    workbench: Workbench, name: str, capability: str, value: object
) -> None:
    mutant(workbench, name)

    written = adopted(workbench, POOL, rules=("ES-DISC-02",))

    assert written["capabilities"][capability] == value


@needs_devices
@pytest.mark.parametrize(
    ("attach", "written"),
    [
        ('[ -d "$volume" ] || { echo; exit 0; }', "cascades"),
        ('[ -d "$volume" ] || { echo /nowhere; exit 0; }', "cascades"),
        # A device, but of nothing that was written: what remove does with it is not known.
        ('case $VOL_NAME in *.snap) : >"$image" && truncate -s 32M "$image" ;; esac', None),
    ],
    ids=["nothing", "no device", "other data"],
)
def test_attach_without_the_data_is_no_snapshot_that_stayed(
    workbench: Workbench, attach: str, written: str | None
) -> None:
    mutant(workbench, "remove-neighbours")
    script = workbench.provider / "attach"
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace("\nlock_volume", f"\n{attach}\nlock_volume"), encoding="utf-8")

    capabilities = adopted(workbench, POOL, rules=("ES-DISC-02",))["capabilities"]

    assert capabilities.get("remove_with_snapshots") == written


@needs_devices
def test_granularity_is_measured(stranger: Workbench) -> None:
    common = stranger.provider / "common.sh"
    text = common.read_text(encoding="utf-8")
    rounded = 'truncate --size=">$(((${2} + 3) / 4 * 4))M" -- "$1"'
    common.write_text(text.replace('truncate --size=">$2M" -- "$1"', rounded), encoding="utf-8")

    written = adopted(stranger, POOL, rules=("ES-DISC-02", "ES-CREATE-02"))

    assert written["sizes"]["granularity"] == 4
    assert "waivers" not in written


@needs_devices
def test_failing_rule_is_proposed_and_does_not_count_before_it_is_signed(
    workbench: Workbench,
) -> None:
    mutant(workbench, "remove-neighbours")
    file = workbench.directory / "adopted.toml"
    rules = ("ES-REMOVE-06", "ES-DISC-02")

    written = adopted(workbench, POOL, rules=rules)
    unsigned = workbench.run(f"--extstorage-config={file}", rules=rules)
    signed_text = file.read_text().replace('reason = ""', 'reason = "ticket 7"')
    file.write_text(signed_text)
    signed = workbench.run(f"--extstorage-config={file}", rules=rules)

    assert set(written["waivers"]) == {"ES-REMOVE-06"}
    assert written["waivers"]["ES-REMOVE-06"]["reason"] == ""
    assert written["waivers"]["ES-REMOVE-06"]["expires"] > dt.datetime.now(tz=dt.UTC).date()
    assert unsigned.exit_code == 1
    assert unsigned.outcome("ES-REMOVE-06") == "failed"
    assert "waiver:   not signed" in unsigned.rule("ES-REMOVE-06")["message"]
    assert signed.exit_code == 0, signed.output
    assert signed.outcome("ES-REMOVE-06") == "waived"


@needs_devices
def test_command_that_shows_what_fails_is_named(workbench: Workbench) -> None:
    mutant(workbench, "remove-neighbours")
    file, own = workbench.directory / "adopted.toml", workbench.provider / "conformance.toml"
    for to, command in (
        (file, f"`extstorage conform {workbench.provider} --config {file}` shows each"),
        (own, f"`extstorage conform {workbench.provider}` shows each"),
    ):
        run = workbench.run(f"--extstorage-adopt={to}", POOL, rules=("ES-REMOVE-06",))

        assert command in run.output


@needs_devices
def test_secret_is_not_written(stranger: Workbench) -> None:
    written = adopted(
        stranger, POOL, "--extstorage-parameter=api_key=s3cr3t-value", rules=("ES-DISC-02",)
    )

    assert written["secrets"] == {"api_key": {"env": "EXTP_API_KEY"}}
    assert "s3cr3t-value" not in (stranger.directory / "adopted.toml").read_text()


@needs_devices
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "create of 32 MiB failed (exited with exit code 1): create: parameter directory"),
        (("--extstorage-parameter=pool",), "'pool' is no parameter: expected NAME=VALUE"),
        (("--extstorage-config=no-such-file",), "no-such-file: cannot be read"),
    ],
)
def test_what_cannot_be_adopted_is_said_and_nothing_written(
    stranger: Workbench, arguments: tuple[str, ...], said: str
) -> None:
    file = stranger.directory / "adopted.toml"

    run = stranger.run(f"--extstorage-adopt={file}", *arguments)

    assert run.exit_code != 0
    assert said in run.output
    assert "Traceback" not in run.output
    assert not file.exists()


@needs_devices
def test_provider_that_ganeti_does_not_load(stranger: Workbench) -> None:
    (stranger.provider / "grow").unlink()
    file = stranger.directory / "adopted.toml"

    run = stranger.run(f"--extstorage-adopt={file}", POOL)

    assert run.exit_code == 1
    assert "Ganeti does not load the provider: File 'grow'" in run.output
    assert not file.exists()


def failed(rule_id: str) -> Result:
    register_all()
    return Result(rule_id, "MUST", Outcome.FAILED)


def test_what_the_vendor_wrote_stays() -> None:
    text = '# mine\n[capabilities]\nzeroed = true # of course\n\n[parameters]\npool = "a"\n'
    proposal = Proposal(text, "here")
    proposal.add_parameters({"pool": "declared", "user": "declared"}, {"pool": "b"})
    proposal.add_observation(Observation("capabilities", "zeroed", value=False, seen="data"))

    assert proposal.text.startswith(text)
    assert proposal.configuration().parameters == {"pool": "a"}


def test_signed_waivers_stay_and_proposals_that_are_not_needed_go() -> None:
    text = (
        '[waivers]\nES-GROW-01 = {reason = "firmware 7"}\n'
        'ES-GROW-02 = {reason = "", expires = 2031-01-01} # MUST: ...\n'
    )
    proposal = Proposal(text, "here")

    proposal.add_waivers([failed("ES-GROW-03")], TODAY)

    waivers = proposal.configuration().waivers
    assert set(waivers) == {"ES-GROW-01", "ES-GROW-03"}
    assert not waivers["ES-GROW-03"].in_force(TODAY)
    assert "ES-GROW-02" not in proposal.text


def test_proposal_is_toml_whatever_the_provider_says() -> None:
    proposal = Proposal("", "here")
    known = {"we ird": "read", "ö": "declared", "password": "read", "": "declared"}
    proposal.add_parameters(known, {"q\"'": "a\nb\\"})
    proposal.add_observation(Observation("sizes", "default", 8, "line\n# [x]\r\x00\x1b end"))

    assert tomllib.loads(proposal.text)["parameters"] == {"q\"'": "a\nb\\"}


def test_file_that_is_no_configuration_is_refused() -> None:
    for text in ("= 1", "[sizes]\ndefault = 'x'", "[unknown]"):
        with pytest.raises(ConfigurationError, match=r"^here: "):
            Proposal(text, "here")


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("san_passwd", True),
        ("API_KEY", True),
        ("auth_token", True),
        ("pool", False),
        ("bypass", False),
        ("keyboard", False),
        ("spinning", False),
    ],
)
def test_secrets_are_known_by_their_names(name: str, *, secret: bool) -> None:
    assert is_secret(name) is secret
