"""The hook that lists the back end's objects, and the directories where they may lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conformance.conftest import Workbench

# Prints a row as lvs does, whose columns are as wide as the longest name at that moment.
PADDING = r"""
inventory = "echo >>$RUN_DIRECTORY/count; printf '  area%*s\\n' $(wc -l <$RUN_DIRECTORY/count) ''"
"""


def test_a_row_that_is_padded_anew_is_the_same_object(workbench: Workbench) -> None:
    configuration = workbench.provider / "conformance.toml"
    text = configuration.read_text()
    assert "\n[hooks]\n" in text
    configuration.write_text(text.replace("\n[hooks]\n", f"\n[hooks]\n{PADDING}", 1))

    run = workbench.run(rules=("ES-IDEM-02",))

    assert run.outcome("ES-IDEM-02") == "passed", run.output


def test_a_directory_that_is_nowhere_is_told(workbench: Workbench) -> None:
    configuration = workbench.provider / "conformance.toml"
    text = configuration.read_text()
    configuration.write_text(text.replace('{run_directory}/pool2"]', '{run_directory}/pol"]', 1))
    assert configuration.read_text() != text

    run = workbench.run(rules=("ES-CREATE-01",))

    assert run.exit_code == 3, run.output
    assert "inventory_directories names {run_directory}/pol, where there is no" in run.output
    assert "INTERNALERROR" not in run.output


def test_hook_that_fails_without_a_word_is_told_with_its_status(workbench: Workbench) -> None:
    configuration = workbench.provider / "conformance.toml"
    text = configuration.read_text()
    configuration.write_text(text.replace("\n[hooks]\n", '\n[hooks]\nsetup = "exit 7"\n', 1))

    run = workbench.run(rules=("ES-CREATE-01",))

    assert run.exit_code == 3, run.output
    assert "hook setup of the configuration failed: exit status 7, no message" in run.output
