"""conformance.toml: what the vendor tells the suite about a provider.

Every key is optional and has a default; an unknown key is an error, so that a
misspelt one cannot silently switch a rule off. docs/reference/configuration.md
is generated from the declarations below.
"""

from __future__ import annotations

import datetime as dt
import os
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extstorage.contract.names import RESERVED_PARAMETERS, is_parameter_name
from extstorage.contract.releases import release
from extstorage_conformance.violation import CannotRun

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE_NAME = "conformance.toml"
RUN_DIRECTORY = "{run_directory}"  # in a value: the directory that a run makes


class ConfigurationError(ValueError):
    """conformance.toml says something that it cannot say: file, key, what is expected."""


@dataclass(frozen=True)
class Option:
    """One key of a table: its default (whose type is the key's type) and its meaning."""

    default: Any
    meaning: str
    choices: tuple[str, ...] = ()


CAPABILITIES = {
    "zeroed": Option(default=True, meaning="new space reads as zeros; false: it may hold old data"),
    "userspace_only": Option(
        default=False, meaning="attach gives no block device, only hypervisor URIs"
    ),
    "visible_after_detach": Option(
        default=False, meaning="the device node stays after detach (storage local to the node)"
    ),
    "create_existing": Option(
        default="fails",
        meaning="what create does with an existing name of the same size",
        choices=("fails", "succeeds"),
    ),
    "remove_with_snapshots": Option(
        default="independent",
        meaning="removing a volume that has a snapshot: both are independent, remove refuses, "
        "or the snapshot goes with it",
        choices=("independent", "refuses", "cascades"),
    ),
    "metadata": Option(
        default=True,
        meaning="setinfo stores VOL_METADATA; false: it does nothing, as the man page allows",
    ),
    "exclusive_open": Option(
        default=False,
        meaning="an exclusive open is refused while another node has the volume open",
    ),
    "close_stops_writes": Option(
        default=False, meaning="after close, opening the device for writing is refused"
    ),
}
SIZES = {
    "default": Option(default=32, meaning="size of an ordinary volume of a test, in MiB"),
    "large": Option(
        default=1100, meaning="a size beyond a GiB that a volume can be grown to, in MiB"
    ),
    "minimum": Option(default=1, meaning="the smallest volume, in MiB"),
    "maximum": Option(
        default=0, meaning="the largest volume, in MiB; 0: not known, the rule is not applicable"
    ),
    "granularity": Option(default=1, meaning="sizes are rounded up to a multiple of this, in MiB"),
}
HOOKS = {
    "setup": Option(
        default="", meaning="shell command run once before the first test, on the first node"
    ),
    "teardown": Option(
        default="", meaning="shell command run once after the last test, on the first node"
    ),
    "node_setup": Option(
        default="",
        meaning="shell command run after setup on each node, and again when one has booted",
    ),
    "node_dead": Option(
        default="",
        meaning="shell command run on another node when the power of the node DEAD was cut for a "
        "failover: what an administrator does who has made sure that it is dead",
    ),
    "node_teardown": Option(default="", meaning="shell command run on each node before teardown"),
    "inventory": Option(
        default="",
        meaning="shell command that prints one line for each object in the back end, on the first "
        "node",
    ),
    "metadata": Option(
        default="",
        meaning="shell command that prints the metadata of the volume VOL_NAME, on the first node",
    ),
    "reboot": Option(
        default="",
        meaning="shell command that undoes what a reboot of the first node undoes; namespaces and "
        "guests are switched off instead",
    ),
}
RUN = {
    "releases": Option(
        default=["3.0"],
        meaning="Ganeti releases that the provider is made for; a run imitates the first, "
        "unless --release names another",
    ),
    "script_timeout": Option(
        default=60, meaning="seconds after which a script that has not ended is killed"
    ),
    "inventory_directories": Option(
        default=[], meaning="directories that belong to the back end: nothing may be left in them"
    ),
}
NODES = {
    "directory": Option(
        default="/var/tmp",  # noqa: S108 - the directory made in it is private
        meaning="where a run makes its own directory ({run_directory}), on the nodes: with real "
        "hosts as nodes, a directory that all of them share, if parameters of this file lead "
        "into {run_directory}",
    ),
}
TABLES = {"run": RUN, "capabilities": CAPABILITIES, "sizes": SIZES, "hooks": HOOKS, "nodes": NODES}
_FREE_TABLES = ("parameters", "other_pool", "secrets", "invalid_values", "waivers")
_TABLES_OF_PARAMETERS = _FREE_TABLES[:-1]


