"""The tags on a logical volume: whose it is, whether it is whole, what setinfo said."""

from __future__ import annotations

_PREFIX = "extstorage."

UNFINISHED = f"{_PREFIX}unfinished="
"""How the tag begins of a volume whose content is not there yet: nobody may attach it."""
_INFO = f"{_PREFIX}info="


def owner(provider_name: str) -> str:
    """Return the tag of every volume that the provider of this name has made."""
    return f"{_PREFIX}provider={provider_name}"


def unfinished(maker: str) -> str:
    """Return the tag of what ``maker`` (``Maker.name``) has begun."""
    return f"{UNFINISHED}{maker}"


def is_unfinished(tag: str) -> bool:
    """Return whether the tag says that the content is not there yet."""
    return tag.startswith(UNFINISHED)


def maker(tag: str) -> str:
    """Return who has begun, of a tag that ``is_unfinished``."""
    return tag[len(UNFINISHED) :]


def info(metadata: str) -> str:
    """Return the tag that says ``metadata``; Ganeti's characters are all allowed in a tag."""
    return f"{_INFO}{metadata}"


def is_info(tag: str) -> bool:
    """Return whether setinfo made the tag."""
    return tag.startswith(_INFO)
