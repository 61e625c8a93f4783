"""What Ganeti has on record of a volume."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Disk:
    """A disk of the template ``ext``, as Ganeti's configuration holds it.

    Attributes:
        name: The volume's name: what scripts get as VOL_NAME.
        uuid: The UUID of Ganeti's disk object: VOL_UUID.
        cname: The name that the user gave to the disk (VOL_CNAME), or None.
        size_mib: The recorded size in MiB, which need not be the device's.
        parameters: The disk's ext-params by their names; values reach scripts unchanged.
    """

    name: str
    uuid: str
    cname: str | None = None
    size_mib: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)
