"""Declaring a provider's parameters: what the user gives with ``--disk ...,NAME=VALUE``.

    class Example(Provider):
        pool = parameters.Text("name of the pool on the array", required=True)
        thin = parameters.Flag("yes: allocate blocks when they are written", default="no")

In a method, ``self.pool`` is then a ``str`` and ``self.thin`` a ``bool``. The
declarations also are ``parameters.list`` and the check that Ganeti does not do:
it lets any name and any value reach the scripts as ``EXTP_NAME``.
"""

from __future__ import annotations

from extstorage.contract.variables import PARAMETER_PREFIX
from extstorage.provider.errors import InvalidInputError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from extstorage.provider.provider import Provider


class Text:
    """A parameter of printable ASCII text, and the base of every other kind.

    ``default`` is written as a user would write it. A ``required`` parameter has
    none; a parameter with neither is ``""`` when it is not given. The value of a
    ``secret`` one never appears in a message. A subclass overrides ``parse``.
    """

    def __init__(
        self, description: str, *, default: str = "", required: bool = False, secret: bool = False
    ) -> None:
        self.name = ""
        self.description = description
        self.default = default
        self.required = required
        self.secret = secret

    def __set_name__(self, owner: type[Provider], name: str) -> None:
        """Take the name under which the provider's class declares the parameter."""
        self.name = name

    @property
    def variable(self) -> str:
        """The variable that holds the value in a script's environment."""
        return PARAMETER_PREFIX + self.name.upper()

    def parse(self, text: str) -> object:
        """Return the value that ``text`` means; raise ValueError saying what was expected."""
        return text

    def read(self, environment: Mapping[str, str], *, may_be_missing: bool) -> object:
        """Return the value in ``environment``; raise InvalidInputError if it is wrong."""
        text = environment.get(self.variable)
        if text is None:
            return self._missing(may_be_missing=may_be_missing)
        try:
            return self._checked(text)
        except ValueError as error:
            found = "" if self.secret else f", found {quoted(text)}"
            raise InvalidInputError(f"parameter {self.name}: {error}{found}") from None

    def _checked(self, text: str) -> object:
        if not text:
            raise ValueError("expected a value")
        if not (text.isascii() and text.isprintable()):
            raise ValueError("expected printable ASCII")
        return self.parse(text)

    def _missing(self, *, may_be_missing: bool) -> object:
        if self.required and not may_be_missing:
            raise InvalidInputError(
                f"parameter {self.name} is required: give --disk ...,{self.name}=VALUE"
                f" ({self.description})"
            )
        return self.parse(self.default) if self.default else None

    def _value_in(self, provider: Provider) -> object:
        return provider.parameter_values[self.name]

    def __get__(self, provider: Provider, owner: type[Provider]) -> str:
        """Return the value of this call."""
        return str(self._value_in(provider) or "")


class Path(Text):
    """An absolute path; ``.`` and doubled slashes are taken out, ``..`` is refused."""

    def parse(self, text: str) -> str:
        """Return the path without a trailing slash."""
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if not text.startswith("/") or ".." in parts:
            raise ValueError("expected an absolute path without ..")
        return "/" + "/".join(parts)


class Choice(Text):
    """One of a few words."""

    def __init__(self, description: str, *words: str, default: str = "") -> None:
        super().__init__(description, default=default, required=not default)
        self.words = words

    def parse(self, text: str) -> str:
        """Return the word."""
        if text not in self.words:
            raise ValueError(f"expected {' or '.join(self.words)}")
        return text


class Flag(Choice):
    """``yes`` or ``no``."""

    def __init__(self, description: str, *, default: str = "no") -> None:
        super().__init__(description, "yes", "no", default=default)

    # A flag's value is a bool, so that `if self.thin` cannot be wrong for "no".
    def __get__(self, provider: Provider, owner: type[Provider]) -> bool:  # type: ignore[override]
        """Return whether the flag is ``yes``."""
        return self._value_in(provider) == "yes"


class Number(Text):
    """A whole number from ``lowest`` to ``highest``."""

    def __init__(self, description: str, lowest: int, highest: int, *, default: str) -> None:
        super().__init__(description, default=default)
        self.lowest = lowest
        self.highest = highest

    def parse(self, text: str) -> int:
        """Return the number."""
        digits = len(str(self.highest))
        if text.isdigit() and len(text) <= digits and self.lowest <= int(text) <= self.highest:
            return int(text)
        raise ValueError(f"expected a whole number from {self.lowest} to {self.highest}")

    def __get__(self, provider: Provider, owner: type[Provider]) -> int:  # type: ignore[override]
        """Return the number."""
        value = self._value_in(provider)
        return value if isinstance(value, int) else 0
