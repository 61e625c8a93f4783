"""Names of a run's volumes: Ganeti's form, and nobody else's."""

from __future__ import annotations

import re

import pytest

from extstorage_conformance.naming import Namer, new_run

GANETI_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
INSTANCES_VOLUME = "7d2568e1-e665-4af9-807f-ed79a10d2375.ext.disk0"


def test_uuids_have_ganetis_form_and_differ() -> None:
    namer = Namer(new_run())

    uuids = [namer.uuid() for _ in range(5000)]

    assert all(GANETI_UUID.fullmatch(uuid) for uuid in uuids)
    assert len(set(uuids)) == len(uuids)


def test_own_volumes_are_owned_wherever_the_name_stands() -> None:
    namer = Namer("e5123456", 2)
    name = f"{namer.uuid()}.ext.disk10"

    for text in (name, f"/pool/{name}.snap (deleted)", f"VOL_NAME={name}\0PATH=/bin"):
        assert namer.owns(text)
        assert not namer.is_foreign(text)


def test_names_in_device_mapper_are_owned() -> None:
    namer = Namer("e5123456")
    name = f"vg-{namer.uuid()}.ext.disk0".replace("-", "--")

    assert namer.owns(f"/dev/mapper/{name}")


@pytest.mark.parametrize(
    "other",
    [
        Namer("e5123456", 1).uuid(),
        Namer("e5123457", 0).uuid(),
        INSTANCES_VOLUME,
    ],
    ids=["another worker", "another run", "a real instance"],
)
def test_volumes_of_others_are_foreign(other: str) -> None:
    namer = Namer("e5123456", 0)

    assert not namer.owns(other)
    assert namer.is_foreign(f"/pool/{other}")


def test_what_carries_both_names_is_not_foreign() -> None:
    namer = Namer("e5123456")

    assert not namer.is_foreign(f"{namer.uuid()} copied from {INSTANCES_VOLUME}")


@pytest.mark.parametrize("text", ["", "/dev/sda", "swap.img", "e5123456"])
def test_what_carries_no_name_is_neither(text: str) -> None:
    namer = Namer("e5123456")

    assert not namer.owns(text)
    assert not namer.is_foreign(text)
