"""Write the texts for persons into the catalogues: `python -m deploy.texts`.

A new text has no translation: write it into the file below `msgid`. A text that the code no longer
has goes away.
"""

from deploy.texts.catalogue_files import read_catalogue, serialise_catalogue
from deploy.texts.extraction import extract_texts
from shared.texts.catalogues import find_catalogue_file
from shared.texts.languages import Language

if __name__ == "__main__":
    for domain, places in extract_texts().items():
        language = Language.VIETNAMESE
        file = find_catalogue_file(language, domain)
        file.write_text(serialise_catalogue(language, domain, places), encoding="utf-8")
        open_texts = [message for message in read_catalogue(language, domain) if not message.string]
        print(f"{file}: {len(places)} texts, {len(open_texts)} without a translation")
