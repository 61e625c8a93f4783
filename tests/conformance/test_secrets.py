"""The rule on secrets, on a good provider that has one; its mutants are those that show it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conformance.conftest import Workbench

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for loop devices: run as root"),
]

RULE = "ES-SEC-05"
PASSED_ON = """
takes_no_arguments() {
    [ -z "${EXTP_PASSWORD-}" ] || [ "${EXTP_PASSWORD%Wrong}" = "$EXTP_PASSWORD" ] ||
        fail 'parameter password: the array refuses it'
    # In the environment, on a descriptor, in a file for root alone: never as an argument.
    ARRAY_PASSWORD=${EXTP_PASSWORD-} /usr/bin/true --user admin
    /usr/bin/cat >/dev/null <<END
${EXTP_PASSWORD-}
END
"""


def with_password(workbench: Workbench) -> None:
    with (workbench.provider / "parameters.list").open("a", encoding="ascii") as file:
        file.write("password of the array's user\n")
    common = workbench.provider / "common.sh"
    text = common.read_text(encoding="ascii")
    assert text.count("\ntakes_no_arguments() {\n") == 1
    common.write_text(text.replace("\ntakes_no_arguments() {\n", PASSED_ON), encoding="ascii")


def test_a_secret_that_programs_get_rightly_is_not_shown(workbench: Workbench) -> None:
    with_password(workbench)

    run = workbench.run(rules=(RULE,))

    assert run.outcome(RULE) == "passed", run.output


def test_a_secret_of_the_configuration_appears_in_no_report(workbench: Workbench) -> None:
    with_password(workbench)
    workbench.configure('\n[secrets]\npassword = {env = "ARRAY_PASSWORD"}\n')
    workbench.environment["ARRAY_PASSWORD"] = "swordfish-4711"  # noqa: S105 - nobody's
    with (workbench.provider / "grow").open("a", encoding="ascii") as file:
        file.write('/usr/bin/true "--password=$EXTP_PASSWORD"\n')

    run = workbench.run(rules=(RULE,))

    assert run.outcome(RULE) == "failed"
    assert "swordfish-4711" not in run.output
    assert "swordfish-4711" not in str(run.report)


def test_a_provider_without_secrets_has_none_to_hide(workbench: Workbench) -> None:
    assert workbench.run(rules=(RULE,)).outcome(RULE) == "not-applicable"
