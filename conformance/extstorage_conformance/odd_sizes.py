"""Sizes in MiB at which a back end's units, and the width of its numbers, show."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from extstorage_conformance.subject import Subject

_BEYOND_32_BITS = (4097, 5000)  # their number of bytes, cut off at 32 bits, makes 1 and 904 MiB


def odd_and_large(subject: Subject) -> list[int]:
    """Return sizes on both sides of a GiB, up to ``sizes.large``, which a volume can have."""
    sizes = subject.configuration.sizes
    large = sizes["large"]
    chosen = {sizes["default"] + 1, 127, 1023, 1025, large - 1, large}
    return sorted(size for size in chosen if sizes["minimum"] <= size <= large)


def beyond_32_bits(subject: Subject) -> list[int]:
    """Return sizes beyond 4 GiB that no ``sizes.maximum`` rules out; there may be no space."""
    sizes = subject.configuration.sizes
    most = sizes["maximum"] or _BEYOND_32_BITS[-1]
    return [size for size in _BEYOND_32_BITS if sizes["large"] < size <= most]
