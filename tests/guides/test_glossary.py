"""The glossary pairs Vietnamese terms with fields that the API has."""

import re

from tests.contracts.test_openapi_names import MERGED
from tests.guides.pages import DOCS, read_page

MIN_TERMS = 80
ROWS = [
    row for table in read_page(DOCS / "vi/reference/glossary.md").tables for row in table.rows[1:]
]


def list_names(node: object) -> set[str]:
    """Return the names of schemas, members, parameters, headers and enum values in a node."""
    if isinstance(node, list):
        return set().union(*map(list_names, node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*map(list_names, node.values()))
    for part in ("properties", "schemas", "headers"):
        if isinstance(node.get(part), dict):
            found |= node[part].keys()
    for part in ("enum", "x-enum-varnames"):
        if isinstance(node.get(part), list):
            found |= {str(value) for value in node[part]}
    return found | ({str(node["name"])} if "in" in node and "name" in node else set())


def test_fields_of_the_glossary_are_in_the_description_of_the_api() -> None:
    known = {name.lower() for name in list_names(MERGED)}
    named = {code for row in ROWS for code in re.findall("`([^`]+)`", row[1])}
    assert {name for name in named if name.lower() not in known} == set()


def test_each_term_has_a_field_and_an_english_word() -> None:
    assert all(all(cell.strip() for cell in row) for row in ROWS)
    assert all("`" in row[1] for row in ROWS)


def test_no_term_stands_twice() -> None:
    terms = [row[0] for row in ROWS]
    assert sorted(terms) == sorted(set(terms))
    assert len(terms) >= MIN_TERMS
