"""Read a search question: everyday words become those of the catalogue, a code stays a code."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

import yaml

from shared.codes.persons.folding import fold_accented, fold_bare

# A procedure code or its beginning, from the first digit after the dot on.
_CODE = re.compile(r"[1-9]\.[0-9]{1,6}(?:\.[A-Z0-9.]{0,35})?")
_WORD = re.compile(r"[^\W_]+")


def read_code_prefix(question: str) -> str | None:
    """Return the question where it is a procedure code or the beginning of one, else None."""
    text = question.strip().upper()
    return text if _CODE.fullmatch(text) else None


def read_alternatives(question: str) -> Sequence[Sequence[str]]:
    """Return lists of words without diacritics.

    A name fits where each word of one list is the beginning of a word in the name. The longest
    everyday phrase of the question is replaced by the words of the catalogue. Accents prove here
    too: `sơ đồ` is not `sổ đỏ`, but a question without any accents means either.
    """
    accented, bare = fold_accented(question), fold_bare(question)
    key, synonyms = (
        (bare, _read_bare_synonyms()) if accented == bare else (accented, _read_synonyms())
    )
    for phrase, official in synonyms.items():
        before, phrase_in_key, after = f" {key} ".partition(f" {phrase} ")
        if phrase_in_key:
            return [_split_words(f"{before} {words} {after}") for words in official]
    return [_split_words(question)]


def _split_words(text: str) -> Sequence[str]:
    return _WORD.findall(fold_bare(text))


@cache
def _read_synonyms() -> Mapping[str, Sequence[str]]:
    """Return everyday phrases with their official words, the longest phrase first."""
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    by_phrase = {fold_accented(phrase): words for phrase, words in yaml.safe_load(text).items()}
    return MappingProxyType(dict(sorted(by_phrase.items(), key=lambda item: -len(item[0]))))


@cache
def _read_bare_synonyms() -> Mapping[str, Sequence[str]]:
    return MappingProxyType(
        {fold_bare(phrase): words for phrase, words in _read_synonyms().items()}
    )
