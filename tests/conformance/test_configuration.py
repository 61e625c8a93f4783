"""conformance.toml: what it may say, and how a mistake in it is told."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from extstorage_conformance.configuration import (
    TABLES,
    ConfigurationError,
    Waiver,
    expand,
    load,
    parse,
)
from extstorage_conformance.violation import CannotRun

RUN_DIRECTORY = Path("/var/tmp/run")  # noqa: S108 - a name only
A_DAY = dt.date(2031, 5, 17)


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "conformance.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_means_defaults() -> None:
    configuration = load(None)

    assert configuration.capabilities["zeroed"] is True
    assert configuration.run["releases"] == ["3.0"]
    assert configuration.parameters_for(RUN_DIRECTORY) == {}


def test_empty_file_means_defaults(tmp_path: Path) -> None:
    assert load(_write(tmp_path, "")) == load(None)


@pytest.mark.parametrize("table", TABLES)
def test_every_default_may_be_written_down(table: str) -> None:
    written = {key: option.default for key, option in TABLES[table].items() if key != "maximum"}

    assert parse({table: written}, "test") == load(None)


def test_what_is_said_counts(tmp_path: Path) -> None:
    text = """
    [capabilities]
    zeroed = false
    create_existing = "succeeds"
    [sizes]
    default = 64
    [parameters]
    directory = "{run_directory}/pool"
    [invalid_values]
    directory = ["pool", ""]
    """

    configuration = load(_write(tmp_path, text))

    assert configuration.capabilities["zeroed"] is False
    assert configuration.capabilities["create_existing"] == "succeeds"
    assert configuration.capabilities["close_stops_writes"] is False
    assert configuration.sizes["default"] == 64
    assert configuration.invalid_values == {"directory": ["pool", ""]}
    assert configuration.parameters_for(RUN_DIRECTORY) == {"directory": f"{RUN_DIRECTORY}/pool"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[capability]\n", "unknown table [capability]: expected one of run, capabilities"),
        ("[capabilities]\nzerod = true", "[capabilities]: unknown key 'zerod'"),
        ("[capabilities]\nzeroed = 1", "[capabilities]: zeroed must be a bool, not 1"),
        ("[sizes]\ndefault = true", "[sizes]: default must be a int, not True"),
        (
            '[capabilities]\ncreate_existing = "maybe"',
            "must be one of fails, succeeds, not 'maybe'",
        ),
        ("[sizes]\nminimum = 0", "[sizes] minimum must be positive, not 0"),
        ("[sizes]\nmaximum = -1", "[sizes] maximum must be positive, not -1"),
        ("[run]\nscript_timeout = 0", "[run] script_timeout must be positive, not 0"),
        ("[run]\ninventory_directories = [1]", "inventory_directories must be a list of strings"),
        ("[run]\nreleases = [3.0]", "releases must be a list of strings, not [3.0]"),
        ("[run]\nreleases = []", "[run] releases is empty: name those"),
        ("[sizes]\nminimum = 33", "[sizes] default is 32, below minimum, which is 33"),
        ("[sizes]\nmaximum = 31", "[sizes] default is 32, above maximum, which is 31"),
        ("[sizes]\nlarge = 32", "[sizes] large is 32, not above default, which is 32"),
        ('[parameters]\nsize = "3"', "[parameters]: size is no parameter of a provider's"),
        ('[other_pool]\nProvider = "x"', "[other_pool]: Provider is no parameter"),
        ('[secrets]\naccess = {env = "A"}', "[secrets]: access is no parameter"),
        ('[parameters]\n"po ol" = "x"', "[parameters]: 'po ol' is no name of a parameter"),
        ('[run]\nreleases = ["4.0"]', "[run] releases: unknown Ganeti release '4.0'"),
        ("[parameters]\nroom = 3", "[parameters]: room must be a string, not 3"),
        ("[other_pool]\npool = 3", "[other_pool]: pool must be a string, not 3"),
        ('[invalid_values]\npool = "x"', "[invalid_values]: pool must be a list of strings"),
        ('[secrets]\nkey = "x"', '[secrets]: key must be {env = "VARIABLE"}'),
        ('[secrets]\nkey = {env = "A", file = "B"}', '[secrets]: key must be {env = "VARIABLE"}'),
        ("[waivers]\nES-GROW-01 = true", "[waivers]: ES-GROW-01 must be {reason"),
        ("[waivers]\nES-GROW-01 = {}", "[waivers]: ES-GROW-01 must be {reason"),
        ("[waivers]\nES-GROW-01 = {reason = 7}", "[waivers]: ES-GROW-01 must be {reason"),
        (
            '[waivers]\nES-GROW-01 = {reason = "x", expires = "2031-05-17"}',
            "ES-GROW-01: expires must be a date, not '2031-05-17'",
        ),
        ("waivers = 3", "waivers must be a table"),
        ("[run", "not TOML"),
    ],
)
def test_mistake_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    path = _write(tmp_path, text)

    with pytest.raises(ConfigurationError) as caught:
        load(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "conformance.toml")


def test_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    path = tmp_path / "conformance.toml"
    path.write_bytes(b'[parameters]\npool = "\xe9"')

    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(path)


def test_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = parse({"secrets": {"key": {"env": "ARRAY_KEY"}}}, "test")
    monkeypatch.setenv("ARRAY_KEY", "sesame")

    assert configuration.parameters_for(RUN_DIRECTORY) == {"key": "sesame"}


def test_secret_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sesame\n", encoding="utf-8")
    configuration = parse({"secrets": {"key": {"file": str(path)}}}, "test")

    assert configuration.parameters_for(RUN_DIRECTORY) == {"key": "sesame"}


@pytest.mark.parametrize("source", [{"env": "NO_SUCH_VARIABLE"}, {"file": "/nowhere/key"}])
def test_secret_that_is_not_there_is_told_by_name(source: dict[str, str]) -> None:
    configuration = parse({"secrets": {"key": source}}, "test")

    with pytest.raises(CannotRun, match=f"secret key: .*{next(iter(source.values()))}"):
        configuration.parameters_for(RUN_DIRECTORY)


def test_waiver_counts_on_its_last_day() -> None:
    waiver = Waiver("the array cannot shrink", A_DAY)

    assert waiver.in_force(A_DAY)
    assert not waiver.in_force(A_DAY + dt.timedelta(days=1))
    assert Waiver("for ever", None).in_force(dt.date.max)


@pytest.mark.parametrize("reason", ["", "  "])
def test_waiver_without_a_reason_is_not_signed(reason: str) -> None:
    assert not Waiver(reason, None).in_force(A_DAY)


def test_parameters_of_the_command_line_come_on_top() -> None:
    loaded = parse({"parameters": {"pool": "a", "user": "u"}}, "here")

    assert loaded.with_parameters({"pool": "b"}).parameters == {"pool": "b", "user": "u"}


def test_large_that_is_not_said_contradicts_nothing() -> None:
    assert parse({"sizes": {"default": 8192}}, "here").sizes["default"] == 8192


def test_secret_is_not_given_on_the_command_line() -> None:
    loaded = parse({"secrets": {"password": {"env": "PASSWORD"}}}, "here")

    with pytest.raises(ConfigurationError, match="password is a secret"):
        loaded.with_parameters({"password": "x"})


def test_waiver_is_read_with_reason_and_date(tmp_path: Path) -> None:
    text = '[waivers]\nES-GROW-01 = {reason = "firmware 7", expires = 2031-05-17}'

    assert load(_write(tmp_path, text)).waivers == {"ES-GROW-01": Waiver("firmware 7", A_DAY)}


@pytest.mark.parametrize(
    ("size_mib", "granularity", "rounded"), [(1, 4, 4), (4, 4, 4), (5, 4, 8), (7, 1, 7)]
)
def test_sizes_are_rounded_up(size_mib: int, granularity: int, rounded: int) -> None:
    configuration = parse({"sizes": {"granularity": granularity}}, "test")

    assert configuration.rounded_mib(size_mib) == rounded


def test_run_directory_is_filled_in_everywhere() -> None:
    assert expand("{run_directory}/a:{run_directory}/b", Path("/r")) == "/r/a:/r/b"
