"""The words of the generated pages in both languages.

English sentences come from the code; `texts.yaml` holds each with its Vietnamese form, and the
meanings of codes, which the code does not state, in both. `titles` are those of decisions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import yaml

Language = Literal["vi", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("vi", "en")
FILE = Path(__file__).with_name("texts.yaml")


@dataclass
class Texts:
    """Translate sentences and codes; `used` and `missing` are those that a build asked for."""

    language: Language
    sentences: Mapping[str, str]
    meanings: Mapping[str, Mapping[str, Mapping[Language, str]]]
    titles: Mapping[str, str]
    used: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)

    def say(self, sentence: str) -> str:
        """Return the English sentence, or its Vietnamese form."""
        self.used.add(sentence)
        if sentence not in self.sentences:
            self.missing.add(sentence)
            return sentence
        return sentence if self.language == "en" else self.sentences[sentence]

    def explain(self, kind: str, code: str) -> str:
        """Return the meaning of a code of a list."""
        self.used.add(f"{kind}: {code}")
        meaning = self.meanings.get(kind, {}).get(code)
        if meaning is None:
            self.missing.add(f"{kind}: {code}")
            return ""
        return meaning[self.language]

    def find_title(self, title: str) -> str:
        """Return the title of a decision; a new one stays English until it is translated."""
        return self.titles.get(title, title) if self.language == "vi" else title

    def list_known(self) -> set[str]:
        """Return all sentences and codes of the file, named as in `used`."""
        codes = {f"{kind}: {code}" for kind, each in self.meanings.items() for code in each}
        return {*self.sentences, *codes}


def read_texts(language: Language) -> Texts:
    found = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    meanings: dict[str, dict[str, dict[Language, str]]] = {
        kind: {str(code): {"vi": pair[0], "en": pair[1]} for code, pair in codes.items()}
        for kind, codes in found["meanings"].items()
    }
    return Texts(language, found["sentences"], meanings, found["titles"])
