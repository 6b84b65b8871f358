"""Reading the papers of a published procedure out of a text without separators.

The portal writes each count directly behind the name of its paper: "Tờ khai1 bản chính,2 bản sao".
Its count of originals has one digit and no leading zero wherever it stands alone. "01 bản chính"
behind a space, and "bản chụp", are therefore words of the name.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from dossier_service.catalogue.portal_import.faults import TextFault
from dossier_service.catalogue.procedure import Paper

PAPERS_HEAD = "Tên giấy tờMẫu đơn, tờ khaiSố lượng"

_COUNT = re.compile(r"(?P<digits>[0-9]+) bản chính(?:,(?P<copies>[0-9]+) bản sao)?")
_COUNT_IN_WORDS = re.compile(r"[0-9] ?bản (?:chính|sao|chụp)")
_CLOSING = " \t\n\xa0,.;:)"
_FRAME = " -*:\t\n\xa0"
_ONE_DIGIT, _TWO_DIGITS = 1, 2


class ReadPapers(NamedTuple):
    papers: tuple[Paper, ...]
    faults: frozenset[TextFault]


class _Count(NamedTuple):
    """The count of one paper; `start` is the end of the paper's name."""

    start: int
    end: int
    originals: int | None
    copies: int
    faults: tuple[TextFault, ...]


def read_papers(documents: str, *, is_cut: bool = False) -> ReadPapers:
    """Return the papers of `documents_text`; none where the text holds no table of papers.

    Text behind the last count is a paper without a count: the end of a text that `is_cut`.
    """
    heading, *tables = documents.split(PAPERS_HEAD)
    papers: list[Paper] = []
    faults: set[TextFault] = {TextFault.PAPERS_CUT} if is_cut else set()
    for table in tables:
        case = heading.strip(_FRAME) or None
        end = 0
        for count in _list_counts(table):
            name = table[end : count.start].strip()
            papers.append(_make_paper(len(papers) + 1, name, case, count))
            faults |= {*count.faults}
            end = count.end
        # The heading of the next table follows the last count.
        heading = table[end:]
    if tables and (rest := heading.strip(_FRAME)):
        papers.append(_make_paper(len(papers) + 1, rest, case, None))
        faults |= set() if is_cut else {TextFault.PAPER_WITHOUT_COUNT}
    if any(_COUNT_IN_WORDS.search(f"{paper.name} {paper.case or ''}") for paper in papers):
        faults.add(TextFault.COUNT_WITHIN_PAPER)
    return ReadPapers(tuple(papers), frozenset(faults))


def _list_counts(table: str) -> Iterator[_Count]:
    end = 0
    for match in _COUNT.finditer(table):
        if count := _read_count(table, match, end):
            yield count
            end = count.end


def _read_count(table: str, match: re.Match[str], begin: int) -> _Count | None:
    """Return the count that closes the paper begun at `begin`, or None for words of its name."""
    if not table[begin : match.start("digits")].strip():
        return None
    digits, before = match["digits"], table[match.start() - 1]
    stands_apart = before.isspace() or before == "("
    has_leading_zero = len(digits) == _TWO_DIGITS and digits[0] == "0"
    is_in_words = stands_apart and (len(digits) == _ONE_DIGIT or has_leading_zero)
    goes_on = _is_continued(table, match.end())
    if goes_on or (stands_apart and goes_on is not None):
        return None
    if is_in_words and _COUNT.match(table, match.end()):
        return None
    is_unclear = is_in_words or goes_on is not None
    end_faults = (TextFault.PAPER_END_UNCLEAR,) if is_unclear else ()
    start, originals, count_faults = _read_originals(match, before, is_whole=has_leading_zero)
    copies = int(match["copies"] or 0)
    return _Count(start, match.end(), originals, copies, (*count_faults, *end_faults))


def _is_continued(table: str, end: int) -> bool | None:
    """Return whether the sentence goes on behind a count; None where the next paper follows."""
    rest = table[end:]
    behind = rest.lstrip(_CLOSING)
    if behind in (rest, ""):
        return None
    return behind[:1].islower()


def _read_originals(
    match: re.Match[str], before: str, *, is_whole: bool
) -> tuple[int, int | None, tuple[TextFault, ...]]:
    """Return the end of the name, the number of originals and the doubts about it."""
    digits = match["digits"]
    if len(digits) == _ONE_DIGIT or (is_whole and before in " ("):
        return match.start(), int(digits), ()
    may_be_whole = len(digits) == _TWO_DIGITS and digits[0] != "0"
    if may_be_whole and not before.isspace() and before not in "(/-":
        return match.end("digits"), None, (TextFault.COUNT_UNCLEAR,)
    return match.end("digits") - 1, int(digits[-1]), (TextFault.COUNT_RUNS_INTO_NUMBER,)


def _make_paper(number: int, name: str, case: str | None, count: _Count | None) -> Paper:
    return Paper(
        code=f"TP{number:02d}",
        name=name,
        originals=count.originals if count else None,
        copies=count.copies if count else None,
        case=case,
    )
