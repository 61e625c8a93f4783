"""conformance.toml as adoption proposes it, comments included."""

from __future__ import annotations

import datetime as dt
import os
import re
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from extstorage_conformance import configuration
from extstorage_conformance.configuration import Configuration, ConfigurationError
from extstorage_conformance.rules import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tomlkit.items import Item, Table

    from extstorage_conformance.adoption.observation import Observation
    from extstorage_conformance.outcome import Result

WAIVER_DAYS = 90
_SECRET = re.compile(
    r"(^|_)(pass(word|wd|phrase|code)?|secret|token|credentials?|(api|auth|access|private)_?key|pin)(_|$)"
)
_TITLE = (
    "What `extstorage conform` is told about this provider; written by `extstorage adopt`.",
    "Every key may be changed; `extstorage adopt --force` fills in what is not said here.",
)
_WAIVERS = (
    "Rules that fail. Mend them, or sign for them: write the reason. A waiver without a reason",
    "does not count.",
)


def is_secret(parameter: str) -> bool:
    """Return whether a parameter's name says that its value must not be shown."""
    return _SECRET.search(parameter.lower()) is not None


def secret_variable(parameter: str) -> str:
    """Return the environment variable that is proposed for a secret parameter's value."""
    return f"EXTP_{parameter.upper()}"


class Proposal:
    """A conformance.toml that grows; what it was begun with stays as it is."""

    def __init__(self, text: str, where: str) -> None:
        try:
            self._document = tomlkit.parse(text)
        except TOMLKitError as error:
            raise ConfigurationError(f"{where}: not TOML: {error}") from None
        self._where = where
        self.configuration()  # what is wrong in it is told before any work
        if not text.strip():
            for line in _TITLE:
                self._document.add(tomlkit.comment(line))

    @property
    def text(self) -> str:
        """The file's content."""
        return tomlkit.dumps(self._document)

    def configuration(self) -> Configuration:
        """Return the configuration that the file gives; raises ConfigurationError."""
        return configuration.parse(self._document.unwrap(), self._where)

    def add_parameters(self, known: Mapping[str, str], given: Mapping[str, str]) -> None:
        """Add the parameters with a given value; the ``known`` others as comments.

        ``known`` maps a name to where it was found: ``"declared, not read"``.
        A secret's value is not written, but where it is to be found.
        """
        parameters, secrets = self._table("parameters"), self._table("secrets")
        said = {*parameters, *secrets}
        for name, found in {**dict.fromkeys(given, "given"), **known}.items():
            if name in said:
                continue
            if is_secret(name):
                _add_secret(secrets, name, found)
            elif name in given:
                _add(parameters, name, given[name], found)
            else:
                parameters.add(tomlkit.comment(f'{_key(name)} = ""  # {found}; no value was given'))
        self._drop_if_empty("secrets")

    def add_observation(self, found: Observation) -> bool:
        """Add a setting that was seen, unless the file says it already."""
        table = self._table(found.table)
        if found.key in table:
            return False
        usual = configuration.TABLES[found.table][found.key].default
        # What is declared is not held against the provider any more: somebody has to mean it.
        doubt = "; not the default: is it meant?" if found.value != usual else ""
        _add(table, found.key, found.value, f"{found.seen}{doubt}")
        return True

    def add_waivers(self, failed: Iterable[Result], today: dt.date) -> list[str]:
        """Propose a waiver for each failed rule; return their ids.

        Proposals of an earlier time that nobody signed, and that are not needed, go.
        """
        waivers = self._table("waivers", *_WAIVERS)
        by_id = {result.id: result for result in failed}
        for rule_id in [name for name in waivers if name not in by_id]:
            if not waivers[rule_id].get("reason"):
                waivers.remove(rule_id)
        for rule_id in by_id:
            if rule_id not in waivers:
                rule = REGISTRY[rule_id]
                unsigned = {"reason": "", "expires": today + dt.timedelta(days=WAIVER_DAYS)}
                _add(waivers, rule_id, unsigned, f"{rule.level}: {rule.sentence}")
        if not waivers:
            self._document.remove("waivers")
        return list(by_id)

    def _table(self, name: str, *comments: str) -> Table:
        if name not in self._document:
            table = tomlkit.table()
            for line in comments:
                table.add(tomlkit.comment(line))
            if self._document.as_string().strip():
                self._document.add(tomlkit.nl())
            self._document.add(name, table)
        found: Any = self._document[name]
        return found  # type: ignore[no-any-return]  # configuration.parse has seen to that

    def _drop_if_empty(self, name: str) -> None:
        if not self._table(name).as_string().strip():
            self._document.remove(name)


def _add_secret(secrets: Table, name: str, found: str) -> None:
    """Add where a secret comes from: in force only if it is there, else a run could not start."""
    variable = secret_variable(name)
    if variable in os.environ:
        _add(secrets, name, {"env": variable}, found)
    else:
        secrets.add(
            tomlkit.comment(f'{_key(name)} = {{env = "{variable}"}}  # {found}; set the variable')
        )


def _add(table: Table, key: str, value: object, comment: str) -> None:
    """Add one line: key, value, comment; a dictionary is written on that line."""
    if isinstance(value, dict):
        inline = tomlkit.inline_table()
        inline.update(value)
        item: Item = inline
    else:
        item = tomlkit.item(value)
    item.comment(_one_line(comment))
    table.add(key, item)


def _key(name: str) -> str:
    return tomlkit.key(name).as_string() if name else '""'


def _one_line(text: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())


def read(path: Path | None) -> str:
    """Return the text of the file to begin with, nothing if there is none."""
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None
