"""What a boundary's place is called, so that it is the same for every volume."""

from __future__ import annotations

from extstorage_conformance.faults.tracer.steps import Steps
from extstorage_conformance.faults.tracing import names_in

VOLUMES = (
    "e5c72644-0002-413d-8e57-fe6500d1981c.ext.disk0",
    "e5c72644-0002-401e-9abc-162e8c98002c.ext.disk0",
)


def place(volume: str, path: str) -> str:
    names = names_in({"VOL_NAME": volume, "VOL_SNAPSHOT_NAME": f"{volume}.snap"})
    return Steps(names).call("openat", "read", (path,), "", "").key


def test_a_place_is_the_same_for_every_volume() -> None:
    keys = {place(volume, f"/srv/{volume}.snap/{volume}") for volume in VOLUMES}

    assert keys == {"call openat /srv/VOL_SNAPSHOT_NAME/VOL_NAME"}


def test_a_place_in_device_mapper_is_the_same_for_every_volume() -> None:
    escaped = [volume.replace("-", "--") for volume in VOLUMES]
    keys = {
        place(volume, f"/dev/mapper/san-{name}.snap+new")
        for volume, name in zip(VOLUMES, escaped, strict=True)
    }

    assert keys == {"call openat /dev/mapper/san-VOL_SNAPSHOT_NAME+new"}
