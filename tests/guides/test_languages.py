"""Both languages of the guides have the same structure, commands, codes and links."""

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.guides.pages import DOCS, KINDS, LANGUAGES, ROOT, Page, Section, list_pages, read_page

PAGES = [path for language in LANGUAGES for path in list_pages(language)]
BY_LANGUAGE = [path.relative_to(DOCS / "en") for path in list_pages("en")]


def name_page(path: Path) -> str:
    return path.relative_to(DOCS).as_posix() if path.is_absolute() else path.as_posix()


def find_links(page: Page) -> list[str]:
    """Return the links of a page without the one to its twin, in the order of their texts."""
    return sorted(page.links[1:])


def list_figures(section: Section) -> list[list[str]]:
    """Return the figures in each row of the tables; `6,000` and `6.000` are the same."""
    rows = [row for table in section.tables for row in table.rows[1:]]
    texts = [re.sub(r"(?<=\d)[.,](?=\d{3}\b)", "", " ".join(row)) for row in rows]
    return [sorted(re.findall(r"\d+", text)) for text in texts]


def test_each_page_has_a_twin_of_the_same_name() -> None:
    vietnamese = {path.relative_to(DOCS / "vi") for path in list_pages("vi")}
    assert vietnamese == set(BY_LANGUAGE)


def test_each_page_is_of_a_known_kind() -> None:
    assert {path.parts[0] for path in BY_LANGUAGE} <= KINDS | {"README.md"}


@pytest.mark.parametrize("path", BY_LANGUAGE, ids=name_page)
def test_languages_have_the_same_headings_blocks_and_codes(path: Path) -> None:
    vietnamese, english = (read_page(DOCS / language / path) for language in LANGUAGES)
    sections = zip(vietnamese.sections, english.sections, strict=True)
    for ours, theirs in sections:
        assert (ours.level, ours.id) == (theirs.level, theirs.id)
        assert ours.outline == theirs.outline, ours.id
        assert ours.codes == theirs.codes, ours.id
        assert list_figures(ours) == list_figures(theirs), ours.id
    assert find_links(vietnamese) == find_links(english)


@pytest.mark.parametrize("path", PAGES, ids=name_page)
def test_page_begins_with_a_link_to_the_other_language(path: Path) -> None:
    page = read_page(path)
    assert page.links[0] == Path(os.path.relpath(page.twin, path.parent)).as_posix()


@pytest.mark.parametrize("path", PAGES, ids=name_page)
def test_page_has_one_title_and_an_id_for_each_part(path: Path) -> None:
    first, *parts = read_page(path).sections
    assert first.level == 1
    assert all(part.level > 1 and part.id for part in parts)
    assert [name for name, times in Counter(part.id for part in parts).items() if times > 1] == []


@pytest.mark.parametrize("path", PAGES, ids=name_page)
def test_links_lead_to_files_and_parts_that_are_there(path: Path) -> None:
    page = read_page(path)
    for link in page.links:
        place, _, part = link.partition("#")
        if "://" in place:
            continue
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if part and target.is_relative_to(DOCS):
            assert part in {section.id for section in read_page(target).sections}, link


def test_readme_shows_the_same_calls_in_both_languages() -> None:
    calls = [
        [fence for fence in read_page(ROOT / name).fences if fence.text.startswith("API=")]
        for name in ("README.md", "README.vi.md")
    ]
    assert len(calls[0]) == 1
    assert calls[0] == calls[1]
