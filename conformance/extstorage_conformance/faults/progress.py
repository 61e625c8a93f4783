"""Where a long sweep says how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

_listeners: list[Callable[[str], None]] = []


def show(text: str) -> None:
    """Tell the listeners one step, in one line."""
    for listener in _listeners:
        listener(text)


def show_progress(config: pytest.Config) -> None:
    """Show each step on the terminal, over the one before, if there is a terminal."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is None or capture is None or not reporter.isatty:
        return

    def show_on_terminal(text: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.rewrite(f" {text}"[: reporter._tw.fullwidth - 1], erase=True)  # noqa: SLF001

    _listeners[:] = [show_on_terminal]
