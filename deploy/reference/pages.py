"""Build the generated pages in both languages, by their places below docs/<language>."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from deploy.reference.codes import build_codes_page
from deploy.reference.decisions import build_decisions_page
from deploy.reference.events import build_events_page
from deploy.reference.fields import build_fields_page
from deploy.reference.markdown import Page
from deploy.reference.operations import build_operations_page
from deploy.reference.settings import build_settings_page
from deploy.reference.texts import LANGUAGES, Texts, read_texts
from deploy.reference.watch import build_alerts_page, build_metrics_page

DOCS = Path(__file__).parents[2] / "docs"
BUILDERS: Mapping[str, Callable[[Texts], Page]] = MappingProxyType(
    {
        "reference/operations": build_operations_page,
        "reference/fields": build_fields_page,
        "reference/codes": build_codes_page,
        "reference/events": build_events_page,
        "reference/settings": build_settings_page,
        "reference/metrics": build_metrics_page,
        "reference/alerts": build_alerts_page,
        "explanation/decisions": build_decisions_page,
    }
)


def build_pages(texts: Texts) -> dict[str, str]:
    """Return the text of each page by its place below docs/."""
    return {
        f"{texts.language}/{name}.md": build(texts).render(name, texts)
        for name, build in BUILDERS.items()
    }


def write_pages() -> int:
    """Write all pages; return how many names they have. Raise LookupError for a missing text."""
    for language in LANGUAGES:
        for name, text in build_pages(read_texts(language)).items():
            (DOCS / name).write_text(text, encoding="utf-8")
    return len(BUILDERS)