@dataclass(frozen=True)
class Waiver:
    """A rule that the vendor knows to be broken, why, and until when.

    Without a reason nobody has signed it.
    """

    reason: str
    expires: dt.date | None

    def in_force(self, today: dt.date) -> bool:
        """Return whether the waiver counts: it is signed, and not expired before ``today``."""
        return bool(self.reason.strip()) and not self.expired(today)

    def expired(self, today: dt.date) -> bool:
        """Return whether the day on which it expires is over."""
        return self.expires is not None and today > self.expires


@dataclass(frozen=True)
class Configuration:
    """What conformance.toml says, defaults filled in.

    ``parameters``, ``other_pool`` and ``inventory_directories`` may contain ``{run_directory}``,
    the directory that a run makes for itself and deletes at its end.
    """

    run: dict[str, Any]
    capabilities: dict[str, Any]
    sizes: dict[str, int]
    hooks: dict[str, str]
    nodes: dict[str, Any]
    parameters: dict[str, str] = field(default_factory=dict)
    other_pool: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    invalid_values: dict[str, list[str]] = field(default_factory=dict)
    waivers: dict[str, Waiver] = field(default_factory=dict)

    def with_parameters(self, given: dict[str, str]) -> Configuration:
        """Return a copy with parameters added or replaced; raises ConfigurationError for a secret.

        A value on a command line is shown to everyone on the machine.
        """
        for name in given:
            if name in self.secrets:
                raise ConfigurationError(
                    f"parameter {name} is a secret: its value comes from where [secrets] says"
                )
        return replace(self, parameters={**self.parameters, **given})

    def parameters_for(self, run_directory: Path) -> dict[str, str]:
        """Return all parameters of a disk, secrets included, for a run in ``run_directory``."""
        given = {name: expand(value, run_directory) for name, value in self.parameters.items()}
        return given | {name: _secret(name, source) for name, source in self.secrets.items()}

    @property
    def uses_run_directory(self) -> bool:
        """Whether volumes or records of the back end can lie in the run's own directory."""
        texts = [*self.parameters.values(), *self.run["inventory_directories"]]
        return any(RUN_DIRECTORY in text for text in texts)

    def rounded_mib(self, size_mib: int) -> int:
        """Return ``size_mib`` rounded up as the back end rounds sizes."""
        granularity = self.sizes["granularity"]
        return -(-size_mib // granularity) * granularity


def expand(text: str, run_directory: Path) -> str:
    """Return ``text`` with ``{run_directory}`` filled in."""
    return text.replace(RUN_DIRECTORY, str(run_directory))


def load(path: Path | None) -> Configuration:
    """Return the configuration in the file ``path``, or the defaults when it is None.

    Raises ConfigurationError for a file that cannot be read or says something unknown.
    """
    if path is None:
        return parse({}, "defaults")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from None
    return parse(data, str(path))


def parse(data: dict[str, Any], where: str) -> Configuration:
    """Return the configuration of the decoded file ``data``; ``where`` names it in errors."""
    known = (*TABLES, *_FREE_TABLES)
    for table, content in data.items():
        if table not in known:
            raise ConfigurationError(
                f"{where}: unknown table [{table}]: expected one of {', '.join(known)}"
            )
        if not isinstance(content, dict):
            raise ConfigurationError(f"{where}: {table} must be a table")
    checked = {
        table: _options(data.get(table, {}), options, f"{where}: [{table}]")
        for table, options in TABLES.items()
    }
    _check_values(checked, where)
    _check_sizes(checked["sizes"], data.get("sizes", {}), f"{where}: [sizes]")
    for table in _TABLES_OF_PARAMETERS:
        _check_parameters(data.get(table, {}), f"{where}: [{table}]")
    return Configuration(
        **checked,
        parameters=_strings(data.get("parameters", {}), f"{where}: [parameters]"),
        other_pool=_strings(data.get("other_pool", {}), f"{where}: [other_pool]"),
        secrets=_secret_sources(data.get("secrets", {}), f"{where}: [secrets]"),
        invalid_values=_string_lists(data.get("invalid_values", {}), f"{where}: [invalid_values]"),
        waivers=_waivers(data.get("waivers", {}), f"{where}: [waivers]"),
    )


def _options(content: dict[str, Any], options: dict[str, Option], where: str) -> dict[str, Any]:
    for key, value in content.items():
        if key not in options:
            raise ConfigurationError(
                f"{where}: unknown key {key!r}: expected one of {', '.join(options)}"
            )
        option = options[key]
        if type(value) is not type(option.default):
            expected = type(option.default).__name__
            raise ConfigurationError(f"{where}: {key} must be a {expected}, not {value!r}")
        if isinstance(value, list) and not all(isinstance(element, str) for element in value):
            raise ConfigurationError(f"{where}: {key} must be a list of strings, not {value!r}")
        if option.choices and value not in option.choices:
            raise ConfigurationError(
                f"{where}: {key} must be one of {', '.join(option.choices)}, not {value!r}"
            )
    return {key: content.get(key, option.default) for key, option in options.items()}


def _check_values(checked: dict[str, dict[str, Any]], where: str) -> None:
    if not checked["run"]["releases"]:
        raise ConfigurationError(
            f"{where}: [run] releases is empty: name those that the provider is made for, or"
            " leave it out"
        )
    for name in checked["run"]["releases"]:
        try:
            release(name)
        except ValueError as error:
            raise ConfigurationError(f"{where}: [run] releases: {error}") from None
    directory = checked["nodes"]["directory"]
    if not directory.startswith("/"):
        raise ConfigurationError(
            f"{where}: [nodes] directory must be an absolute path, not {directory!r}"
        )
    timeout = checked["run"]["script_timeout"]
    if timeout < 1:
        raise ConfigurationError(f"{where}: [run] script_timeout must be positive, not {timeout}")


def _check_sizes(sizes: dict[str, int], said: dict[str, Any], where: str) -> None:
    for key, value in sizes.items():
        if value < (0 if key == "maximum" else 1):
            raise ConfigurationError(f"{where} {key} must be positive, not {value}")
    default, maximum = sizes["default"], sizes["maximum"]
    if default < sizes["minimum"]:
        raise ConfigurationError(
            f"{where} default is {default}, below minimum, which is {sizes['minimum']}: tests make"
            " volumes of the default size"
        )
    if maximum and default > maximum:
        raise ConfigurationError(
            f"{where} default is {default}, above maximum, which is {maximum}: tests make volumes"
            " of the default size"
        )
    if "large" in said and sizes["large"] <= default:
        raise ConfigurationError(
            f"{where} large is {sizes['large']}, not above default, which is {default}: tests grow"
            " a volume from the one to the other"
        )


def expect_parameter(name: str) -> None:
    """Raise ConfigurationError for a name whose value would never reach a provider."""
    if name.lower() in RESERVED_PARAMETERS:
        raise ConfigurationError(
            f"{name} is no parameter of a provider's: Ganeti keeps the name for itself, and sends"
            " no such parameter"
        )
    if not is_parameter_name(name.lower()):
        raise ConfigurationError(
            f"{name!r} is no name of a parameter: no script can read its variable; expected a"
            " letter, then letters, digits and _"
        )


def _check_parameters(names: Iterable[str], where: str) -> None:
    for name in names:
        try:
            expect_parameter(name)
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error}") from None


