"""What each Ganeti release sends to a provider and accepts from it.

Source in Ganeti: ``lib/bdev.py`` and ``lib/storage/extstorage.py`` of the tags
v2.7.0 to v3.1.1, and NEWS.
"""

from __future__ import annotations


def _number(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("."))


class Release:
    """One Ganeti release series and how it treats a provider.

    attach_output_lines: attach's output is split into lines (device, then
        URIs); before 2.13 the whole output had to be the path, without newline.
    userspace_only: an empty first line with a URI is a volume without device.
    broken_optional_script_invalidates: an optional script that is there but
        cannot be executed makes the whole provider invalid.
    missing_snapshot_is_error: taking a snapshot without the script fails;
        later releases skip it and call that success.
    kvm_uri_schemes: schemes of ``kvm:`` URIs that KVM can use; empty = any.
    """

    __slots__ = (
        "attach_output_lines",
        "broken_optional_script_invalidates",
        "kvm_uri_schemes",
        "missing_snapshot_is_error",
        "name",
        "number",
        "userspace_only",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.number = _number(name)
        self.attach_output_lines = self.at_least("2.13")
        self.userspace_only = self.at_least("2.14")
        self.broken_optional_script_invalidates = self.at_least("2.14")
        self.missing_snapshot_is_error = name == "2.13"
        self.kvm_uri_schemes = ("rbd", "gluster") if self.at_least("3.1") else ()

    def at_least(self, name: str) -> bool:
        """Return whether this release is ``name`` (``"2.13"``) or later."""
        return self.number >= _number(name)

    def __repr__(self) -> str:
        return f"Release({self.name!r})"


RELEASES = tuple(
    Release(name)
    for name in (
        "2.7", "2.8", "2.9", "2.10", "2.11", "2.12", "2.13", "2.14", "2.15", "2.16", "3.0", "3.1",
    )
)  # fmt: skip
LATEST = RELEASES[-1]


def release(name: str) -> Release:
    """Return the release series that ``name`` (``"3.0"``, ``"3.0.2"``) belongs to.

    Raises ValueError for a series that is not known.
    """
    series = ".".join(name.split(".")[:2])
    for candidate in RELEASES:
        if candidate.name == series:
            return candidate
    known = ", ".join(candidate.name for candidate in RELEASES)
    raise ValueError(f"unknown Ganeti release {name!r}: expected one of {known}")
