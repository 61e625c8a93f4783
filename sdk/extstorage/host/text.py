"""Bytes into text, as Ganeti reads what scripts and files give."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from extstorage.contract.releases import Release

LAST_LINES = 20
"""How many lines of a failed script's output Ganeti quotes."""
TAIL_BYTES = 4096
"""How much of a log's end Ganeti looks at (TailFile)."""

_PLAIN_WORD = re.compile("^[-.,=:/_+@A-Za-z0-9]+$")


def decode(data: bytes, release: Release) -> str:
    """Return what Ganeti reads; raise UnicodeDecodeError where Ganeti 3 does.

    Ganeti 3 opens files and pipes as UTF-8 text, with Python's universal newlines: CRLF and CR
    arrive as LF. Ganeti 2 (Python 2) handled bytes: nothing fails, nothing is replaced.
    (ReadFile, TailFile, _RunCmdPipe. The real _RunCmdPipe decodes chunk by chunk, so that a
    character or a CRLF on the edge of two writes can break there; that is left to chance and is
    not imitated.)
    """
    if not release.at_least("3.0"):
        return data.decode("ascii", "surrogateescape")
    return _universal_newlines(data.decode("utf-8"))


def displayed(data: bytes) -> str:
    r"""Return text to show to a person: never fails, bytes that are no UTF-8 appear as ``\xNN``."""
    return _universal_newlines(data.decode("utf-8", "backslashreplace"))


def _universal_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def safe_encode(text: str) -> str:
    """Return ``text`` in printable ASCII (SafeEncode in ``lib/utils/text.py``)."""
    return "".join(_safe_character(character) for character in text)


def _safe_character(character: str) -> str:
    code = ord(character)
    if character == "\t":
        return r"\t"
    if code < 0x20 or code == 0x7F:  # noqa: PLR2004 - the ends of printable ASCII
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - a byte that Ganeti 2 took as it was
        return f"\\x{code & 0xFF:02x}"
    return character.encode("ascii", "backslashreplace").decode("ascii")


def shell_quote(words: Iterable[str]) -> str:
    """Return a command line as Ganeti prints it (ShellQuoteArgs; shlex quotes ``'`` otherwise)."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if _PLAIN_WORD.match(word):
        return word
    return "'{}'".format(word.replace("'", "'\\''"))


def tail(data: bytes, release: Release) -> list[str]:
    """Return a log's last lines as Ganeti quotes them; raise UnicodeDecodeError as it does.

    TailFile looks at the last 4096 bytes only, wherever in a line or a character they begin.
    """
    rows = decode(data[-TAIL_BYTES:], release).splitlines()
    return [safe_encode(row) for row in rows[-LAST_LINES:]]
