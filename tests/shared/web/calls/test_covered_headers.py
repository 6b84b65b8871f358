"""The code of a call covers every header that a service reads of a request."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from shared.web.calls.call_mac import COVERED

ROOT = Path(__file__).parents[4]
BEHIND = ("shared", "identity_service", "dossier_service", "sync_service")
# Proxies may change these, and none of them changes what a call does.
NOT_COVERED = {
    "accept-encoding": "chooses the coding of an answer",
    "content-length": "frames the body, which is covered itself",
    "traceparent": "names a trace",
}
# Of an answer, an event or a job: no request's.
OTHER_HEADERS = ("response.headers", "record.headers", "answer.headers", "refused.headers")


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for package in BEHIND:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                yield name.removesuffix(".__init__"), ast.parse(path.read_text())


def _is_headers(node: ast.expr) -> bool:
    text = ast.unparse(node)
    return text not in OTHER_HEADERS and (
        text == "headers" or text.endswith(".headers") or text.startswith("Headers(")
    )


def _names_read(module: str, tree: ast.Module) -> Iterator[str]:
    """Yield the names by which code takes a header, and those that FastAPI takes for it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and _is_headers(node.value):
            named = [node.slice] if isinstance(node.ctx, ast.Load) else []
        elif isinstance(node, ast.Call):
            receiver = [node.func.value] if isinstance(node.func, ast.Attribute) else []
            reads = any(map(_is_headers, [*receiver, *node.args]))
            named = node.args[:2] if reads else []
        else:
            continue
        for each in named:
            value = each.value if isinstance(each, ast.Constant) else None
            if isinstance(each, ast.Name):
                value = getattr(import_module(module), each.id, None)
            if isinstance(value, str) and value:
                yield value.lower()


def _parameters(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the header parameters: an alias, or the name of the parameter."""
    marked = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and "Header(" in ast.unparse(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation:
            text = ast.unparse(node.annotation)
            source = ast.unparse(marked[text]) if text in marked else text
            if "Header(" in source:
                _, given, alias = source.partition("alias='")
                yield (alias.partition("'")[0] if given else node.arg.replace("_", "-")).lower()


def read_headers() -> dict[str, str]:
    """Return each header that code behind the gateway reads, with one module that does."""
    return {
        name: module
        for module, tree in _modules()
        for name in (*_names_read(module, tree), *_parameters(tree))
        if not name.startswith("ce_")
    }


READ = read_headers()


def test_the_headers_of_every_kind_of_reading_are_found() -> None:
    assert {
        "authorization",
        "content-length",
        "content-type",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "traceparent",
        "x-client-proof",
        "x-right",
    } <= READ.keys()


@pytest.mark.parametrize("name", sorted(READ.keys() - NOT_COVERED.keys()))
def test_header_that_a_service_reads_is_covered(name: str) -> None:
    assert name.encode() in COVERED, READ[name]
