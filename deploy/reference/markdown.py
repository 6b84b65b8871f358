"""Compose a page of Markdown out of parts with tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.reference.texts import Texts

_TWIN = {"vi": ("English", "en"), "en": ("Tiếng Việt", "vi")}
_GENERATED = "The program writes this page out of its own code: `make schemas`."


@dataclass(frozen=True)
class Part:
    """A heading with its id, a paragraph and a table; `head` and `rows` are texts of cells."""

    id: str
    title: str
    text: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def render(self) -> str:
        lines = [f'## <a id="{self.id}"></a>{self.title}', ""]
        if self.text:
            lines += [self.text, ""]
        lines += [_join_cells(self.head), "|" + "---|" * len(self.head)]
        return "\n".join([*lines, *map(_join_cells, self.rows), ""])


@dataclass(frozen=True)
class Page:
    title: str
    text: str
    parts: Sequence[Part]

    def render(self, name: str, texts: Texts) -> str:
        label, other = _TWIN[texts.language]
        twin = f"[{label}](../../{other}/{name}.md)"
        begin = [f"# {self.title}", "", twin, "", self.text, "", texts.say(_GENERATED), ""]
        return "\n".join([*begin, *(part.render() for part in self.parts)])


def _join_cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') or '-' for cell in cells)} |"


def quote_codes(codes: Sequence[object]) -> str:
    return ", ".join(f"`{code}`" for code in codes)