def _strings(content: dict[str, Any], where: str) -> dict[str, str]:
    for name, value in content.items():
        if not isinstance(value, str):
            raise ConfigurationError(f"{where}: {name} must be a string, not {value!r}")
    return dict(content)


def _string_lists(content: dict[str, Any], where: str) -> dict[str, list[str]]:
    for name, values in content.items():
        if not (isinstance(values, list) and all(isinstance(value, str) for value in values)):
            raise ConfigurationError(f"{where}: {name} must be a list of strings, not {values!r}")
    return dict(content)


def _secret_sources(content: dict[str, Any], where: str) -> dict[str, dict[str, str]]:
    for name, source in content.items():
        if not (isinstance(source, dict) and len(source) == 1 and set(source) <= {"env", "file"}):
            raise ConfigurationError(
                f'{where}: {name} must be {{env = "VARIABLE"}} or {{file = "PATH"}}, not a value'
            )
    return dict(content)


def _secret(name: str, source: dict[str, str]) -> str:
    if "env" in source:
        value = os.environ.get(source["env"])
        if value is None:
            raise CannotRun(f"secret {name}: set the environment variable {source['env']}")
        return value
    try:
        return Path(source["file"]).read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise CannotRun(f"secret {name}: cannot read {source['file']}: {error}") from None


def _waivers(content: dict[str, Any], where: str) -> dict[str, Waiver]:
    waivers = {}
    for rule_id, waiver in content.items():
        unknown = set(waiver) - {"reason", "expires"} if isinstance(waiver, dict) else {"no table"}
        if unknown or not isinstance(waiver.get("reason"), str):
            raise ConfigurationError(
                f'{where}: {rule_id} must be {{reason = "why", expires = YYYY-MM-DD}}'
            )
        expires = waiver.get("expires")
        if expires is not None and type(expires) is not dt.date:
            raise ConfigurationError(f"{where}: {rule_id}: expires must be a date, not {expires!r}")
        waivers[rule_id] = Waiver(waiver["reason"], expires)
    return waivers
