"""What a new project's `tox -e ganeti` runs, on the master of a real cluster."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.ganeti.real_cluster import POLICY
from tests.scaffold.projects import bake, provider_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ganeti.real_cluster import RealCluster

PLUGINS = ("-p", "no:cacheprovider", "-p", "no:extstorage_conformance")
PYTEST = (sys.executable, "-m", "pytest", *PLUGINS)
# What Ganeti gives a new cluster.
DEFAULT_POLICY = (
    "min:disk-size=1024,cpu-count=1,disk-count=1,memory-size=128,nic-count=1,spindle-use=1"
    "/max:disk-size=1048576,cpu-count=8,disk-count=16,memory-size=32768,nic-count=8,spindle-use=12"
)


@pytest.fixture
def vendors_cluster(cluster: RealCluster) -> Iterator[RealCluster]:
    """Return the cluster with the policy that a vendor's has if nobody has changed it."""
    cluster.do("gnt-cluster", "modify", f"--ipolicy-bounds-specs={DEFAULT_POLICY}")
    yield cluster
    cluster.do("gnt-cluster", "modify", f"--ipolicy-bounds-specs={POLICY}")


@pytest.mark.parametrize("language", ["sh", pytest.param("python", marks=pytest.mark.whole)])
def test_its_provider_carries_instances(vendors_cluster: RealCluster, language: str) -> None:
    cluster = vendors_cluster
    project = bake(
        cluster.shared, language=language, name=f"acme-{language}", parameters="pool the pool"
    )
    cluster.install(provider_of(project))
    volumes = cluster.shared / f"volumes-{language}"
    volumes.mkdir(mode=0o700)
    settings = {
        "EXTSTORAGE_GANETI_OS": "noop+default",
        "EXTSTORAGE_GANETI_PARAMETERS": f"pool=p,dev_directory={volumes}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    words = [f"{name}={value}" for name, value in settings.items()]
    tests = str(project / "tests/test_ganeti.py")
    said = cluster.type("env", *words, *PYTEST, tests, timeout_s=300)
    assert said.status == 0, said.output
    assert " 4 passed in " in said.output
    assert [path for path in volumes.rglob("*") if path.is_file()] == []
    assert cluster.do("gnt-instance", "list", "--no-headers") == ""
