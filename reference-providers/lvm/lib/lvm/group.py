"""The volume group: what is in it, and the commands that change it."""

from __future__ import annotations

from extstorage.provider import ProviderError
from lvm import tags
from lvm.commands import change, lvm

_FIELDS = (
    "lv_name", "lv_uuid", "lv_size", "lv_attr", "lv_tags", "vg_uuid", "vg_free", "vg_extent_size",
    "pool_lv",
)  # fmt: skip
_SEPARATOR = "|"  # stands in no name and no tag
MIB = 1024 * 1024


class LogicalVolume:
    """One row of LVM's report; sizes in bytes."""

    __slots__ = ("attributes", "extent", "free", "name", "pool", "size", "tags", "uuid")

    def __init__(self, row: str) -> None:
        fields = [field.strip() for field in row.split(_SEPARATOR)]
        self.name, uuid, size, self.attributes, names, group_uuid, free, extent = fields[:-1]
        self.size = int(size)
        self.free = int(free)
        """What is free in the whole group."""
        self.extent = int(extent)
        self.pool = fields[-1]
        """The thin pool that it takes its blocks from; ``""``: none."""
        self.tags = names.split(",") if names else []
        self.uuid = "LVM-" + (group_uuid + uuid).replace("-", "")
        """The UUID of its device in device-mapper."""

    @property
    def is_thin(self) -> bool:
        """Whether it takes its blocks from a pool."""
        return self.attributes[0] == "V"

    @property
    def is_copied(self) -> bool:
        """Whether it is the origin of a snapshot that is not thin."""
        return self.attributes[0] in "oO"

    @property
    def maker(self) -> str:
        """Who makes it or made it, as ``Maker.name``."""
        return tags.maker_in(self.tags)

    @property
    def copy_of(self) -> str:
        """Of which logical volume it is, or was to be, a copy; ``""``: of none."""
        return tags.origin_in(self.tags)


class Group:
    """A volume group, and the volumes in it that the provider ``provider_name`` has made."""

    def __init__(self, name: str, provider_name: str) -> None:
        self.name = name
        self._owner = tags.owner(provider_name)

    def path(self, name: str) -> str:
        """Return what LVM calls the logical volume ``name`` in full."""
        return f"{self.name}/{name}"

    def report(self, *names: str) -> dict[str, LogicalVolume]:
        """Return what LVM knows of the logical volumes ``names``, whoever made them."""
        wanted = " || ".join(f'lv_name="{name}"' for name in names)
        output = lvm(
            "lvs", "--all", "--noheadings", "--nosuffix", "--units=b", f"--separator={_SEPARATOR}",
            f"--options={','.join(_FIELDS)}", f"--select={wanted}", self.name,
        )  # fmt: skip
        rows = [LogicalVolume(line) for line in output.split("\n") if line.strip()]
        return {row.name: row for row in rows}

    def is_own(self, found: LogicalVolume) -> bool:
        """Return whether this provider made the volume."""
        return self._owner in found.tags

    def expect(self, found: LogicalVolume | None, name: str) -> LogicalVolume:
        """Return ``found``; raise ProviderError unless it is a volume of this provider's."""
        if found is None:
            raise ProviderError(f"no such volume: there is no {self.path(name)}")
        if not self.is_own(found):
            raise ProviderError(
                f"{self.path(name)} was not made by this provider: it has no tag {self._owner}"
            )
        return found

    def volume(self, name: str) -> LogicalVolume:
        """Return the volume ``name``; raise ProviderError unless it is there, and own."""
        return self.expect(self.report(name).get(name), name)

    def create(self, name: str, *words: str, maker: str = "", copy_of: str = "") -> None:
        """Make the volume ``name``, which must not exist, in one step."""
        marks = ["--addtag", self._owner]
        if maker:
            marks += ["--addtag", tags.maker(maker)]
        if copy_of:
            marks += ["--addtag", tags.origin(copy_of)]
        change("lvcreate", "--name", name, *marks, *words)

    def rename(self, name: str, new: str) -> None:
        """Give the volume ``name`` the name ``new``, which no volume may have."""
        change("lvrename", self.name, name, new)

    def activate(self, name: str, mode: str) -> None:
        """Activate the volume ``name`` on this node.

        ``mode`` is LVM's: ``sy`` (shared) or ``ey`` (exclusive), which is the same unless lvmlockd
        locks the group. A thin snapshot has a flag that says "not now", which is not meant for us.
        """
        lvm("lvchange", f"--activate={mode}", "--ignoreactivationskip", self.path(name))

    def deactivate(self, name: str) -> None:
        """Deactivate the volume ``name`` on this node."""
        lvm("lvchange", "--activate=n", self.path(name))

    def refresh(self, name: str) -> None:
        """Let this node's device be what the group now says of it."""
        lvm("lvchange", "--refresh", self.path(name))

    def grow(self, name: str, size: int, *, shared: bool) -> None:
        """Make the volume ``name`` ``size`` MiB, rounded up to extents.

        ``shared``: in lvmlockd other nodes may have it active too, and will refresh it.
        """
        permission = ["--lockopt=shupdate"] if shared else []
        change("lvextend", *permission, f"--size={size}m", self.path(name))

    def replace_info(self, found: LogicalVolume, metadata: str) -> None:
        """Put the tag of ``metadata`` in the place of what setinfo said before."""
        new = tags.info(metadata)
        words = []
        for tag in found.tags:
            if tags.is_info(tag) and tag != new:
                words += ["--deltag", tag]
        if new not in found.tags:
            words += ["--addtag", new]
        if words:
            change("lvchange", *words, self.path(found.name))

    def remove(self, name: str) -> None:
        """Remove the volume ``name``, of which the caller knows what it is."""
        change("lvremove", self.path(name))
