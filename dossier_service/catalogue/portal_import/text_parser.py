"""Read the wording of published procedures, whose words the portal runs together.

A text is read only where it can be read in one way; everything else becomes a fault.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from dossier_service.catalogue.portal_import.faults import TextFault
from dossier_service.catalogue.procedure import Fee, Result
from shared.codes.enums import Channel
from shared.rules.deadlines import Unit

_UNITS = {
    "Ngày làm việc": Unit.WORKING_DAY,
    "Ngày": Unit.DAY,
    "Giờ": Unit.HOUR,
    "Tháng": Unit.MONTH,
}
_HOURS_A_WORKING_DAY = 8
# Below this an "amount in đồng" is one in thousands, or the tail of another number.
_SMALLEST_AMOUNT = 1000
# No term is of more digits, and no fee: the number ran into another one.
_TERM_DIGITS, _AMOUNT_DIGITS = 4, 12

_TERM = re.compile(rf"([0-9]+(?:[.,][0-9]+)?) ?({'|'.join(_UNITS)})")
_NOT_STATED = "Không có thông tin"
_SEPARATOR = re.compile(r"[,.]")
_THOUSANDS = re.compile(r"[0-9]+[.,][0-9]{3}")
_NO_TERM = re.compile(
    r"Không có thông tin|Không phải trả kết quả cho người nộp thuế|Không quy định"
)
_BARE_NUMBER = re.compile(r"([0-9]+)(?=Miễn phí|Không có thông tin)")
_NUMBER = re.compile(r"[0-9]")
_FREE = re.compile(r"\s*Miễn phí")
_AMOUNT = re.compile(r"([0-9]{1,3}(?:[,.][0-9]{3})+|[0-9]+) (Việt Nam Đồng|VNĐ|USD)")
_MALFORMED_AMOUNT = re.compile(r"[0-9][0-9.,]* ?(?:Việt Nam Đồng|VNĐ|USD)")
_NAMES_A_FEE = re.compile(
    r"[0-9] ?(?:đồng|đ\b|vnđ|usd|%)|hội đồng nhân dân|ủy ban nhân dân|thông tư|theo quy định",
    re.IGNORECASE,
)
_TIME_IN_WORDS = re.compile(r"[0-9] ?(?:giờ|ngày|tháng)", re.IGNORECASE)
_AMOUNT_IN_WORDS = re.compile(r"([0-9]+(?:[.,][0-9]{3})*) ?(?:đồng|đ\b|vnđ|usd)", re.IGNORECASE)
_BETWEEN_RESULTS = " .;-+\t\n"
_RESULT_CODE = re.compile(r"Mã: ?([A-Z0-9][A-Z0-9._-]*[0-9]|[A-Z]{2,})")


class Price(NamedTuple):
    """The fee of one published way: an amount, 0 for free, None where it could not be read."""

    channel: Channel
    amount_vnd: int | None
    note: str


class Reading(NamedTuple):
    duration: int | None
    unit: Unit | None
    amount_vnd: int | None
    # the explanation in brackets that follows a fee at once
    note: str = ""
    # all words behind term and fee, in which the case of a term stands
    explanation: str = ""
    faults: tuple[TextFault, ...] = ()


def read_channel_text(text: str) -> Reading:
    """Return term, fee and explanation of one line of `channels`, which runs them together."""
    if term := _TERM.match(text):
        duration, unit = _read_duration(term[1], _UNITS[term[2]])
        faults = () if duration else (TextFault.DURATION_UNCLEAR,)
        return _read_fee(text[term.end() :], duration, unit, faults)
    if absent := _NO_TERM.match(text):
        return _read_fee(text[absent.end() :], None, None, (TextFault.DURATION_NOT_STATED,))
    if bare := _BARE_NUMBER.match(text):
        return _read_fee(text[bare.end() :], None, None, (TextFault.DURATION_WITHOUT_UNIT,))
    if _NUMBER.match(text):
        # "1200 VNĐ" is 1 of no unit, then 200: where the one ends is not said.
        unclear = (TextFault.DURATION_RUNS_INTO_FEE, TextFault.FEE_UNCLEAR)
        malformed = _MALFORMED_AMOUNT.match(text)
        words = text[malformed.end() :] if malformed else text
        return _read_words_behind(words, Reading(None, None, None, faults=unclear))._replace(
            note=""
        )
    return _read_fee(text, None, None, (TextFault.DURATION_UNCLEAR,))


def _read_duration(number: str, unit: Unit) -> tuple[int | None, Unit | None]:
    # "1.500" is fifteen hundred or one and a half.
    if len(number) > _TERM_DIGITS or _THOUSANDS.fullmatch(number):
        return None, None
    amount = Decimal(number.replace(",", "."))
    if unit is Unit.WORKING_DAY and amount % 1:
        amount, unit = amount * _HOURS_A_WORKING_DAY, Unit.HOUR
    if amount % 1 or amount < 1:
        return None, None
    return int(amount), unit


def _read_fee(
    rest: str, duration: int | None, unit: Unit | None, faults: tuple[TextFault, ...]
) -> Reading:
    if free := _FREE.match(rest):
        words = rest[free.end() :]
        in_part = (
            (TextFault.FREE_ONLY_IN_PART,)
            if _NAMES_A_FEE.search(_read_bracketed_note(words))
            else ()
        )
        return _read_words_behind(words, Reading(duration, unit, 0, faults=(*faults, *in_part)))
    if not (stated := _AMOUNT.match(rest)):
        malformed = _MALFORMED_AMOUNT.match(rest)
        fault = TextFault.FEE_UNCLEAR if malformed else TextFault.FEE_NOT_STATED
        words = rest[malformed.end() :] if malformed else rest.removeprefix(_NOT_STATED)
        return _read_words_behind(words, Reading(duration, unit, None, faults=(*faults, fault)))
    amount: int | None = int(_SEPARATOR.sub("", stated[1]))
    fee_faults: tuple[TextFault, ...] = ()
    if stated[2] == "USD":
        amount, fee_faults = None, (TextFault.FEE_IN_FOREIGN_CURRENCY,)
    elif amount is not None and not _SMALLEST_AMOUNT <= amount < 10**_AMOUNT_DIGITS:
        amount, fee_faults = None, (TextFault.FEE_UNCLEAR,)
    reading = Reading(duration, unit, amount, faults=(*faults, *fee_faults))
    return _read_words_behind(rest[stated.end() :], reading)


def _read_words_behind(words: str, reading: Reading) -> Reading:
    """Return the reading with the words behind term and fee, and the faults that they show."""
    faults = list(reading.faults)
    if _TIME_IN_WORDS.search(words):
        faults.append(TextFault.TERM_IN_DESCRIPTION)
    amounts = {int(_SEPARATOR.sub("", match[1])) for match in _AMOUNT_IN_WORDS.finditer(words)}
    if amounts - {reading.amount_vnd}:
        faults.append(TextFault.AMOUNT_IN_DESCRIPTION)
    return reading._replace(
        note=_read_bracketed_note(words), explanation=words.strip(), faults=tuple(faults)
    )


def _read_bracketed_note(rest: str) -> str:
    """Return the explanation in brackets that follows a fee at once."""
    if not rest.startswith("("):
        return ""
    depth = 0
    for position, character in enumerate(rest):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return rest[1:position].strip()
    return rest[1:].strip()


def make_fees(prices: Sequence[Price]) -> tuple[tuple[Fee, ...], tuple[TextFault, ...]]:
    """Return the fees of a procedure from the prices of its ways.

    Several amounts for one channel are those of different cases, never a sum: each becomes a fee
    that is due only in its case. When a fee is paid is not published: before handling is assumed.
    """
    by_channel: dict[Channel | None, list[Price]] = {
        price.channel: _list_distinct_prices(prices, price.channel) for price in prices
    }
    amounts = {
        frozenset(price.amount_vnd for price in channel_prices)
        for channel_prices in by_channel.values()
    }
    if len(amounts) == 1:
        by_channel = {None: next(iter(by_channel.values()))}  # the same for every channel
    drafts = [
        (channel, price, len(channel_prices) > 1)
        for channel, channel_prices in by_channel.items()
        for price in channel_prices
        if price.amount_vnd
    ]
    fees = tuple(
        _make_fee(number, channel, price, in_one_case=in_one_case)
        for number, (channel, price, in_one_case) in enumerate(drafts, start=1)
    )
    differs = any(in_one_case for _, _, in_one_case in drafts)
    return fees, ((TextFault.FEE_DIFFERS_BY_CASE,) if differs else ())


def _list_distinct_prices(prices: Sequence[Price], channel: Channel) -> list[Price]:
    by_amount = {price.amount_vnd: price for price in reversed(prices) if price.channel is channel}
    return list(reversed(by_amount.values()))


def _make_fee(number: int, channel: Channel | None, price: Price, *, in_one_case: bool) -> Fee:
    assert price.amount_vnd is not None
    is_levy = "lệ phí" in price.note.lower()
    return Fee(
        code=f"PL{number:02d}",
        name="Lệ phí" if is_levy else "Phí",
        amount_vnd=price.amount_vnd,
        when="before",
        kind="levy" if is_levy else "charge",
        channel=channel,
        case=(price.note or f"Mức {number}") if in_one_case else None,
    )


def read_results(text: str) -> tuple[Result, ...]:
    """Return the results of `result_text`: names, each followed by "Mã: " and its code."""
    results: list[Result] = []
    end = 0
    for match in _RESULT_CODE.finditer(text):
        name = text[end : match.start()].strip(_BETWEEN_RESULTS)
        results.append(Result(code=match[1], name=name or match[1]))
        end = match.end()
    if rest := text[end:].strip(_BETWEEN_RESULTS):
        results.append(Result(name=rest))
    return tuple(results)


def mend_cut_subjects(parts: Sequence[str]) -> tuple[str, ...]:
    """Put together the subjects that were cut at their inner commas.

    "Tổ chức (không bao gồm doanh nghiệp", "HTX)" is one; so is "Cán bộ", "công chức", "viên chức".
    """
    return tuple(_join_cut_parts(parts))


def _join_cut_parts(parts: Sequence[str]) -> Iterator[str]:
    open_part = ""
    for part in parts:
        if open_part and (open_part.count("(") > open_part.count(")") or part[:1].islower()):
            open_part = f"{open_part}, {part}"
            continue
        if open_part:
            yield open_part
        open_part = part
    if open_part:
        yield open_part
