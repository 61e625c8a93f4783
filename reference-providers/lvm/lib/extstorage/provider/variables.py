"""The ``VOL_*`` variables of one call, as typed values.

Only the variables that Ganeti sets for the method are looked at: a script inherits
the node daemon's whole environment, so any other one may be there and mean nothing.
"""

from __future__ import annotations

from extstorage.contract.names import METADATA_CHARACTERS, METADATA_LENGTH
from extstorage.contract.variables import required_variables
from extstorage.provider.errors import InvalidInputError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAME_LENGTH = 200
"""The longest volume name that is taken; leaves room for a suffix in a file name."""
MAX_SIZE_MIB = 2**42 - 1
"""The largest size that is taken: its bytes stay below 2**62, safe in any signed arithmetic."""
_MAX_DIGITS = len(str(MAX_SIZE_MIB))
_NAME_CHARACTERS = METADATA_CHARACTERS - {"+"}


def volume_name(text: str) -> str:
    """Return ``text`` if it is safe as one part of a path and as a word of a command."""
    if text[:1] in (".", "-"):
        raise ValueError("expected a name that starts with a letter, a digit or _")
    if not _NAME_CHARACTERS.issuperset(text):
        raise ValueError("expected a name made of A-Z a-z 0-9 . _ -")
    if len(text) > NAME_LENGTH:
        raise ValueError(f"expected a name of at most {NAME_LENGTH} characters")
    return text


def size(text: str) -> int:
    """Return the size in MiB that ``text`` says."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError("expected a whole number of MiB")
    if len(text) > _MAX_DIGITS or not 1 <= int(text) <= MAX_SIZE_MIB:
        raise ValueError(f"expected 1 to {MAX_SIZE_MIB} MiB")
    return int(text)


def metadata(text: str) -> str:
    """Return setinfo's text if it is what Ganeti can send."""
    if len(text) > METADATA_LENGTH or not METADATA_CHARACTERS.issuperset(text):
        raise ValueError(f"expected 1 to {METADATA_LENGTH} characters of A-Z a-z 0-9 - _ + .")
    return text


def boolean(text: str) -> bool:
    """Return what the exact words ``True`` and ``False`` say."""
    if text not in ("True", "False"):
        raise ValueError("expected exactly True or False")
    return text == "True"


READERS: dict[str, Callable[[str], str | int | bool]] = {
    "VOL_NAME": volume_name,
    "VOL_SIZE": size,
    "VOL_NEW_SIZE": size,
    "VOL_METADATA": metadata,
    "VOL_SNAPSHOT_NAME": volume_name,
    "VOL_SNAPSHOT_SIZE": size,
    "VOL_OPEN_EXCLUSIVE": boolean,
}


def arguments(method: str, environment: Mapping[str, str]) -> list[str | int | bool]:
    """Return the values of the method's variables in the contract's order, VOL_NAME first.

    Raises InvalidInputError for the first one that is missing, empty or wrong.
    """
    return [_read(name, environment.get(name)) for name in required_variables(method)]


def _read(name: str, text: str | None) -> str | int | bool:
    if not text:
        found = "is empty" if text == "" else "is not set"
        raise InvalidInputError(f"{name} {found}: Ganeti sets it for this method")
    try:
        return READERS[name](text)
    except ValueError as error:
        raise InvalidInputError(f"{name}: {error}, found {quoted(text)}") from None
