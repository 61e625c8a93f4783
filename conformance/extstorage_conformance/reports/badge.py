"""The report as a badge: one small SVG to show in a README."""

from __future__ import annotations

from html import escape
from typing import Any

_LABEL = "ExtStorage"
_WORDS = {
    "conforms": ("conforms", "#2e7d32"),
    "does-not-conform": ("does not conform", "#b3261e"),
    "could-not-run": ("not judged", "#6b6b6b"),
}
_CHARACTER_PX = 6.6  # of the 11 px font below, a little more than its average
_PADDING_PX = 12


def text(report: dict[str, Any]) -> str:
    """Return the badge for a report document: verdict, Ganeti release, profile."""
    word, colour = _WORDS[report["verdict"]]
    waived = report["counts"].get("waived", 0)
    value = f"{word}: Ganeti {', '.join(report['releases'])}, {report['profile']}"
    value += f", {waived} waived" if waived else ""
    return _svg(_LABEL, value, colour)


def _svg(label: str, value: str, colour: str) -> str:
    left, right = _width(label), _width(value)
    title = escape(f"{label}: {value}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img"'
        f' aria-label="{title}"><title>{title}</title>'
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        '<g fill="#fff" text-anchor="middle" font-size="11"'
        ' font-family="Verdana,DejaVu Sans,sans-serif">'
        f'<text x="{left / 2:g}" y="14" textLength="{left - _PADDING_PX}">{escape(label)}</text>'
        f'<text x="{left + right / 2:g}" y="14" textLength="{right - _PADDING_PX}">'
        f"{escape(value)}</text></g></svg>\n"
    )


def _width(shown: str) -> int:
    return round(len(shown) * _CHARACTER_PX) + _PADDING_PX
