"""The base class of a provider: one Python method for each of Ganeti's."""

from __future__ import annotations

from extstorage.provider.errors import InvalidInputError, ProviderError, quoted
from extstorage.provider.parameters import Text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Provider:
    """One call of a provider: its own name, and the parameters of one disk.

    A subclass declares its parameters as class attributes (``parameters.py``) and
    defines the methods below; the optional ones, ``snapshot``, ``open`` and
    ``close``, only if it ships their scripts. ``volume`` is VOL_NAME, the only
    identity of a volume; every size is in MiB. A method returns when the work is
    done and raises ProviderError when it is not.

        def create(self, volume: str, size: int) -> None
        def attach(self, volume: str) -> Device
        def detach(self, volume: str) -> None
        def remove(self, volume: str) -> None
        def grow(self, volume: str, recorded_size: int, new_size: int) -> None
        def setinfo(self, volume: str, metadata: str) -> None
        def snapshot(self, volume: str, snapshot: str, recorded_size: int) -> None
        def open(self, volume: str, exclusive: bool) -> None
        def close(self, volume: str) -> None

    A recorded size is what Ganeti believes; the volume's real size is the truth.
    """

    def __init__(self, name: str, environment: Mapping[str, str], *, bare: bool = False) -> None:
        """Read the parameters from ``environment``; raise InvalidInputError for a wrong one.

        ``name`` is the provider's own name: that of the directory it is called
        from. ``bare`` lets required parameters be missing, as ``verify`` does.
        """
        self.name = name
        self.parameter_values = {
            parameter.name: parameter.read(environment, may_be_missing=bare)
            for parameter in self.declared_parameters()
        }

    @classmethod
    def declared_parameters(cls) -> list[Text]:
        """Return the declared parameters in the order of their declaration."""
        classes = reversed(cls.__mro__)
        return [value for base in classes for value in vars(base).values()
                if isinstance(value, Text)]  # fmt: skip

    @classmethod
    def parameters_list(cls) -> str:
        """Return the file ``parameters.list`` that says what is declared."""
        from extstorage.contract.parameters import render  # no script's run needs it

        return render([(each.name, each.description) for each in cls.declared_parameters()])

    def checks(self) -> dict[str, Callable[[], None]]:
        """Return ``verify``'s checks by name; one that fails raises ProviderError or OSError."""
        return {}

    def verify(self, names: list[str]) -> None:
        """Run the checks called ``names``, or all of them; tell every one that fails."""
        checks = self.checks()
        for name in names:
            if name not in checks:
                known = " ".join(checks) or "none"
                raise InvalidInputError(f"no check {quoted(name)}: the checks are: {known}")
        failures = [_failure(name, checks[name]) for name in names or checks]
        if any(failures):
            raise ProviderError("; ".join(failure for failure in failures if failure))


def _failure(name: str, check: Callable[[], None]) -> str:
    try:
        check()
    except (ProviderError, OSError) as error:
        return f"{name}: {error}"
    return ""
