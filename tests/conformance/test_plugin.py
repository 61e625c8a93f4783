"""The plugin as its users meet it: real pytest runs on a good and on broken providers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.resources import files
from typing import TYPE_CHECKING

import jsonschema
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.conftest import Workbench

BROKEN_ATTACH = "#!/bin/sh\necho 'no path to the array' >&2\nexit 3\n"
LYING_ATTACH = "#!/bin/sh\necho /dev/no-such-device\n"


def test_good_provider_conforms(workbench: Workbench) -> None:
    run = workbench.run("--extstorage-profile=core")

    assert run.exit_code == 0, run.output
    assert run.output.rstrip().splitlines()[-2].startswith("plain CONFORMS to Ganeti 3.0")


def test_report_follows_its_schema(workbench: Workbench) -> None:
    schema = json.loads(
        files("extstorage_conformance.reports").joinpath("report.schema.json").read_text()
    )

    run = workbench.run(rules=("ES-ATTACH-01", "ES-DISC-02"))

    jsonschema.validate(run.report, schema)
    assert run.outcome("ES-ATTACH-01") == "passed"


def test_failure_says_what_was_expected_and_how_to_replay_it(workbench: Workbench) -> None:
    workbench.replace_script("attach", LYING_ATTACH)

    run = workbench.run(rules=("ES-ATTACH-02",))

    assert run.exit_code == 1
    message = run.rule("ES-ATTACH-02")["message"]
    assert "expected: the path of an existing block device" in message
    assert "/dev/no-such-device" in message
    replayed = subprocess.run(
        ["/bin/sh", "-c", run.rule("ES-ATTACH-02")["replay"]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert replayed.stdout == "/dev/no-such-device\n"


def test_what_stands_on_a_failing_step_is_blocked_not_failed(workbench: Workbench) -> None:
    workbench.replace_script("attach", BROKEN_ATTACH)

    run = workbench.run(rules=("ES-ATTACH-01", "ES-GROW-02"))

    assert run.exit_code == 1
    assert run.outcome("ES-ATTACH-01") == "failed"
    assert run.outcome("ES-GROW-02") == "blocked"
    assert "no path to the array" in run.rule("ES-GROW-02")["message"]


def test_rules_about_several_volumes_stand_on_attach_of_one_alone(workbench: Workbench) -> None:
    attach = (workbench.provider / "attach").read_text(encoding="utf-8")
    workbench.replace_script("attach", attach.replace("printf '%s' \"$device\"", "echo"))
    several = ("ES-CONC-01", "ES-CONC-02", "ES-DATA-09", "ES-MIG-09", "ES-MULTI-01", "ES-MULTI-02")

    run = workbench.run(rules=("ES-ATTACH-10", *several))

    assert run.outcome("ES-ATTACH-10") == "failed"
    assert {run.outcome(rule_id) for rule_id in several} == {"blocked"}, run.output


def test_call_that_blocks_rules_is_shown_if_no_broken_rule_shows_it(workbench: Workbench) -> None:
    workbench.replace_script("attach", BROKEN_ATTACH)

    told = workbench.run(rules=("ES-ATTACH-01", "ES-GROW-02"))
    untold = workbench.run(rules=("ES-DISC-02", "ES-GROW-02"))

    report = told.output.partition("short test summary")[0]  # which repeats all of it in CI
    assert report.count("no path to the array") == 1
    blocked = untold.output[untold.output.index("blocked, since attach failed") :]
    assert "no path to the array" in blocked
    assert "replay: " in blocked


def test_size_that_create_takes_makes_no_failing_call_succeed(workbench: Workbench) -> None:
    create = (workbench.provider / "create").read_text(encoding="utf-8")
    lenient = 'find_volume\n[ "${VOL_SIZE-}" != 0 ] || VOL_SIZE=1\n'
    workbench.replace_script("create", create.replace("find_volume\n", lenient))

    run = workbench.run(rules=("ES-CREATE-08", "ES-ENV-08", "ES-ENV-09"))

    assert run.outcome("ES-CREATE-08") == "failed"
    assert run.outcome("ES-ENV-08") == "passed"
    assert run.outcome("ES-ENV-09") == "passed"


def test_attach_that_finds_nothing_and_exits_0_blocks_no_comparison(workbench: Workbench) -> None:
    shutil.copy(workbench.provider / "attach", workbench.provider / "map")
    workbench.replace_script("attach", '#!/bin/sh\n"${0%/*}/map" || printf /dev/mapper/nothing\n')

    run = workbench.run(rules=("ES-ATTACH-03", "ES-DISC-07", "ES-ENV-01"))

    assert run.outcome("ES-ATTACH-03") == "failed"
    assert run.outcome("ES-DISC-07") == "passed"
    assert run.outcome("ES-ENV-01") == "passed"


def test_look_up_without_the_pool_is_found_while_both_volumes_are_attached(
    workbench: Workbench,
) -> None:
    attach = (workbench.provider / "attach").read_text(encoding="utf-8")
    by_name = (
        "device=$(losetup --list --noheadings --output NAME,BACK-FILE |"
        """ awk -v end=".$VOL_NAME/image" 'index($2, end) { print $1; exit }')\n"""
    )
    workbench.replace_script("attach", attach.replace("device=$(attached_device)\n", by_name))

    run = workbench.run(rules=("ES-PARAM-11",))

    assert run.outcome("ES-PARAM-11") == "failed"
    assert "a device of its own" in run.rule("ES-PARAM-11")["message"]


def test_rules_that_one_step_blocks_are_named_together(workbench: Workbench) -> None:
    workbench.replace_script("detach", "#!/bin/sh\n")

    run = workbench.run(rules=("ES-DETACH-01", "ES-ATTACH-14", "ES-REMOVE-06"))

    assert "or declare visible_after_detach" in run.rule("ES-DETACH-01")["message"]
    (line,) = [line for line in run.output.splitlines() if line.startswith("blocked, since")]
    assert line.endswith("the volume: ES-ATTACH-14, ES-REMOVE-06")


def test_faults_are_tried_on_storage_that_stays_visible_after_detach(workbench: Workbench) -> None:
    for method, name in (("detach", "unmap"), ("remove", "delete")):
        shutil.copy(workbench.provider / method, workbench.provider / name)
    workbench.replace_script("detach", "#!/bin/sh\nexit 0\n")
    workbench.replace_script("remove", '#!/bin/sh\n"${0%/*}/unmap" && exec "${0%/*}/delete"\n')
    path = workbench.provider / "conformance.toml"
    text = path.read_text(encoding="utf-8")
    capability = "[capabilities]\nvisible_after_detach = true\n"
    path.write_text(text.replace("[capabilities]\n", capability), encoding="utf-8")

    run = workbench.run("--extstorage-only=attach", rules=("ES-CRASH-07",))

    assert run.outcome("ES-CRASH-07") == "passed", run.output


@pytest.mark.parametrize("method", ["setinfo", "grow", "snapshot"])
def test_two_pools_are_not_blamed_for_a_method_that_fails_in_one(
    workbench: Workbench, method: str
) -> None:
    workbench.replace_script(method, "#!/bin/sh\nexit 1\n")

    run = workbench.run(rules=("ES-PARAM-11",))

    assert run.outcome("ES-PARAM-11") == "blocked", run.output


def test_only_blocked_rules_do_not_make_a_conforming_provider(workbench: Workbench) -> None:
    workbench.replace_script("attach", BROKEN_ATTACH)

    run = workbench.run(rules=("ES-DISC-02", "ES-GROW-02"))

    assert run.exit_code == 1
    assert "DOES NOT CONFORM" in run.output


def test_waived_rule_does_not_break_conformance(workbench: Workbench) -> None:
    workbench.replace_script("attach", LYING_ATTACH)
    workbench.configure('[waivers]\nES-ATTACH-02 = {reason = "ticket 7"}\n')

    run = workbench.run(rules=("ES-ATTACH-02",))

    assert run.exit_code == 0, run.output
    assert run.outcome("ES-ATTACH-02") == "waived"
    assert "ticket 7" in run.output


def test_waiver_that_is_not_needed_is_told(workbench: Workbench) -> None:
    workbench.configure('[waivers]\nES-ATTACH-02 = {reason = "ticket 7"}\n')

    run = workbench.run(rules=("ES-ATTACH-02",))

    assert run.exit_code == 0
    assert run.outcome("ES-ATTACH-02") == "unexpected-pass"


def test_expired_waiver_does_not_count(workbench: Workbench) -> None:
    workbench.replace_script("attach", LYING_ATTACH)
    workbench.configure('[waivers]\nES-ATTACH-02 = {reason = "t", expires = 2020-01-01}\n')

    run = workbench.run(rules=("ES-ATTACH-02",))

    assert run.exit_code == 1
    assert run.outcome("ES-ATTACH-02") == "failed"


def test_run_that_exercised_no_must_rule_is_no_success(workbench: Workbench) -> None:
    (workbench.provider / "snapshot").unlink()

    run = workbench.run(rules=("ES-SNAP-01",))

    assert run.exit_code == 3
    assert run.outcome("ES-SNAP-01") == "not-applicable"
    assert "no MUST rule was exercised" in run.output


def test_fault_of_the_suite_is_not_blamed_on_the_provider(
    workbench: Workbench, tmp_path: Path
) -> None:
    check = tmp_path / "test_own.py"
    check.write_text(
        "from extstorage_conformance.rules import Level, rule\n"
        '@rule("ES-OWN-01", Level.MUST, source="a test")\n'
        "def test_own(extstorage_subject):\n"
        '    """A rule."""\n'
        "    extstorage_subject.created()\n"
        "    raise RuntimeError('mistake of the suite')\n"
    )

    run = workbench.run(str(check))

    assert run.exit_code == 3
    assert run.outcome("ES-OWN-01") == "error"
    assert "mistake of the suite" in run.output


def test_leak_after_a_good_check_breaks_the_leak_rule(workbench: Workbench) -> None:
    detach = (workbench.provider / "detach").read_text()
    workbench.replace_script("detach", detach + '\n: > "/run/forgotten-$VOL_NAME"\n')

    run = workbench.run(rules=("ES-SETINFO-01", "ES-ATTACH-01"))

    assert run.exit_code == 1
    assert run.outcome("ES-ATTACH-01") == "passed"
    assert run.outcome("ES-LEAK-02") == "failed"
    assert "/run/forgotten-" in run.rule("ES-LEAK-02")["message"]


def test_secret_is_shown_nowhere(workbench: Workbench) -> None:
    workbench.replace_script("attach", '#!/bin/sh\necho "key $EXTP_KEY refused" >&2\nexit 1\n')
    workbench.configure('[secrets]\nkey = {env = "ARRAY_KEY"}\n')
    workbench.environment["ARRAY_KEY"] = "correct-horse-battery"

    run = workbench.run(rules=("ES-ATTACH-01",))

    assert run.outcome("ES-ATTACH-01") == "failed"
    assert "[secret key]" in run.output
    assert "correct-horse-battery" not in run.output + json.dumps(run.report)


def test_missing_secret_is_told_in_one_line(workbench: Workbench) -> None:
    workbench.configure('[secrets]\nkey = {env = "ARRAY_KEY_NOT_SET"}\n')

    run = workbench.run(rules=("ES-ATTACH-01",))

    assert run.exit_code == 3
    assert "set the environment variable ARRAY_KEY_NOT_SET" in run.output
    assert "Traceback" not in run.output


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[capabilties]\n", "unknown table [capabilties]"),
        ("[capabilities]\nzeroes = true\n", "unknown key 'zeroes'"),
        ('[capabilities]\nzeroed = "yes"\n', "zeroed must be a bool"),
        ('[waivers]\nES-NONE-01 = {reason = "x"}\n', "no rule has the id ES-NONE-01"),
        ("[sizes\n", "not TOML"),
    ],
)
def test_wrong_configuration_is_a_usage_error(
    workbench: Workbench, text: str, expected: str
) -> None:
    (workbench.provider / "conformance.toml").write_text(text)

    run = workbench.run()

    assert run.exit_code == pytest.ExitCode.USAGE_ERROR
    assert expected in run.output
    assert "Traceback" not in run.output


def test_unknown_rule_is_a_usage_error(workbench: Workbench) -> None:
    run = workbench.run(rules=("ES-NONE-01",))

    assert run.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "no rule has the id ES-NONE-01" in run.output


def test_other_users_are_told_to_be_root(workbench: Workbench) -> None:
    # Not root, but able to read the checkout and this test's directory, which only root may.
    reads_all = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    nobody = ["setpriv", "--reuid=65534", *reads_all]

    completed = subprocess.run(
        [*nobody, *workbench.command("-p", "no:cacheprovider")],
        cwd=workbench.directory,
        env=workbench.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert completed.returncode == 3, completed.stdout + completed.stderr
    assert "not root" in completed.stdout + completed.stderr


def test_own_tests_can_use_the_subject(workbench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "def test_volume_is_made(extstorage_subject):\n"
        "    assert extstorage_subject.attached().device_mib() == 32\n"
    )

    run = workbench.run(str(tmp_path / "test_mine.py"))

    assert "1 passed" in run.output
    assert "no rule was run: whether plain conforms is not said" in run.output
    assert run.exit_code == 0


@pytest.mark.parametrize(
    ("tests", "exit_code"),
    [("def test_mine(): assert False\n", 1), ("def test_mine(): pass\n", 0), ("", 3)],
)
def test_own_tests_alone_end_as_tests_do(
    workbench: Workbench, tmp_path: Path, tests: str, exit_code: int
) -> None:
    (tmp_path / "test_mine.py").write_text(tests)

    run = workbench.run(str(tmp_path / "test_mine.py"))

    assert run.exit_code == exit_code
    assert "no rule was run" in run.output


def test_own_tests_stay_in_their_order(workbench: Workbench, tmp_path: Path) -> None:
    numbers = [7, 3, 9, 1, 8, 2, 6, 4]
    (tmp_path / "test_mine.py").write_text("".join(f"def test_{n}(): pass\n" for n in numbers))

    run = workbench.run("--collect-only", "-q", str(tmp_path / "test_mine.py"))

    order = [int(n) for n in re.findall(r"::test_(\d)$", run.output, re.MULTILINE)]
    assert order == numbers


def test_own_fixtures_do_not_hide_those_of_the_checks(workbench: Workbench) -> None:
    own = "import pytest\n@pytest.fixture\ndef {}():\n    return 'mine'\n"
    (workbench.directory / "conftest.py").write_text(own.format("subject") + own.format("source"))
    (workbench.directory / "test_mine.py").write_text(
        "def test_mine(subject, source):\n    assert subject == source == 'mine'\n"
    )

    arguments = (str(workbench.directory), "--pyargs", "extstorage_conformance.checks")
    run = workbench.run(*arguments, rules=("ES-ATTACH-01", "ES-LINT-01"))

    assert run.exit_code == 0, run.output
    assert "3 passed" in run.output


def test_a_volume_that_grow_has_made_is_removed(workbench: Workbench) -> None:
    pool = workbench.directory / "pool"
    pool.mkdir(mode=0o700)
    configuration = workbench.provider / "conformance.toml"
    text = configuration.read_text().replace('{run_directory}/pool"\n', f'{pool}"\n')
    kept = [line for line in text.splitlines() if "inventory" not in line]
    configuration.write_text("\n".join(kept))
    grow = (workbench.provider / "grow").read_text()
    workbench.replace_script(
        "grow",
        grow.replace(
            'lock_volume || fail "there is no', 'lock_volume || exec "${0%/*}/create"; : "'
        ),
    )

    run = workbench.run(rules=("ES-GROW-12",))

    assert run.outcome("ES-GROW-12") == "failed"
    assert list(pool.iterdir()) == []


def test_workers_find_the_same(workbench: Workbench) -> None:
    rules = ("ES-ATTACH-01", "ES-ATTACH-04", "ES-DETACH-01", "ES-REMOVE-01")

    run = workbench.run("-n", "2", rules=rules)

    assert run.exit_code == 0, run.output
    assert [run.outcome(rule_id) for rule_id in rules] == ["passed"] * 4


def test_pytests_own_options_work(workbench: Workbench, tmp_path: Path) -> None:
    workbench.replace_script("attach", LYING_ATTACH)
    rules = ("ES-ATTACH-01", "ES-ATTACH-02", "ES-CREATE-03", "ES-DISC-02")

    stopped = workbench.run("-x", f"--junitxml={tmp_path / 'junit.xml'}", rules=rules)
    again = workbench.run("--lf", rules=rules)

    assert "stopping after 1 failures" in stopped.output
    assert "<failure" in (tmp_path / "junit.xml").read_text()
    assert "run-last-failure" in again.output
    assert again.report is not None
    assert len(again.report["rules"]) == 1


def test_rules_are_listed_and_explained(workbench: Workbench) -> None:
    listed = workbench.run("--extstorage-rules")
    explained = workbench.run("--extstorage-rules=ES-ATTACH-04")

    assert "ES-ATTACH-04" in listed.output
    assert "source:" in explained.output
    assert explained.exit_code == 0
