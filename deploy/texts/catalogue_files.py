"""Write the catalogues: their translations are kept, and new texts have none."""

from io import BytesIO

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from deploy.texts.extraction import Places
from shared.texts.catalogues import find_catalogue_file
from shared.texts.languages import Language

_WIDTH = 100
_HEADER = """\
# Texts that persons read, in Vietnamese; `make texts` keeps the list of texts.
msgid ""
msgstr ""
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def read_catalogue(language: Language, domain: str) -> Catalog:
    with find_catalogue_file(language, domain).open("rb") as file:
        return read_po(file, locale=language)


def serialise_catalogue(language: Language, domain: str, places: Places) -> str:
    """Return the file with these texts, and the translations that the present file has."""
    present, renewed = read_catalogue(language, domain), Catalog(locale=language)
    for text in places:
        known = present.get(text)
        renewed.add(
            text,
            known.string if known else "",
            locations=[(place, 0) for place in sorted(places[text])],
            flags=known.flags & {"fuzzy"} if known else (),
        )
    written = BytesIO()
    write_po(
        written, renewed, width=_WIDTH, omit_header=True, sort_by_file=True, include_lineno=False
    )
    return _HEADER.format(language=language) + written.getvalue().decode()
