"""The floors of docs/architecture.md: an import goes down only, and node code stays light."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SDK = ROOT / "sdk/extstorage"
CONFORMANCE = ROOT / "conformance/extstorage_conformance"

# What each floor may import of the project. Not listed: the floor itself.
BELOW: dict[str, set[str]] = {
    "contract": set(),
    "provider": {"contract"},
    "nodes": set(),
    "host": {"contract", "nodes"},
    "cluster": {"contract", "host", "nodes", "resources"},
    "shell": {"contract", "provider"},
    "vendoring": {"contract", "shell"},
    "resources": set(),
    "lint": {"contract", "host", "vendoring"},
    "doctor": {"contract", "host", "lint", "nodes"},
    "scaffold": {"contract", "resources", "vendoring"},
    "cli": {
        *("cluster", "contract", "doctor", "host", "lint", "nodes", "resources", "scaffold"),
        "vendoring",
    },
    "conformance": {"contract", "host", "lint", "nodes"},
}
NODE_FLOORS = ("contract", "provider")
# Each costs a script milliseconds of its start; what one needs can be had without them.
SLOW = {
    "argparse", "ast", "asyncio", "collections", "contextlib", "dataclasses", "enum", "functools",
    "importlib", "inspect", "json", "logging", "pathlib", "re", "shutil", "subprocess", "tempfile",
    "threading", "traceback", "typing", "uuid",
}  # fmt: skip


def files(floor: str) -> list[Path]:
    if floor == "conformance":
        return sorted(CONFORMANCE.rglob("*.py"))
    single = SDK / f"{floor}.py"
    return [single] if single.exists() else sorted((SDK / floor).rglob("*.py"))


def imports(path: Path, *, for_types_too: bool = False) -> Iterator[tuple[str, int, bool]]:
    """Yield (module, line, at the module's top level) for each import in a file."""
    tree = ast.parse(path.read_bytes())
    skipped = set() if for_types_too else _inside_type_checking(tree)
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: import by the full name"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno, id(node) in top


def _inside_type_checking(tree: ast.Module) -> set[int]:
    return {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }


def floor_of(module: str) -> str | None:
    package, _, rest = module.partition(".")
    if package == "extstorage_conformance":
        return "conformance"
    if package != "extstorage":
        return None
    floor = rest.partition(".")[0]
    return floor if floor in BELOW else None


def test_every_module_is_on_a_floor() -> None:
    found = {path.stem if path.is_file() else path.name for path in SDK.iterdir()}
    found -= {"__init__", "__main__", "__pycache__", "py"}

    assert found == set(BELOW) - {"conformance"}


@pytest.mark.parametrize("floor", BELOW)
def test_imports_go_down_only(floor: str) -> None:
    allowed = {floor, None, *BELOW[floor]}
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {module}"
        for path in files(floor)
        for module, line, _ in imports(path, for_types_too=True)
        if floor_of(module) not in allowed
    ]

    assert files(floor)
    assert not wrong


@pytest.mark.parametrize("floor", NODE_FLOORS)
def test_node_code_needs_the_standard_library_only(floor: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {module}"
        for path in files(floor)
        for module, line, _ in imports(path)
        if module.partition(".")[0] not in {*sys.stdlib_module_names, "extstorage"}
    ]

    assert not wrong


def test_what_the_suite_sends_to_nodes_needs_nothing_else_of_ours() -> None:
    sent = [CONFORMANCE / "stamps.py", *sorted((CONFORMANCE / "node_side").glob("*.py"))]
    ours = ("extstorage_conformance.stamps", "extstorage_conformance.node_side")
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {module}"
        for path in sent
        for module, line, _ in imports(path)
        if module.partition(".")[0] not in sys.stdlib_module_names and not module.startswith(ours)
    ]

    assert len(sent) > 5
    assert not wrong


@pytest.mark.parametrize("floor", NODE_FLOORS)
def test_node_code_starts_without_slow_modules(floor: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {module}"
        for path in files(floor)
        for module, line, at_top in imports(path)
        if at_top and module.partition(".")[0] in SLOW
    ]

    assert not wrong
