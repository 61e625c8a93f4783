"""``extstorage trace``: show who called what on which node."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extstorage.cli.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

SUMMARY = "show a trace of script calls as a picture with one lane for each node"

_COLUMN = 26
_LANE_PX, _ROW_PX, _LEFT_PX, _TOP_PX = 240, 26, 20, 60
_CHARACTER_PX = 7.3
_COLOURS = {"failed": "#b3261e", "done": "#1b5e20"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    show = actions.add_parser("show", help="show a trace file that --trace has written")
    show.add_argument("file", metavar="FILE")
    show.add_argument("--svg", metavar="OUT", help="write a picture instead")


def run(arguments: argparse.Namespace) -> int:
    """Show all records of a trace."""
    records = _read(Path(arguments.file))
    if arguments.svg:
        try:
            Path(arguments.svg).write_text(picture(records), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{arguments.svg} cannot be written: {error.strerror}") from None
        return 0
    for record in records:
        for line in table(record):
            print(line)
        print()
    return 0


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in lines if line]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path} is no trace: {error}") from None
    for number, record in enumerate(records, 1):
        if not (isinstance(record, dict) and {"command", "rc", "calls"} <= record.keys()):
            raise UsageError(f"{path}:{number}: expected a record with command, rc and calls")
    return records


def table(record: dict[str, Any]) -> Iterator[str]:
    """Yield a record as text: a column for each node, a row for each call."""
    nodes = _nodes([record])
    yield f"$ {record['command']}   -> {record['rc']}"
    if nodes:
        yield "".join(node.ljust(_COLUMN) for node in nodes).rstrip()
    for call in record["calls"]:
        indent = " " * (_COLUMN * nodes.index(call["node"]))
        yield f"{indent}{_label(call)}"


def _label(call: dict[str, Any]) -> str:
    words = [call["script"]]
    mode = call["env"].get("VOL_OPEN_EXCLUSIVE")
    if mode:
        words.append("exclusive" if mode == "True" else "shared")
    if call["env"].get("VOL_NEW_SIZE"):
        words.append(f"{call['env']['VOL_NEW_SIZE']}M")
    volume = call["env"].get("VOL_NAME", "")
    words.append(volume.partition(".ext.")[2] or volume)
    if call["exit"] != 0:
        words.append(f"EXIT {call['exit']}")
    return " ".join(words)


def _nodes(records: Sequence[dict[str, Any]]) -> list[str]:
    return sorted({call["node"] for record in records for call in record["calls"]})


def picture(records: Sequence[dict[str, Any]]) -> str:
    """Return all records as one SVG: a lane for each node, time going down."""
    nodes = _nodes(records)
    width = 2 * _LEFT_PX + max(len(nodes), 3) * _LANE_PX
    body: list[str] = []
    for lane, node in enumerate(nodes):
        body.append(_text(_LEFT_PX + lane * _LANE_PX, 30, node, "#000", bold=True))
    row = 0
    for record in records:
        title = _shortened(record["command"], width) + f" → {record['rc']}"
        body.append(_text(_LEFT_PX, _TOP_PX + row * _ROW_PX, title, "#555"))
        row += 1
        for call in record["calls"]:
            left = _LEFT_PX + nodes.index(call["node"]) * _LANE_PX
            colour = _COLOURS["done" if call["exit"] == 0 else "failed"]
            body.append(_box(left, _TOP_PX + row * _ROW_PX, _label(call), colour))
            row += 1
    height = _TOP_PX + (row + 1) * _ROW_PX
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        ' font-family="monospace" font-size="12">\n'
        '<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _shortened(command: str, width_px: int) -> str:
    """Return a command that fits into a line, its result beside it."""
    room = int((width_px - 2 * _LEFT_PX) / _CHARACTER_PX) - len(" -> 100")
    return command if len(command) <= room else f"{command[: room - 4]} ..."


def _text(left: int, top: int, text: str, colour: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{left}" y="{top}" fill="{colour}"{weight}>{escape(text)}</text>'


def _box(left: int, top: int, text: str, colour: str) -> str:
    box = (
        f'<rect x="{left - 6}" y="{top - 15}" width="{_LANE_PX - 16}" height="{_ROW_PX - 6}"'
        f' rx="3" fill="none" stroke="{colour}"/>'
    )
    return f"{box}{_text(left, top, text, colour)}"
