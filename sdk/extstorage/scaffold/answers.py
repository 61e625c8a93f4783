"""What a vendor answers to the template's questions, and what is wrong with an answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from extstorage.contract.methods import OPTIONAL_METHODS, REQUIRED_METHODS
from extstorage.contract.names import RESERVED_PARAMETERS, is_parameter_name, is_provider_name
from extstorage.contract.parameters import render
from extstorage.contract.variables import PARAMETER_PREFIX
from extstorage.resources import template

if TYPE_CHECKING:
    from collections.abc import Mapping

DEVELOPMENT_PARAMETER = "dev_directory"
"""The parameter of the development back end."""
_DEVELOPMENT_DESCRIPTION = (
    "directory of the development back end: shared by all nodes, written to by root alone"
)
_SCRIPTS_OF = {"snapshot": ("snapshot",), "open_close": ("open", "close")}
_TRUE = ("true", "yes", "y", "1", "on", "t")
_FALSE = ("false", "no", "n", "0", "off", "f")
_LONGEST_NAME = 60
_LONGEST_TEXT = 80  # in JSON: what has to be escaped counts twice
_NOT_IN_VENDOR = '<>"\\{}#$`'  # what ends or escapes something where the vendor's name goes
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_PARAMETER = re.compile(r"(?P<name>[^\s=!]+)(?P<secret>!?)(?:=(?P<default>\S*))?\s+(?P<text>.+)")
# Names that would hide a method of the Python class, what its body uses, or a word of the language.
_TAKEN = frozenset(
    {*REQUIRED_METHODS, *OPTIONAL_METHODS, "checks", "declared_parameters", "parameter_values"}
    | {"parameters_list", "and", "as", "assert", "async", "await", "break", "class", "continue"}
    | {"def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import"}
    | {"in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while"}
    | {"with", "yield", "bool", "dict", "int", "parameters", "str"}
)


class AnswerError(ValueError):
    """An answer cannot be right: its key, what was expected, what was found."""


@dataclass(frozen=True)
class Parameter:
    """A parameter that the provider declares. Without a default (None) it is required."""

    name: str
    description: str
    default: str | None = None
    secret: bool = False

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is None

    @property
    def variable(self) -> str:
        """The variable that scripts read."""
        return PARAMETER_PREFIX + self.name.upper()

    @property
    def test_value(self) -> str:
        """What the tests give it."""
        return self.default or "development"


@dataclass(frozen=True)
class Answers:
    """The checked answers: every combination of them gives a project that works."""

    name: str
    vendor: str
    email: str
    language: str
    parameters: str
    snapshot: bool
    open_close: bool
    userspace_uri: bool
    licence: str
    ci: str
    debian_package: bool

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Answers:
        """Return the answers of ``given``, the template's defaults for those that are not there.

        Keys that begin with ``_`` are cookiecutter's own. Raises AnswerError.
        """
        questions = defaults()
        unknown = [key for key in given if key not in questions and not key.startswith("_")]
        if unknown:
            raise AnswerError(f"{unknown[0]}: no such key: the keys are {', '.join(questions)}")
        values: dict[str, Any] = {
            key: _value(key, question, given.get(key, question))
            for key, question in questions.items()
        }
        answers = cls(**values)
        _check(answers)
        return answers

    @property
    def project_directory(self) -> str:
        """The name of the project's directory."""
        return f"extstorage-{self.name}"

    @property
    def package(self) -> str:
        """The name of the Debian package."""
        return f"ganeti-extstorage-{self.name.lower().replace('_', '-').strip('-')}"

    @property
    def scripts(self) -> tuple[str, ...]:
        """The methods that the provider has."""
        chosen = {
            name for key, names in _SCRIPTS_OF.items() if getattr(self, key) for name in names
        }
        return (*REQUIRED_METHODS, *(name for name in OPTIONAL_METHODS if name in chosen))

    @property
    def declared(self) -> tuple[Parameter, ...]:
        """The vendor's parameters."""
        return parse_parameters(self.parameters)

    @property
    def development_parameter(self) -> Parameter:
        """The parameter that goes with the development back end."""
        return Parameter(
            DEVELOPMENT_PARAMETER,
            _DEVELOPMENT_DESCRIPTION,
            f"/srv/ganeti/extstorage-{self.name}",
        )

    @property
    def parameters_list(self) -> str:
        """The file parameters.list."""
        declared = (*self.declared, self.development_parameter)
        return render([(each.name, each.description) for each in declared])

    def as_dict(self) -> dict[str, Any]:
        """Return the answers by their keys."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def defaults() -> dict[str, Any]:
    """Return the template's questions: a default, or a list of choices, for each key."""
    return {key: value for key, value in _template().items() if not key.startswith("_")}


