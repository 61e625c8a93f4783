"""The suite on other nodes than this machine: namespaces, and hosts that are reached by ssh."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from extstorage.nodes.namespaces import NamespaceNodes
from tests.nodes.conftest import need_guests
from tests.nodes.devices import loops
from tests.nodes.sshd import Hosts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.conftest import Run, Workbench

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces: run as root")

NAMESPACES = "--extstorage-nodes=namespaces:2"
# Rules that use everything that a node is used for: streams, holders, the inventory, files.
RULES = (
    "ES-DISC-07", "ES-ENV-05", "ES-ENV-10", "ES-CREATE-04", "ES-ATTACH-05", "ES-DETACH-06",
    "ES-DATA-02", "ES-DATA-07", "ES-LEAK-01", "ES-SETINFO-03",
)  # fmt: skip
# A check that says where it runs and what it sees there.
FACTS = """
import json, pathlib
from extstorage_conformance.rules import Level, rule

@rule("ES-TEST-90", Level.MUST, source="a test", nodes={nodes}, power={power})
def test_facts(extstorage_subject):
    '''A rule.'''
    subject = extstorage_subject
    volume = subject.attached()
    seen = [
        dict(node=node.name, host=node.node.facts().host_name,
             provider=str(node.host.search_path[0]), run=str(subject.suite.run_directory))
        for node in subject.nodes
    ]
    other = volume.on(subject.nodes[-1])
    other.attach()
    other.stamp()
    volume.attach()
    volume.judge_stamps(None)
    pathlib.Path({facts!r}).write_text(json.dumps(seen))
    {more}
"""

# A check that switches one node off and cuts the other one off, and one that uses both.
POWER = """
from extstorage_conformance.rules import Level, rule
from extstorage_conformance.violation import Violation

@rule("ES-TEST-91", Level.MUST, source="a test", nodes=2, power=True)
def test_switch_off(extstorage_subject):
    '''A rule.'''
    subject = extstorage_subject
    volume = subject.attached()
    there = volume.on(subject.nodes[1])
    there.attach()
    subject.nodes[1].kill()
    subject.nodes[0].cut_off()
    raise Violation("nothing", "nothing")

@rule("ES-TEST-92", Level.MUST, source="a test", nodes=2)
def test_use_both(extstorage_subject):
    '''A rule.'''
    subject = extstorage_subject
    for node in subject.nodes:
        volume = subject.created().on(node)
        volume.attach()
        volume.stamp()
        volume.given_stamps()
"""


def write_check(workbench: Workbench, *, nodes: int, power: bool = False, more: str = "") -> str:
    """Write the check and return its path; it writes what it sees to facts.json."""
    check = workbench.directory / "test_facts.py"
    facts = str(workbench.directory / "facts.json")
    check.write_text(FACTS.format(nodes=nodes, power=power, facts=facts, more=more))
    return str(check)


def outcome_of_check(run: Run) -> tuple[str, str]:
    """Return the check's outcome and its message."""
    rule = run.rule("ES-TEST-90")
    return rule["outcome"], rule["message"]


def facts_of(workbench: Workbench, *arguments: str, nodes: int = 2) -> list[dict[str, str]]:
    """Run the check on ``nodes`` nodes; return what it has seen on each."""
    run = workbench.run(*arguments, write_check(workbench, nodes=nodes))
    assert outcome_of_check(run) == ("passed", ""), run.output
    found: list[dict[str, str]] = json.loads((workbench.directory / "facts.json").read_text())
    return found


@pytest.mark.slow
def test_rules_hold_on_a_namespace_node(workbench: Workbench) -> None:
    run = workbench.run(NAMESPACES, rules=RULES)

    assert run.exit_code == 0, run.output
    assert {run.outcome(rule_id) for rule_id in RULES} == {"passed"}


def test_provider_and_run_are_on_each_node(workbench: Workbench) -> None:
    first, second = facts_of(workbench, NAMESPACES)

    assert first["node"] == first["host"] == "node1.example.com"
    assert second["node"] == second["host"] == "node2.example.com"
    # A namespace node has a /tmp of its own, so the provider was copied.
    assert first["provider"] == second["provider"] != str(workbench.directory)
    assert first["provider"].startswith(first["run"] + "/")
    assert not Path(first["run"]).exists()


def test_rules_for_several_nodes_bring_namespaces_up_by_themselves(workbench: Workbench) -> None:
    seen = facts_of(workbench, nodes=3)

    assert [node["node"] for node in seen] == [f"node{number}.example.com" for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ("local", "needs 2 nodes: --nodes local has 1"),
        ("namespaces:1", "needs 2 nodes: --nodes namespaces:1 has 1"),
    ],
)
def test_too_few_nodes_are_told(workbench: Workbench, nodes: str, reason: str) -> None:
    run = workbench.run(f"--extstorage-nodes={nodes}", write_check(workbench, nodes=2))

    assert outcome_of_check(run) == ("skipped", reason), run.output
    assert f"ES-TEST-90 skipped: {reason}" in run.output


