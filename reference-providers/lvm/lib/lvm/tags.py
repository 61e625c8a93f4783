"""The tags on a logical volume: whose it is, who is making it of what, what setinfo said."""

from __future__ import annotations

_PREFIX = "extstorage."

_MAKER = f"{_PREFIX}maker="
_ORIGIN = f"{_PREFIX}copy-of="
_INFO = f"{_PREFIX}info="


def owner(provider_name: str) -> str:
    """Return the tag of every volume that the provider of this name has made."""
    return f"{_PREFIX}provider={provider_name}"


def maker(name: str) -> str:
    """Return the tag that says who makes an unfinished volume (``Maker.name``)."""
    return f"{_MAKER}{name}"


def maker_in(tags: list[str]) -> str:
    """Return who makes the volume with these tags; ``""`` if they do not say."""
    return _value_of(_MAKER, tags)


def origin(name: str) -> str:
    """Return the tag that says of which logical volume a volume is, or is to be, the copy."""
    return f"{_ORIGIN}{name}"


def origin_in(tags: list[str]) -> str:
    """Return what the volume with these tags is a copy of; ``""`` if they do not say."""
    return _value_of(_ORIGIN, tags)


def info(metadata: str) -> str:
    """Return the tag that says ``metadata``; Ganeti's characters are all allowed in a tag."""
    return f"{_INFO}{metadata}"


def is_info(tag: str) -> bool:
    """Return whether setinfo made the tag."""
    return tag.startswith(_INFO)


def _value_of(beginning: str, tags: list[str]) -> str:
    return next((tag[len(beginning) :] for tag in tags if tag.startswith(beginning)), "")