def prompts() -> dict[str, str]:
    """Return what each question asks, by its key."""
    asked: dict[str, str] = _template()["__prompts__"]
    return asked


def _template() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(
        (template() / "cookiecutter.json").read_text(encoding="utf-8")
    )
    return read


def _value(key: str, question: object, given: object) -> object:
    if isinstance(question, bool):
        return _boolean(key, given)
    if isinstance(question, list):
        if given is question:
            return question[0]
        if given not in question:
            raise AnswerError(f"{key}: expected one of {', '.join(question)}, found {given!r}")
        return given
    if not isinstance(given, str):
        raise AnswerError(f"{key}: expected text, found {given!r}")
    return given.strip()


def _boolean(key: str, given: object) -> bool:
    word = str(given).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise AnswerError(f"{key}: expected yes or no, found {given!r}")


def _check(answers: Answers) -> None:
    _check_name(answers.name)
    _check_length("vendor", answers.vendor)
    for key in ("vendor", "email"):
        _check_line(key, getattr(answers, key))
    refused = [character for character in _NOT_IN_VENDOR if character in answers.vendor]
    if refused:
        raise AnswerError(
            f"vendor: expected a name without any of {' '.join(_NOT_IN_VENDOR)} (it goes into a"
            f" Python docstring and Debian's Maintainer), found {' '.join(refused)} in"
            f" {answers.vendor!r}"
        )
    if not _EMAIL.fullmatch(answers.email):
        raise AnswerError(f"email: expected an address, found {answers.email!r}")
    parse_parameters(answers.parameters)


def _check_name(name: str) -> None:
    if not is_provider_name(name):
        raise AnswerError(
            f"name: expected letters, digits, _ and - (Ganeti's ^[a-zA-Z0-9_-]+$), found {name!r}"
        )
    if name.startswith(("-", "_")) or name.endswith(("-", "_")):
        raise AnswerError(
            f"name: expected a letter or digit at both ends, found {name!r}: a project is named"
            " after it"
        )
    _check_length("name", name)


def _check_length(key: str, name: str) -> None:
    if len(name) > _LONGEST_NAME:
        raise AnswerError(f"{key}: expected at most {_LONGEST_NAME} characters, found {len(name)}")


def _check_line(key: str, text: str) -> None:
    if not text:
        raise AnswerError(f"{key}: expected some text, found none")
    if not (text.isascii() and text.isprintable()):
        raise AnswerError(f"{key}: expected one line of ASCII, found {text!r}")


def parse_parameters(text: str) -> tuple[Parameter, ...]:
    """Return the parameters that ``NAME description; NAME=DEFAULT description`` declares.

    ``NAME!`` is a secret, ``NAME=`` is optional without a default. Raises AnswerError.
    """
    parameters = [_parameter(part.strip()) for part in text.split(";") if part.strip()]
    names = [parameter.name for parameter in parameters]
    for name in names:
        if names.count(name) > 1:
            raise AnswerError(f"parameters: {name!r} stands twice")
    return tuple(parameters)


def _parameter(text: str) -> Parameter:
    _check_line("parameters", text)
    match = _PARAMETER.fullmatch(text)
    if match is None:
        raise AnswerError(
            f"parameters: expected `NAME description` or `NAME=DEFAULT description`, found {text!r}"
        )
    name, description = match["name"], match["text"]
    if not is_parameter_name(name):
        raise AnswerError(
            f"parameters: {name!r} is not [a-z][a-z0-9_]*: no shell could read its variable"
        )
    _check_length(f"parameters: {name!r}", name)
    if name in RESERVED_PARAMETERS:
        raise AnswerError(f"parameters: {name!r} is a name that Ganeti keeps for itself")
    if name == DEVELOPMENT_PARAMETER or name in _TAKEN:
        raise AnswerError(f"parameters: {name!r} is taken: choose another name")
    for what in (description, match["default"] or ""):
        if len(json.dumps(what)) - 2 > _LONGEST_TEXT:
            raise AnswerError(
                f"parameters: {name!r}: expected at most {_LONGEST_TEXT} characters, of which"
                f' " and \\ count twice, found {what!r}'
            )
    return Parameter(name, description, match["default"], secret=bool(match["secret"]))
