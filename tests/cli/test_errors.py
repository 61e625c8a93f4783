from __future__ import annotations

from extstorage.cli.errors import reason


def test_the_file_is_named() -> None:
    assert reason(OSError(28, "No space left on device", "/a"), "/b") == (
        "/a: No space left on device"
    )


def test_without_a_file_the_place_is_named() -> None:
    assert reason(OSError(28, "No space left on device"), "/b") == "/b: No space left on device"


def test_a_library_that_hides_the_systems_words_does_not() -> None:
    hidden = OSError("Unable to create directory")
    assert reason(hidden, "/b") == "/b: Unable to create directory"
    hidden.__cause__ = OSError(28, "No space left on device", "/a/c")
    assert reason(hidden, "/b") == "/a/c: No space left on device"
