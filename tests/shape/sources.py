"""The project's Python files as the shape tests read them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PACKAGES = ("shared", "gateway", "identity_service", "dossier_service", "sync_service")
# Their functions and modules obey the limits of length alone.
BESIDE = ("deploy", "tests")
_LAYOUT = Path(__file__).parent / "layout.yaml"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One file; `name` is its path from the root of the repository."""

    name: str
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def folder(self) -> str:
        return self.name.rpartition("/")[0]

    def list_functions(self) -> Iterator[tuple[str, FunctionNode]]:
        """Yield each function with its dotted name inside the file."""
        yield from _list_functions(ast.parse(self.text), "")


@cache
def read_layout() -> dict[str, Any]:
    """Return `layout.yaml`: the limits, and the exceptions of today."""
    layout: dict[str, Any] = yaml.safe_load(_LAYOUT.read_text())
    return layout


@cache
def list_sources(*folders: str) -> tuple[Source, ...]:
    """Return the Python files below the folders, without migrations, which are frozen text."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    named = [(path.relative_to(ROOT).as_posix(), path) for path in paths]
    return tuple(
        Source(name, path.read_text())
        for name, path in named
        if "/migrations/versions/" not in name
    )


def _list_functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, FunctionNode]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | FunctionNode):
            name = f"{prefix}{child.name}"
            if not isinstance(child, ast.ClassDef):
                yield name, child
            yield from _list_functions(child, f"{name}.")
        else:
            yield from _list_functions(child, prefix)
