"""Numbers in published words, found by plain scanning."""

from decimal import Decimal

_TABLE_HEAD = "Tên giấy tờMẫu đơn, tờ khaiSố lượng"
# The longest first: "Ngày làm việc" begins with "Ngày".
_UNITS = {"Ngày làm việc": "working_day", "Ngày": "day", "Giờ": "hour", "Tháng": "month"}
_TIMES = ("giờ", "ngày", "tháng")
_CURRENCIES = ("đồng", "vnđ", "usd", "đ")


def is_frame(text: str, case: str | None, *, has_head: bool = False) -> bool:
    """Return whether the text holds nothing but heads of tables and the heading `case`.

    With `has_head` it must hold a head, and the heading before it.
    """
    if has_head and not (_TABLE_HEAD in text and (case or "") in text.split(_TABLE_HEAD)[-2]):
        return False
    rest = text.replace(case, "", 1) if case else text
    return not rest.replace(_TABLE_HEAD, "").strip(" -*:\t\n\xa0")


def list_counts_in(text: str) -> int:
    """Return how many numbers of originals the text states."""
    return len(_list_numbers_before(text, "bản chính"))


def states_count(text: str) -> bool:
    """Return whether the text states a number of originals or copies."""
    return any(_list_numbers_before(text, unit) for unit in ("bản chính", "bản sao", "bản chụp"))


def list_times_in(text: str) -> bool:
    return any(_list_numbers_before(text.lower(), unit) for unit in _TIMES)


def list_amounts_in(text: str) -> set[int]:
    amounts: set[int] = set()
    words = text.lower()
    for unit in _CURRENCIES:
        amounts.update(
            int(number) for number in _list_numbers_before(words, unit, whole_word=unit == "đ")
        )
    return amounts


def _list_numbers_before(text: str, unit: str, *, whole_word: bool = False) -> list[str]:
    """Return the numbers directly before each occurrence of the unit, without separators."""
    numbers: list[str] = []
    at = text.find(unit)
    while at >= 0:
        end = at - 1 if text[at - 1 : at] == " " else at
        begin = end
        while begin > 0 and text[begin - 1] in "0123456789.,":
            begin -= 1
        behind = text[at + len(unit) : at + len(unit) + 1]
        is_word = not whole_word or not (behind.isalnum() or behind == "_")
        if digits := text[begin:end].replace(".", "").replace(",", ""):
            numbers += [digits] if text[end - 1].isdigit() and is_word else []
        at = text.find(unit, at + len(unit))
    return numbers


def read_number(text: str, *, thousands: bool = False) -> tuple[Decimal | None, str]:
    """Return the number at the head of the text, and the rest."""
    end = 0
    while end < len(text) and text[end] in "0123456789.,":
        end += 1
    number = text[:end].replace(",", "" if thousands else ".")
    number = number.replace(".", "") if thousands else number
    if not number or number.count(".") > 1 or not number.replace(".", ""):
        return None, text
    return Decimal(number), text[end:]


def is_grouped(text: str) -> bool:
    """Return whether the number at the head of the text is plain, or has groups of three digits."""
    end = 0
    while end < len(text) and text[end] in "0123456789.,":
        end += 1
    first, *groups = text[:end].replace(".", ",").split(",")
    most = 3 if groups else end
    return 1 <= len(first) <= most and all(len(group) == 3 for group in groups)  # noqa: PLR2004 -- a group


def read_unit(text: str) -> tuple[str | None, str]:
    """Return the unit of time at the head of the text, and the rest."""
    words = text.lstrip()
    for label, unit in _UNITS.items():
        if words.startswith(label):
            return unit, words[len(label) :]
    return None, text
