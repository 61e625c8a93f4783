"""The usage text of a script, made of the contract and the declared parameters."""

from __future__ import annotations

from extstorage.contract.methods import method as method_named
from extstorage.contract.variables import variables_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from extstorage.provider.parameters import Text
    from extstorage.provider.provider import Provider


def usage(provider_class: type[Provider], method: str) -> str:
    """Return the usage of ``method``'s script."""
    takes = "[CHECK]..." if method == "verify" else "(no arguments)"
    lines = [f"usage: {method} {takes}", method_named(method).summary, "environment:"]
    lines += [f"  {variable.name}  {variable.meaning}" for variable in variables_of(method)]
    lines += [f"  {_parameter(each)}" for each in provider_class.declared_parameters()]
    return "\n".join(lines) + "\n"


def _parameter(parameter: Text) -> str:
    tail = "required" if parameter.required else f"default: {parameter.default or 'none'}"
    return f"{parameter.variable}  {parameter.description} ({tail})"
