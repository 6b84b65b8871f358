"""The guides in docs/vi and docs/en, read into sections."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LANGUAGES = ("vi", "en")
KINDS = {"tutorial", "how-to", "reference", "explanation"}
_PARSER = MarkdownIt("commonmark").enable("table")


class Fence(NamedTuple):
    """A block of code; `language` is its info string: sh, console, text …"""

    language: str
    text: str


class Table(NamedTuple):
    """The texts of the cells, row by row, the head first."""

    rows: tuple[tuple[str, ...], ...]


@dataclass
class Section:
    """A heading with all that stands below it, up to the next heading of any level.

    `outline` holds, in order, what the languages have in common: blocks of code, the shapes of
    tables and lists, and a mark for each paragraph.
    """

    level: int
    id: str
    title: str
    outline: list[object] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    fences: list[Fence] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    path: Path
    sections: list[Section]

    @property
    def language(self) -> str:
        return self.path.relative_to(DOCS).parts[0]

    @property
    def twin(self) -> Path:
        """Return the place of the same page in the other language."""
        [other] = set(LANGUAGES) - {self.language}
        return DOCS / other / self.path.relative_to(DOCS / self.language)

    @property
    def fences(self) -> list[Fence]:
        return [fence for section in self.sections for fence in section.fences]

    @property
    def tables(self) -> list[Table]:
        return [table for section in self.sections for table in section.tables]

    @property
    def links(self) -> list[str]:
        return [link for section in self.sections for link in section.links]


def list_pages(language: str) -> list[Path]:
    return sorted((DOCS / language).rglob("*.md"))


def read_page(path: Path) -> Page:
    return Page(path, list(_split_sections(_PARSER.parse(path.read_text(encoding="utf-8")))))


def _split_sections(tokens: list[Token]) -> Iterator[Section]:
    """Yield the sections; a text before the first heading is none, and is refused."""
    section: Section | None = None
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            if section:
                yield section
            section = _read_heading(int(token.tag[1:]), tokens[place + 1])
        elif section is None:
            raise ValueError("a page begins with its heading")
        elif token.type == "inline" and tokens[place - 1].type != "heading_open":
            _read_inline(section, token)
        else:
            _read_block(section, tokens, place)
    if section:
        yield section


def _read_heading(level: int, inline: Token) -> Section:
    """Read `## <a id="name"></a>Title`; the title of the page needs no id."""
    children = inline.children or []
    anchors = [
        child.content.removeprefix('<a id="').removesuffix('">')
        for child in children
        if child.type == "html_inline" and child.content.startswith("<a ")
    ]
    title = "".join(child.content for child in children if child.type != "html_inline")
    return Section(level, anchors[0] if anchors else "", title)


def _read_inline(section: Section, inline: Token) -> None:
    for child in inline.children or []:
        match child.type:
            case "link_open":
                section.links.append(str(child.attrs["href"]))
            case "image":
                section.links.append(str(child.attrs["src"]))
            case "code_inline":
                section.codes.add(child.content)


def _read_block(section: Section, tokens: list[Token], place: int) -> None:
    token = tokens[place]
    match token.type:
        case "fence":
            fence = Fence(token.info, token.content)
            section.fences.append(fence)
            section.outline.append(_hide_labels(fence))
        case "table_open":
            table = _read_table(tokens[place:])
            section.tables.append(table)
            section.outline.append(("table", [len(row) for row in table.rows]))
        case "list_item_open" | "bullet_list_open" | "ordered_list_open" | "blockquote_open":
            section.outline.append((token.type, token.level))
        case "paragraph_open":
            section.outline.append("paragraph")


def _hide_labels(fence: Fence) -> Fence:
    """Return the block without the words of a diagram, which each language has of its own."""
    if fence.language != "mermaid":
        return fence
    return Fence(fence.language, re.sub(r": .*$", "", fence.text, flags=re.MULTILINE))


def _read_table(tokens: list[Token]) -> Table:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token.content)
    return Table(tuple(map(tuple, rows)))
