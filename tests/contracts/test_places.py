"""The documents name files and modules of this repository that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP = "shared|gateway|identity_service|dossier_service|sync_service|deploy|tests|docs"
DOCS = (*ROOT.glob("docs/*.md"), *ROOT.glob("docs/??/**/*.md"))
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *DOCS, ROOT / ".env.example")
)
PLACE = re.compile(rf"(?<![\w/.-])((?:{TOP})/[\w./*-]*\w/?)")
MODULE = re.compile(rf"(?<![\w/.-])((?:{TOP})(?:\.[a-z_0-9]+)+)(?![\w(/])")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_places_that_a_document_names_are_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    places = {place for place in PLACE.findall(text) if not any(ROOT.glob(place.rstrip("/")))}
    modules = {module for module in MODULE.findall(text) if not is_module(module)}
    assert (places, modules) == (set(), set())


def is_module(name: str) -> bool:
    """Return whether the dotted name is a module, a package or a name written in one."""
    *parents, last = name.split(".")
    place = ROOT.joinpath(*parents, last)
    if place.is_dir() or place.with_suffix(".py").exists():
        return True
    within = ROOT.joinpath(*parents)
    source = within.with_suffix(".py") if not within.is_dir() else within / "__init__.py"
    return source.exists() and re.search(rf"\b{last}\b", source.read_text()) is not None
