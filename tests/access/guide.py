"""The tables of docs/access.md, as these tests ask for them: `python -m tests.access.guide`."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

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

GUIDE = Path(__file__).parents[2] / "docs/access.md"
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


# By the beginning of its first line.
TABLES = {
    "| caller |": callers,
    "| operation | covered |": operations,
    "| operation | without a token |": public,
    "| path |": pages,
}


def with_tables(guide: str) -> str:
    """The same text, with the rows that its tables are to have."""
    for begin, rows in TABLES.items():
        [head] = re.findall(rf"^{re.escape(begin)}.*\n\|[-|]+\n", guide, re.MULTILINE)
        before, _, after = guide.partition(head)
        made = "".join(f"{row}\n" for row in rows())
        guide = before + head + made + re.sub(r"\A(\|.*\n)*", "", after)
    return guide


if __name__ == "__main__":
    GUIDE.write_text(with_tables(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
