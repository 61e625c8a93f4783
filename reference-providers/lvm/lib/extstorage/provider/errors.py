"""What a method raises when it cannot do its work: one clear line for the operator.

The line ends in Ganeti's job log (the last 20 lines of a script's output), so it
says what was expected, what was found, and what to do next.
"""

from __future__ import annotations

FAILED = 1
"""Exit code: the method failed or refused; nothing is half done that a retry cannot finish."""
USAGE = 2
"""Exit code: the call itself is wrong (arguments, variables, parameters); nothing was done."""

_SHOWN_LENGTH = 120


class ProviderError(Exception):
    """The method failed or refuses; the text is the one line that stderr gets."""

    exit_code = FAILED


class InvalidInputError(ProviderError):
    """A variable, a parameter or an argument is missing or wrong."""

    exit_code = USAGE


def printable(text: str) -> str:
    """Return ``text`` as one line of ASCII: Ganeti's client crashes on anything else."""
    return " ".join(text.split()).encode("ascii", "backslashreplace").decode("ascii")


def quoted(value: str) -> str:
    """Return ``value`` in quotes, escaped and not too long, for an error message."""
    cut = "..." if len(value) > _SHOWN_LENGTH else ""
    return ascii(value[:_SHOWN_LENGTH]) + cut
