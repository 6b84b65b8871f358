"""Texts for the parsers: some that fit, many that nearly do."""

from hypothesis import strategies as st

from shared.codes.agency import holds_number_in_groups

_LEVELS = st.lists(st.integers(0, 999).map(str), max_size=8).map(
    lambda parts: ".".join(["", *parts])
)
AGENCIES = (
    st.builds("{}{:02}{}".format, st.sampled_from("ABGHTX"), st.integers(0, 99), _LEVELS)
    .map(lambda code: code.rstrip("."))
    .filter(lambda code: not holds_number_in_groups(code))
)
_FITTING = [
    AGENCIES,
    st.builds(
        "{}-{}-{}".format,
        AGENCIES,
        st.from_regex(r"(20)?[0-9]{6}", fullmatch=True),
        st.integers(0, 99_999_999),
    ),
    st.from_regex(r"[0-9]\.[0-9]{6}(\.H[0-9]{2})?", fullmatch=True),
    st.from_regex(r"[0-9]{11,13}", fullmatch=True),
    st.from_regex(r"[0-9]{4}(-[0-9]{2}){0,2}", fullmatch=True),
    st.from_regex(r"[0-9]{8}", fullmatch=True),
    st.from_regex(
        r"(2026-Q[0-5])|([12][0-9]{3}-[01][0-9]-[0-3][0-9](\.\.|,)2026-1[0-2]-[0-3][0-9])",
        fullmatch=True,
    ),
    st.from_regex(r'(W/)?"[0-9]{0,20}"', fullmatch=True),
    st.dates().map(str),
    st.datetimes().map(str),
]


@st.composite
def _spoiled(draw: st.DrawFn) -> str:
    """One character put in, taken out or replaced."""
    text = draw(st.one_of(_FITTING))
    at = draw(st.integers(0, len(text)))
    put = draw(st.sampled_from(["", " ", "\n", "\x00", "-", ".", "0", "٣", "Ａ", "\ud800", "é"]))
    return text[:at] + put + text[at + draw(st.integers(0, 1)) :]


# Without lone halves of characters where the text is to be encoded: HTTP and JSON carry none.
NEARLY = st.one_of(st.one_of(_FITTING), _spoiled(), st.text(max_size=60)).filter(
    lambda text: "\ud800" not in text
)
VIETNAMESE = st.one_of(
    st.text(
        alphabet=st.sampled_from(
            "aăâeêioôơuưyđðĐ hHnqtgĂÂ\u0300\u0301\u0303\u0309\u0323\u0302\u031b'’ʼ"
        ),
        max_size=20,
    ),
    st.text(max_size=30),
)
# One tone for each, on any of its vowels.
SYLLABLES = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["Ng", "Đ", "h", "Qu", "", "ð"]),
    st.sampled_from(["a", "ă", "Â", "oa", "ươ", "uy", "iê", "e"]),
    st.sampled_from(["", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323"]),
    st.sampled_from(["", "i", "y", "n", "ng"]),
    st.sampled_from(["", "'", "\u200b"]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)
