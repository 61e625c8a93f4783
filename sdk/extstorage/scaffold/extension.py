"""What the templates know besides the answers: cookiecutter loads it by its name."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from typing import TYPE_CHECKING, Any

from cookiecutter.exceptions import FailedHookException
from jinja2.ext import Extension

import extstorage
from extstorage.contract.methods import METHODS
from extstorage.scaffold.answers import AnswerError, Answers, Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment


class ProviderExtension(Extension):
    """Filters and functions of the provider's template."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.filters |= {
            "project_directory": _project_directory,
            "answers_literal": _answers_literal,
            "shell": shell_word,
            "python": python_string,
            "python_lines": _python_lines,
            "toml": json.dumps,
        }
        environment.globals |= {
            "answers": Answers.parse,
            "parameters": _parameters,
            "test_values": _test_values,
            "names": _names,
            "methods": METHODS,
            "development_parameter": Answers.parse({}).development_parameter,
            "development_default": _development_default,
            "sdk_version": extstorage.__version__,
            "wrap": _wrap,
        }


def _project_directory(given: Mapping[str, Any]) -> str:
    """Return the directory's name. It is the first thing rendered, so wrong answers end here."""
    try:
        return Answers.parse(given).project_directory
    except AnswerError as error:
        # The one exception that cookiecutter shows as a line, before it has written a file.
        raise FailedHookException(str(error)) from None


def _parameters(given: Mapping[str, Any]) -> tuple[Parameter, ...]:
    return Answers.parse(given).declared


def _development_default(given: Mapping[str, Any]) -> str:
    return str(Answers.parse(given).development_parameter.default)


def _answers_literal(given: Mapping[str, Any]) -> str:
    """Return the answers as a Python string of JSON."""
    return repr(json.dumps(Answers.parse(given).as_dict()))


def shell_word(text: str) -> str:
    """Return ``text`` as one word of sh that shellcheck does not take for a mistake.

    In single quotes it does so with what would be expanded, and with what would be escaped.
    """
    if not any(each in text for each in "$`\\'"):
        return shlex.quote(text)
    return '"' + re.sub(r'([\\"$`])', r"\\\1", text) + '"'


def python_string(text: str) -> str:
    """Return ``text`` as ruff writes a string."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + text.replace("\\", r"\\").replace(quote, f"\\{quote}") + quote


def _test_values(given: Mapping[str, Any]) -> dict[str, str]:
    return {parameter.variable: parameter.test_value for parameter in _parameters(given)}


def _names(given: Mapping[str, Any], kind: str) -> list[str]:
    """Return the names of the parameters that are ``"required"`` or ``"secret"``."""
    return [parameter.name for parameter in _parameters(given) if getattr(parameter, kind)]


def _python_lines(values: dict[str, str] | list[str]) -> str:
    """Return a dict or list as ruff writes one with an element on each line."""
    if isinstance(values, dict):
        lines = [
            f"    {python_string(key)}: {python_string(value)}," for key, value in values.items()
        ]
        return "\n".join(("{", *lines, "}")) if lines else "{}"
    lines = [f"    {python_string(value)}," for value in values]
    return "\n".join(("[", *lines, "]")) if lines else "[]"


def _wrap(text: str, width: int = 78) -> str:
    return "\n".join(textwrap.wrap(text, width))
