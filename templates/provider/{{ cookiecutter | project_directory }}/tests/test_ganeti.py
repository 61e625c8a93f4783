"""The provider in Ganeti itself: `tox -e ganeti`, as root, on a node.

With Debian's package ganeti Ganeti's own code reads the provider. With a cluster, whose
every node has the provider installed, an instance lives on it: on the master, name an
operating system and, if they are not this project's defaults, parameters:

    EXTSTORAGE_GANETI_OS=noop EXTSTORAGE_GANETI_PARAMETERS=pool=fast tox -e ganeti
"""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conftest import PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Provider

GANETI = Path("/usr/share/ganeti/default")
READ = """
import sys
sys.path.insert(0, sys.argv[1])
from ganeti import pathutils
pathutils.ES_SEARCH_PATH = [sys.argv[2]]
from ganeti.storage import extstorage
print(extstorage.ExtStorageFromDisk(sys.argv[3]))
"""


def test_ganetis_own_code_reads_it(provider: Provider) -> None:
    if not GANETI.is_dir():
        pytest.skip("needs Ganeti: apt-get install ganeti")
    place = provider.directory
    done = subprocess.run(
        ["/usr/bin/python3", "-c", READ, GANETI, place.parent, place.name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "('ok', " in done.stdout or "(True, " in done.stdout, done.stdout


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def cluster() -> str:
    if shutil.which("gnt-cluster") is None:
        pytest.skip("needs Ganeti: apt-get install ganeti")
    if subprocess.run(["gnt-cluster", "getmaster"], capture_output=True, check=False).returncode:
        pytest.skip("needs a Ganeti cluster, of which this node is the master")
    if "EXTSTORAGE_GANETI_OS" not in os.environ:
        pytest.skip("needs EXTSTORAGE_GANETI_OS: the operating system of a test instance")
    return os.environ["EXTSTORAGE_GANETI_OS"]


@pytest.fixture
def instance(cluster: str, provider: Provider) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    parameters = os.environ.get("EXTSTORAGE_GANETI_PARAMETERS") or ",".join(
        f"{variable.removeprefix('EXTP_').lower()}={value}"
        for variable, value in PARAMETERS.items()
    )
    disk = f"0:size=1G,provider={provider.directory.name}"
    if parameters:
        disk = f"{disk},{parameters}"
    try:
        # No less than a new cluster's policy asks for, but for the network, which needs none.
        run(
            "gnt-instance", "add", "-t", "ext", "--disk", disk, "-o", cluster, "--no-nics",
            "--ignore-ipolicy", "--no-ip-check", "--no-name-check", name,
        )  # fmt: skip
        yield name
    finally:
        if name in run("gnt-instance", "list", "--no-headers", "-o", "name").split():
            run("gnt-instance", "remove", "--force", name)


def test_every_node_has_it(cluster: str, provider: Provider) -> None:
    assert cluster
    report = run("gnt-storage", "diagnose")
    assert provider.directory.name in report
    assert "invalid" not in run("gnt-storage", "info", provider.directory.name)


def test_an_instance_lives_on_it(instance: str) -> None:
    run("gnt-instance", "reboot", "-t", "hard", instance)
    run("gnt-instance", "grow-disk", instance, "0", "64M")
    run("gnt-instance", "shutdown", instance)
    run("gnt-instance", "startup", instance)


def test_an_instance_moves_on_it(instance: str) -> None:
    if len(run("gnt-node", "list", "--no-headers", "-o", "name").split()) < 2:
        pytest.skip("needs a second node in the cluster")
    run("gnt-instance", "migrate", "--force", instance)
    run("gnt-instance", "failover", "--force", instance)
