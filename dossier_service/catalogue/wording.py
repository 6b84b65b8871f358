"""Reading the wording of published procedures, whose words the portal runs together.

A text is read only where it can be read in one way; everything else is told as a warning.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from dossier_service.catalogue.procedure import Fee, Paper
from shared.deadlines import Unit
from shared.events.codes import Channel

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
_NO_TERM = re.compile(
    r"Không có thông tin|Không phải trả kết quả cho người nộp thuế|Không quy định"
)
_BARE_NUMBER = re.compile(r"([0-9]+)(?=Miễn phí|Không có thông tin)")
_NUMBER = re.compile(r"[0-9]")
_FREE = re.compile(r"\s*Miễn phí")
_AMOUNT = re.compile(r"([0-9]{1,3}(?:[,.][0-9]{3})+|[0-9]+) (Việt Nam Đồng|VNĐ|USD)")
_NAMES_A_FEE = re.compile(
    r"[0-9] ?(?:đồng|đ\b|vnđ|usd|%)|hội đồng nhân dân|ủy ban nhân dân|thông tư|theo quy định",
    re.IGNORECASE,
)
_PAPERS_HEAD = re.compile(r"Tên giấy tờMẫu đơn, tờ khaiSố lượng")
# A count closes a paper only where the next paper, or nothing, follows at once.
_PAPER_END = re.compile(
    r"(?:(?P<originals>0|[1-9][0-9]?) bản chính(?:,(?P<with_copies>[0-9]+) bản (?:sao|chụp))?"
    r"|(?P<copies>0|[1-9][0-9]?) bản (?:sao|chụp))(?![ ,.;:)])"
)


class Fault(StrEnum):
    """What of a published procedure could not be taken over as it stands."""

    OWNER_WITHOUT_CODE = "owner_without_code"
    SUBJECTS_MENDED = "subjects_mended"
    NO_CHANNELS = "no_channels"
    DURATION_NOT_STATED = "duration_not_stated"
    DURATION_WITHOUT_UNIT = "duration_without_unit"
    DURATION_RUNS_INTO_FEE = "duration_runs_into_fee"
    DURATION_UNCLEAR = "duration_unclear"
    FEE_NOT_STATED = "fee_not_stated"
    FEE_UNCLEAR = "fee_unclear"
    FEE_IN_FOREIGN_CURRENCY = "fee_in_foreign_currency"
    FREE_ONLY_IN_PART = "free_only_in_part"
    FEE_DIFFERS_BY_CASE = "fee_differs_by_case"
    PAPERS_UNREADABLE = "papers_unreadable"
    RESULT_CODE_MALFORMED = "result_code_malformed"


class Price(NamedTuple):
    """The fee of one published way: an amount, 0 for free, None where it could not be read."""

    channel: Channel
    amount_vnd: int | None
    note: str


class Reading(NamedTuple):
    duration: int | None
    unit: Unit | None
    amount_vnd: int | None
    note: str
    faults: tuple[Fault, ...]


def read_way(text: str) -> Reading:
    """One line of `channels`: term, fee and explanation without anything between them."""
    if term := _TERM.match(text):
        duration, unit = _duration(term[1], _UNITS[term[2]])
        faults = () if duration else (Fault.DURATION_UNCLEAR,)
        return _with_fee(text[term.end() :], duration, unit, faults)
    if absent := _NO_TERM.match(text):
        return _with_fee(text[absent.end() :], None, None, (Fault.DURATION_NOT_STATED,))
    if bare := _BARE_NUMBER.match(text):
        return _with_fee(text[bare.end() :], None, None, (Fault.DURATION_WITHOUT_UNIT,))
    if _NUMBER.match(text):
        # "1200 VNĐ" is 1 of no unit, then 200: where the one ends is not said.
        return Reading(None, None, None, "", (Fault.DURATION_RUNS_INTO_FEE, Fault.FEE_UNCLEAR))
    return _with_fee(text, None, None, (Fault.DURATION_UNCLEAR,))


def _duration(number: str, unit: Unit) -> tuple[int | None, Unit | None]:
    if len(number) > _TERM_DIGITS:
        return None, None
    amount = Decimal(number.replace(",", "."))
    if unit is Unit.WORKING_DAY and amount % 1:
        amount, unit = amount * _HOURS_A_WORKING_DAY, Unit.HOUR
    if amount % 1 or amount < 1:
        return None, None
    return int(amount), unit


def _with_fee(
    rest: str, duration: int | None, unit: Unit | None, faults: tuple[Fault, ...]
) -> Reading:
    if free := _FREE.match(rest):
        note = _note(rest[free.end() :])
        in_part = (Fault.FREE_ONLY_IN_PART,) if _NAMES_A_FEE.search(note) else ()
        return Reading(duration, unit, 0, note, (*faults, *in_part))
    if not (stated := _AMOUNT.match(rest)):
        return Reading(duration, unit, None, "", (*faults, Fault.FEE_NOT_STATED))
    note = _note(rest[stated.end() :])
    if stated[2] == "USD":
        return Reading(duration, unit, None, note, (*faults, Fault.FEE_IN_FOREIGN_CURRENCY))
    digits = re.sub(r"[,.]", "", stated[1])
    if len(digits) > _AMOUNT_DIGITS or (amount := int(digits)) < _SMALLEST_AMOUNT:
        return Reading(duration, unit, None, note, (*faults, Fault.FEE_UNCLEAR))
    return Reading(duration, unit, amount, note, faults)


def _note(rest: str) -> str:
    """The explanation in brackets that follows a fee at once."""
    if not rest.startswith("("):
        return ""
    depth = 0
    for position, character in enumerate(rest):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return rest[1:position].strip()
    return rest[1:].strip()


def fees_of(prices: Sequence[Price]) -> tuple[tuple[Fee, ...], tuple[Fault, ...]]:
    """The fees of a procedure from the prices of its ways.

    Several amounts for one channel are those of different cases, never a sum: each becomes a fee
    that is due only in its case. When a fee is paid is not published: before handling is assumed.
    """
    by_channel: dict[Channel | None, list[Price]] = {
        price.channel: _distinct(prices, price.channel) for price in prices
    }
    amounts = {frozenset(each.amount_vnd for each in found) for found in by_channel.values()}
    if len(amounts) == 1:
        by_channel = {None: next(iter(by_channel.values()))}  # the same for every channel
    drafts = [
        (channel, price, len(found) > 1)
        for channel, found in by_channel.items()
        for price in found
        if price.amount_vnd
    ]
    fees = tuple(
        _fee(number, channel, price, in_one_case=in_one_case)
        for number, (channel, price, in_one_case) in enumerate(drafts, start=1)
    )
    differs = any(in_one_case for _, _, in_one_case in drafts)
    return fees, ((Fault.FEE_DIFFERS_BY_CASE,) if differs else ())


def _distinct(prices: Sequence[Price], channel: Channel) -> list[Price]:
    found = {price.amount_vnd: price for price in reversed(prices) if price.channel is channel}
    return list(reversed(found.values()))


def _fee(number: int, channel: Channel | None, price: Price, *, in_one_case: bool) -> Fee:
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


def papers_of(documents: str) -> tuple[Paper, ...]:
    """The papers of `documents_text`; empty where none could be told from another."""
    heading, *tables = _PAPERS_HEAD.split(documents)
    papers: list[Paper] = []
    for table in tables:
        end = 0
        for counted in _PAPER_END.finditer(table):
            if name := table[end : counted.start()].strip():
                papers.append(_paper(len(papers) + 1, name, heading, counted))
            end = counted.end()
        # What follows the last count is the heading of the next table.
        heading = table[end:]
    return tuple(papers)


def _paper(number: int, name: str, heading: str, counted: re.Match[str]) -> Paper:
    case = heading.strip(" -*:")
    return Paper(
        code=f"TP{number:02d}",
        name=name,
        originals=int(counted["originals"] or 0),
        copies=int(counted["copies"] or counted["with_copies"] or 0),
        case=case or None,
    )


def mended_subjects(parts: Sequence[str]) -> tuple[str, ...]:
    """Subjects that were cut at their inner commas, put together again.

    "Tổ chức (không bao gồm doanh nghiệp", "HTX)" is one; so is "Cán bộ", "công chức", "viên chức".
    """
    return tuple(_joined(parts))


def _joined(parts: Sequence[str]) -> Iterator[str]:
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
