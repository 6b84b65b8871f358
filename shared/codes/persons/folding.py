"""Fold text so that two spellings which look the same to a reader become equal (domain rules).

`fold_accented` proves: it keeps every diacritic, and Đ apart from D. `fold_bare` finds: it drops
them. Both follow properties of Unicode (general category, character name, decomposition and
Default_Ignorable_Code_Point), so that no list of examples has to grow.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from unicodedata import category, combining, name, normalize

# Default_Ignorable_Code_Point of Unicode (DerivedCoreProperties.txt), whole: nothing is displayed.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Grave, acute, tilde, hook above and dot below are the tones; the other marks make letters.
_TONE = re.compile("[\u0300\u0301\u0303\u0309\u0323]")
_MARK = re.compile("[\u0300-\u036f]")
_SYLLABLE = re.compile("(?:[^\\W\\d_][\u0300-\u036f]*)+")
# A stroke through the letter before it: U+0334 to U+0338. Through a d it makes đ.
_STRUCK_D = re.compile("d[\u0334-\u0338]+")
_STROKE = re.compile("[\u0334-\u0338]")

_HYPHEN_NAMES = ("HYPHEN", "MINUS SIGN")
_APOSTROPHE_NAMES = (
    "APOSTROPHE", "SINGLE QUOTATION", "SINGLE COMMA", "SINGLE TURNED COMMA", "SINGLE HIGH-REVERSED",
    "TURNED COMMA", "REVERSED COMMA", "PRIME", "GRAVE ACCENT", "ACUTE ACCENT", "MIDDLE GRAVE",
    "MIDDLE ACUTE", "MODIFIER LETTER VERTICAL LINE", "SALTILLO", "GERESH", "KORONIS", "PSILI",
    "DASIA", "TONOS", "OXIA", "VARIA", "LEFT HALF RING", "RIGHT HALF RING",
)  # fmt: skip
# One sign of the keyboard is meant by neither.
_TWO_SIGNS = ("DOUBLE", "TRIPLE", "QUADRUPLE", "DIALYTIKA", " AND ")
_SIGN_CATEGORIES = frozenset({"Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "Lm"})
_LETTER_NAME = re.compile("LATIN (?:SMALL|CAPITAL) LETTER (?:([A-Z])(?: WITH .+)?|DOTLESS ([IJ]))")
_FORMS_OF_D = ("LETTER D WITH", "LETTER ETH", "LETTER AFRICAN D")
# Capitals and small letters of Cyrillic and Greek whose usual shape is that of a Latin letter.
_LOOK_ALIKE = str.maketrans(
    "АВЕЅІЈКМНОРСТУХЬԀԚԜҺаеѕіјорсухԁԛԝһΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",
    "ABESIJKMHOPCTYXbDQWHaesijopcyxdqwhABEZHIKMNOPTYXo",
)
# Unicode has no sign or letter to unify in the planes after the first two.
_UNIFIED = range(0x20000)
# The longest syllable has 7 letters, 13 with its marks apart; longer words are computed each time.
MAX_CACHED_LENGTH = 16


def fold_accented(text: str) -> str:
    """Return the key under which equal names are equal, diacritics kept.

    Case, white space, Unicode form, invisible characters, the kind of apostrophe and hyphen, and
    the place of the tone do not count. Spelling rules differ on the vowel that carries the tone in
    open oa, oe and uy (hòa or hoà), and no two syllables differ by its place alone: the key moves
    the tone to the end of its syllable. The key of a key is the key itself.
    """
    folded = " ".join(map(_fold_word, text.split()))
    # A compatibility form may hold a blank, and a word may hold nothing that is displayed.
    return " ".join(folded.split())


def fold_bare(text: str) -> str:
    """Return the key of `fold_accented` without any diacritics: nguyen thi thuy."""
    return drop_accents(fold_accented(text))


def drop_accents(key: str) -> str:
    """Return the bare key of an accented key."""
    return " ".join(_MARK.sub("", key).replace("đ", "d").split())


def drop_invisible(text: str) -> str:
    """Return the text as it is displayed: composed, without ignorable characters, single blanks."""
    return " ".join(_IGNORABLE.sub("", normalize("NFC", text)).split())


def _fold_word(word: str) -> str:
    return _fold_syllable(word) if len(word) <= MAX_CACHED_LENGTH else _compute_key(word)


# Syllables recur; a name as a whole is not kept.
@lru_cache(maxsize=20_000)
def _fold_syllable(word: str) -> str:
    return _compute_key(word)


def _compute_key(word: str) -> str:
    signs, letters = _build_sign_table(), _build_letter_table()
    # NFKC tears some signs apart (´ into a blank and a mark) and makes others: before and after.
    signed = normalize("NFC", word).translate(signs)
    visible = _IGNORABLE.sub("", normalize("NFKC", signed))
    latin = normalize("NFD", visible.translate(signs)).translate(_LOOK_ALIKE)
    plain = normalize("NFD", latin.casefold()).translate(letters)
    parted = normalize("NFD", _STROKE.sub("", _STRUCK_D.sub("đ", plain)))
    return _SYLLABLE.sub(_move_tone_last, parted)


def _move_tone_last(match: re.Match[str]) -> str:
    """Sort two tones, which only slips of the keyboard make, in the order of Unicode."""
    tones = sorted(_TONE.findall(match[0]), key=combining)
    return _TONE.sub("", match[0]) + "".join(tones)


# Callers choose the text, so the tables hold the changed characters alone and never grow.
@cache
def _build_sign_table() -> Mapping[int, str]:
    return _build_table(_unify_sign)


@cache
def _build_letter_table() -> Mapping[int, str]:
    return _build_table(_unify_letter)


def _build_table(unify: Callable[[str], str]) -> Mapping[int, str]:
    return {code: new for code in _UNIFIED if (new := unify(chr(code))) != chr(code)}


def _unify_sign(char: str) -> str:
    """Return - for a dash or hyphen, ' for a sign that looks like an apostrophe."""
    kind, called = category(char), name(char, "")
    # The saltillo alone is a letter by its category.
    is_sign = kind in _SIGN_CATEGORIES or "SALTILLO" in called
    if not is_sign or any(part in called for part in _TWO_SIGNS):
        return char
    if kind == "Pd" or any(part in called for part in _HYPHEN_NAMES):
        return "-"
    return "'" if any(part in called for part in _APOSTROPHE_NAMES) else char


def _unify_letter(char: str) -> str:
    """Return đ for the letters that look like it, and a plain letter for one that is only struck.

    Desks cannot type ƀ or ɓ of the languages of the Central Highlands, and write b. Letters with
    a decomposition were parted before.
    """
    if char.isascii() or char == "đ":
        return char
    called = name(char, "")
    if any(form in called for form in _FORMS_OF_D):
        return "đ"
    match = _LETTER_NAME.fullmatch(called)
    return (match[1] or match[2]).lower() if match else char.translate(_LOOK_ALIKE)
