"""The list of all decisions; their texts are in English alone."""

from pathlib import Path

from deploy.reference.markdown import Page, Part
from deploy.reference.texts import Texts

FOLDER = Path(__file__).parents[2] / "docs/decisions"


def build_decisions_page(texts: Texts) -> Page:
    head = [texts.say("number"), texts.say("decision")]
    rows = [_describe_decision(path, texts) for path in sorted(FOLDER.glob("[0-9]*.md"))]
    text = texts.say(
        "Why things are as they are, one page for each decision: context, decision, consequences,"
        " alternatives. The pages are in English."
    )
    return Page(texts.say("Decisions"), text, [Part("all", texts.say("All"), "", head, rows)])


def _describe_decision(path: Path, texts: Texts) -> list[str]:
    """Return the row of a decision; a title without a translation stays English."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    number, _, title = first.removeprefix("# ").partition(". ")
    return [number, f"[{texts.find_title(title)}](../../decisions/{path.name})"]
