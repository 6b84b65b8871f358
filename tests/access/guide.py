"""The tables of the pages on access, as these tests ask for them.

`python -m tests.access.guide` writes them in both languages.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from gateway.operations.table import OPERATIONS
from tests.access.callers import (
    MALFORMED,
    NO_PURPOSE,
    NO_RIGHT,
    UNKNOWN_PURPOSE,
    UNPROVEN,
    kinds,
)
from tests.access.country import Papers
from tests.access.routes import METRICS, OPEN_AT_THE_GATEWAY, ROUTES, Row, open_at_a_service
from tests.support.factories import TestAuthority

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = {language: DOCS / language / "reference/access.md" for language in ("vi", "en")}
WORDS = Path(__file__).with_name("words_vi.yaml")
COLUMNS = ("ours", "theirs", "procedure", "fields", "purpose", "operator")
PERSONAL = "GET /dossier/v1/dossiers/{code}"
SERVICES = ("identity", "dossier", "sync", "gateway")


def callers() -> Iterator[str]:
    """Who is refused at the door, by one operation that touches personal data."""
    for name, kind in kinds(Papers(TestAuthority()), OPERATIONS[PERSONAL], ROUTES[PERSONAL]):
        if kind.answer in {UNPROVEN, NO_RIGHT, NO_PURPOSE, UNKNOWN_PURPOSE, MALFORMED}:
            yield f"| {name} | `{kind.answer}` |"


def operations() -> Iterator[str]:
    """After the door; an empty cell is as the first. Dead letters are alike everywhere."""
    rows: Mapping[str, Row] = {
        _any_service(name): row for name, row in ROUTES.items() if not row.public
    }
    for name, row in rows.items():
        found = (getattr(row, column) for column in COLUMNS)
        yield f"| `{name}` |{'|'.join(f' `{each}` ' if each else ' ' for each in found)}|"


def _any_service(operation: str) -> str:
    for service in SERVICES:
        operation = operation.replace(f"/{service}/v1/dead-letters", "/{service}/v1/dead-letters")
    return operation


def public() -> Iterator[str]:
    for name, row in ROUTES.items():
        if row.public:
            yield f"| `{name}` | `{row.ours}` | `{row.column('bearer')}` |"


def pages() -> Iterator[str]:
    """What is no operation; that the processes answer to no other path is another test's."""
    behind = open_at_a_service("{service}")
    for name in sorted(OPEN_AT_THE_GATEWAY | behind):
        gateway = "beside it" if name == METRICS else "yes" if name in OPEN_AT_THE_GATEWAY else ""
        cells = (f"`{name}`", gateway, "yes" if name in behind else "")
        yield f"|{'|'.join(f' {each} ' if each else ' ' for each in cells)}|"


# In the order of the page.
TABLES = (callers, operations, public, pages)


def read_words(language: str) -> Mapping[str, str]:
    """Return the words of the cells in another language, by the English ones."""
    if language == "en":
        return {}
    found: Mapping[str, str] = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    return found


def with_tables(guide: str, words: Mapping[str, str]) -> str:
    """Return the same text, with the rows that its tables are to have."""
    begin, *rest = re.split(r"^(\|.*\n\|[-|]+\n)(?:\|.*\n)*", guide, flags=re.MULTILINE)
    heads, texts = rest[::2], rest[1::2]
    made = ["".join(f"{translate(row, words)}\n" for row in rows()) for rows in TABLES]
    return begin + "".join(map("".join, zip(heads, made, texts, strict=True)))


def translate(row: str, words: Mapping[str, str]) -> str:
    """Return the row with the words of its cells replaced; raise KeyError for an unknown one."""
    if not words:
        return row
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    told = [words[cell] if cell and not cell.startswith("`") else cell for cell in cells]
    return f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in told)}|"


if __name__ == "__main__":
    for language, path in GUIDES.items():
        text = with_tables(path.read_text(encoding="utf-8"), read_words(language))
        path.write_text(text, encoding="utf-8")