def test_bad_nodes_are_a_usage_error(workbench: Workbench) -> None:
    run = workbench.run("--extstorage-nodes=namespaces:many")

    assert run.exit_code == 4
    assert "namespaces:N with N from 1 to 64, found 'namespaces:many'" in run.output


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two"])
def test_unreachable_host_is_told_in_one_line(
    workbench: Workbench, workers: tuple[str, ...]
) -> None:
    rules = ("ES-CREATE-03", "ES-CREATE-04", "ES-ATTACH-01")
    run = workbench.run("--extstorage-nodes=ssh:nowhere.invalid", *workers, rules=rules)

    assert run.exit_code == 3
    assert "could not run: nodes ssh:nowhere.invalid: nowhere.invalid:" in run.output
    for trace in ("Traceback", "INTERNALERROR"):
        assert trace not in run.output


@pytest.fixture
def hosts(workbench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two hosts, host1 and host2, that ssh finds; gives the directory that they share."""
    if not Path("/usr/sbin/sshd").exists() or not shutil.which("ssh"):
        pytest.skip("needs sshd and ssh: apt-get install openssh-server openssh-client")
    shared = workbench.directory / "shared"
    shared.mkdir()
    with NamespaceNodes(2, str(shared)) as nodes:
        options = Hosts(nodes, shared / "ssh").options
        program = workbench.directory / "bin" / "ssh"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {" ".join(options)} "$@"\n')
        program.chmod(0o755)
        path = f"{program.parent}:{os.environ['PATH']}"
        workbench.environment["PATH"] = path
        monkeypatch.setenv("PATH", path)
        yield shared


def test_hosts_share_the_directory_that_is_named(workbench: Workbench, hosts: Path) -> None:
    workbench.configure(f'\n[nodes]\ndirectory = "{hosts}"\n')

    first, second = facts_of(workbench, "--extstorage-nodes=ssh:host1,host2")

    assert (first["node"], second["node"]) == ("host1", "host2")
    assert first["run"].startswith(f"{hosts}/extstorage-")
    assert not list(hosts.glob("extstorage-*"))


@pytest.mark.slow
def test_rules_hold_over_ssh(workbench: Workbench, hosts: Path) -> None:
    workbench.configure(f'\n[nodes]\ndirectory = "{hosts}"\n')

    run = workbench.run("--extstorage-nodes=ssh:host1", rules=RULES)

    assert {run.outcome(rule_id) for rule_id in RULES} == {"passed"}, run.output


@pytest.mark.slow
def test_instances_move_between_hosts(workbench: Workbench, hosts: Path) -> None:
    workbench.configure(f'\n[nodes]\ndirectory = "{hosts}"\n')
    rules = ("ES-MIG-02", "ES-MIG-05", "ES-MIG-11", "ES-DATA-05", "ES-DATA-09")

    run = workbench.run("--extstorage-nodes=ssh:host1,host2", rules=rules)

    assert {run.outcome(rule_id) for rule_id in rules} == {"passed"}, run.output


def test_host_with_other_files_is_told(workbench: Workbench, hosts: Path) -> None:
    workbench.configure(f'\n[nodes]\ndirectory = "{hosts}"\n')
    provider = workbench.provider
    command = f"mkdir -p {provider} && echo old >{provider}/attach"
    subprocess.run(["ssh", "host2", command], env=workbench.environment, check=True)

    run = workbench.run("--extstorage-nodes=ssh:host1,host2", rules=("ES-DISC-08", "ES-CREATE-03"))

    assert run.outcome("ES-CREATE-03") == "passed", run.output  # with a copy, not with those files
    assert run.outcome("ES-DISC-08") == "failed"
    assert "others on host2: .shellcheckrc, attach, close" in run.rule("ES-DISC-08")["message"]


@pytest.mark.usefixtures("hosts")
def test_hosts_without_a_shared_directory_skip_what_needs_one(workbench: Workbench) -> None:
    run = workbench.run("--extstorage-nodes=ssh:host1,host2", write_check(workbench, nodes=2))

    outcome, message = outcome_of_check(run)
    assert outcome == "skipped", run.output
    assert "name a shared directory as [nodes] directory" in message


def test_host_cannot_be_switched_off(workbench: Workbench, hosts: Path) -> None:
    workbench.configure(f'\n[nodes]\ndirectory = "{hosts}"\n')

    check = write_check(workbench, nodes=2, power=True)
    run = workbench.run("--extstorage-nodes=ssh:host1,host2", check)

    outcome, message = outcome_of_check(run)
    assert outcome == "skipped", run.output
    assert "needs nodes that can be switched off" in message


def _start_and_kill(workbench: Workbench, *arguments: str, nodes: int = 2) -> None:
    """Start a check that stays in its middle, the nodes attached, and kill pytest."""
    facts = workbench.directory / "facts.json"
    check = write_check(workbench, nodes=nodes, more="import time; time.sleep(60)")
    process = subprocess.Popen(
        workbench.command(*arguments, check),
        cwd=workbench.directory,
        env=workbench.environment,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while not (facts.exists() and facts.read_text()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_killed_run_on_namespaces_is_reaped(workbench: Workbench) -> None:
    _start_and_kill(workbench, NAMESPACES)
    (journal,) = (workbench.directory / "state").rglob("*.jsonl")
    run_directory = Path(json.loads(journal.read_text().splitlines()[0])["run_directory"])
    assert run_directory.is_dir()

    run = workbench.run("--extstorage-reap")

    assert "1 volumes, all undone" in run.output, run.output
    assert not run_directory.exists()
    assert not journal.exists()
    assert not loops(journal.stem)


def test_killed_run_in_guests_is_reaped(workbench: Workbench) -> None:
    need_guests()
    _start_and_kill(workbench, "--extstorage-nodes=guests:1", nodes=1)
    (journal,) = (workbench.directory / "state").rglob("*.jsonl")
    run_directory = Path(json.loads(journal.read_text().splitlines()[0])["run_directory"])
    (run_directory / "log").mkdir(exist_ok=True)

    run = workbench.run("--extstorage-reap")

    assert "1 volumes, gone with their guests" in run.output, run.output
    assert not run_directory.exists()
    assert not journal.exists()


def test_killed_run_over_ssh_is_reaped(workbench: Workbench, hosts: Path) -> None:
    workbench.configure(f'\n[nodes]\ndirectory = "{hosts}"\n')
    _start_and_kill(workbench, "--extstorage-nodes=ssh:host1,host2")
    (journal,) = (workbench.directory / "state").rglob("*.jsonl")
    assert loops(journal.stem)

    run = workbench.run("--extstorage-reap")

    assert "1 volumes, all undone" in run.output, run.output
    assert not loops(journal.stem)
    assert not list(hosts.glob("extstorage-*"))


def test_hooks_run_where_they_say(workbench: Workbench) -> None:
    note = 'printf "%s;" "{} ${{NODE%%.*}}" >>"$RUN_DIRECTORY/hooks"'
    hooks = "".join(
        f"{name} = {note.format(name)!r}\n" for name in ("setup", "node_setup", "node_teardown")
    )
    path = workbench.provider / "conformance.toml"
    told = """teardown = 'cat "$RUN_DIRECTORY/hooks" >&2; echo "$NODES" >&2; false'\n"""
    path.write_text(path.read_text().replace("[hooks]\n", f"[hooks]\n{hooks}{told}"))

    run = workbench.run(NAMESPACES, rules=("ES-CREATE-03",))

    assert "hook teardown of the configuration failed on node1.example.com" in run.output
    assert (
        "setup node1;node_setup node1;node_setup node2;node_teardown node1;node_teardown node2;"
        "node1.example.com node2.example.com"
    ) in run.output


def test_nodes_that_a_check_left_off_are_back_for_the_next(workbench: Workbench) -> None:
    check = workbench.directory / "test_power.py"
    check.write_text(POWER)

    run = workbench.run(NAMESPACES, str(check))

    assert run.outcome("ES-TEST-91") == "failed", run.output
    assert run.outcome("ES-TEST-92") == "passed", run.output
    assert "ES-LEAK-02" not in run.output


@pytest.mark.parametrize("link", ["$VOL_NAME", "$VOL_NAME.$(uname -n)"])
def test_links_that_nodes_share_are_not_held_against_a_provider(
    workbench: Workbench, link: str
) -> None:
    path = f'"/dev/test-{workbench.provider.parent.name}/{link}"'
    attach, detach = ((workbench.provider / name).read_text() for name in ("attach", "detach"))
    make = 'mkdir -p "${link%/*}" && ln -sfn "$device" "$link"\nprintf %s "$link"\n'
    workbench.replace_script(
        "attach", attach.replace("printf", f"link={path}\n{make}exit\nprintf", 1)
    )
    workbench.replace_script("detach", f"{detach}\nrm -f -- {path}\n")

    try:
        run = workbench.run(rules=("ES-ATTACH-01", "ES-MIG-01"))
    finally:
        shutil.rmtree(f"/dev/test-{workbench.provider.parent.name}")

    assert run.exit_code == 0, run.output
    shared = "uname" not in link
    assert run.outcome("ES-MIG-01") == ("skipped" if shared else "passed"), run.output
    assert not shared or "needs nodes with a /dev of their own" in run.output
