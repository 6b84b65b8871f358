"""A check of imported procedures against the text of their source.

It shares no code with the reading: it walks through the source by the words of the import and
accounts for each character of the papers and for each number that may be a count, a term or a fee.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from dossier_service.catalogue.portal_import.checking_words import (
    is_frame,
    is_grouped,
    list_amounts_in,
    list_counts_in,
    list_times_in,
    read_number,
    read_unit,
    states_count,
)
from dossier_service.catalogue.portal_import.faults import TextFault
from dossier_service.catalogue.portal_import.reader import Readable, read_published
from dossier_service.catalogue.procedure import Paper, Procedure, ProcedureChannel

_CUT = {
    "documents_text": (3_000, TextFault.PAPERS_CUT),
    "result_text": (600, TextFault.RESULTS_CUT),
    "conditions_text": (1_000, TextFault.CONDITIONS_CUT),
}
_COPIED_FIELDS = ("name", "sector", "competent", "cooperating", "kind", "conditions_text", "source")
_CURRENCIES = ("Việt Nam Đồng", "VNĐ")
_TWO_DIGITS, _SMALLEST_AMOUNT, _GREATEST_AMOUNT = 10, 1_000, 10**12
_NO_TERM = {TextFault.DURATION_NOT_STATED, TextFault.DURATION_UNCLEAR}
_BARE_TERM = {TextFault.DURATION_WITHOUT_UNIT, TextFault.DURATION_RUNS_INTO_FEE}
_MAX_PRINTED = 20


class EntryDifference(BaseModel):
    """A difference between the import of a procedure and its source that no fault explains."""

    code: str
    at: str
    problem: str


class CheckReport(BaseModel):
    """`counted` are the parts that were compared, `flagged` the procedures by kind of fault."""

    counted: Counter[str] = Counter()
    flagged: Counter[TextFault] = Counter()
    unexplained: list[EntryDifference] = []

    def __str__(self) -> str:
        lines = [f"{count:>7}  {name}" for name, count in self.counted.items()]
        lines += [f"{count:>7}  flagged {fault}" for fault, count in self.flagged.most_common()]
        lines.append(f"{len(self.unexplained):>7}  unexplained")
        lines += [
            f"  {difference.code} {difference.at}: {difference.problem}"
            for difference in self._first_findings()
        ]
        return "\n".join(lines)

    def _first_findings(self) -> list[EntryDifference]:
        return self.unexplained[:_MAX_PRINTED]


class _Check:
    """The comparison of one procedure with the line that it was read from."""

    def __init__(self, source: Mapping[str, Any], entry: Readable, counted: Counter[str]) -> None:
        self.source = source
        self.procedure: Procedure = entry.procedure
        self.faults = entry.faults
        self.counted = counted
        self.findings: list[EntryDifference] = []

    def compare_all(self) -> None:
        self.counted["procedures"] += 1
        if {*self.procedure.faults} != {*self.faults}:
            self._report_difference("faults", "the entry does not carry its faults")
        for name in _COPIED_FIELDS:
            if getattr(self.procedure, name).strip() != self.source[name].strip():
                self._report_difference(name, "it differs from the source")
        for name, (length, fault) in _CUT.items():
            if len(self.source[name]) == length:
                self._require_flag(name, {fault}, "the source may be cut")
        self._compare_papers()
        self._compare_results()
        self._compare_channels()

    def _report_difference(self, at: str, problem: str) -> None:
        self.findings.append(EntryDifference(code=self.procedure.code, at=at, problem=problem))

    def _require_flag(self, at: str, faults: set[TextFault], problem: str) -> None:
        """Report the problem unless one of the faults flags it."""
        if not faults & self.faults:
            self._report_difference(at, f"{problem}, and is not flagged")

    def _compare_papers(self) -> None:
        text: str = self.source["documents_text"]
        if not self.procedure.papers:
            self._require_flag("papers", {TextFault.PAPERS_UNREADABLE}, "no paper was read")
            if self.procedure.papers_text not in text:
                self._report_difference("papers", "the text that was kept is not the source's")
            return
        cursor = 0
        previous: Paper | None = None
        for paper in self.procedure.papers:
            self.counted["papers"] += 1
            is_first = previous is None or previous.case != paper.case
            previous = paper
            at = text.find(paper.name, cursor)
            # The heading of a table may hold the name of its paper.
            while at >= 0 and not is_frame(text[cursor:at], paper.case, has_head=is_first):
                at = text.find(paper.name, at + 1)
            if at < 0:
                self._report_difference(paper.code, "text before this paper was left out")
            cursor = self._compare_count(text, max(at, cursor) + len(paper.name), paper)
            if states_count(paper.name) or states_count(paper.case or ""):
                self._require_flag(
                    paper.code, {TextFault.COUNT_WITHIN_PAPER}, "its words state a number"
                )
        if not is_frame(text[cursor:], None):
            self._report_difference("papers", "text behind the last paper was left out")
        words = [part for paper in self.procedure.papers for part in (paper.name, paper.case or "")]
        # A heading is the case of each paper of its table, and stands in the text once.
        if list_counts_in(text) > sum(map(list_counts_in, words)) + len(self.procedure.papers):
            self._report_difference("papers", "a count of the source is in no paper")

    def _compare_count(self, text: str, cursor: int, paper: Paper) -> int:
        """Compare the count behind a name, and return where it ends."""
        if paper.originals is None:
            unread = {TextFault.COUNT_UNCLEAR, TextFault.PAPERS_CUT, TextFault.PAPER_WITHOUT_COUNT}
            self._require_flag(paper.code, unread, "its count was left unread")
            self.counted["counts left unread"] += 1
            return cursor + (len(" bản chính") if text.startswith(" bản chính", cursor) else 0)
        self.counted["counts"] += 1
        while text[cursor : cursor + 1].isspace():
            cursor += 1
        has_zero = text.startswith("0", cursor) and text[cursor + 1 : cursor + 2].isdigit()
        if has_zero:
            self._require_flag(
                paper.code, {TextFault.PAPER_END_UNCLEAR}, "its count begins with a zero"
            )
            cursor += 1
        copies = f",{paper.copies} bản sao" if paper.copies else ""
        stated = f"{paper.originals} bản chính{copies}"
        if not text.startswith(stated, cursor):
            self._report_difference(
                paper.code, f"the source does not state {stated!r} behind its name"
            )
        if text[cursor - 1].isdigit() and not has_zero:
            self._require_flag(
                paper.code, {TextFault.COUNT_RUNS_INTO_NUMBER}, "its count touches a digit"
            )
            if paper.originals >= _TWO_DIGITS:
                self._report_difference(paper.code, "its count of two digits touches a digit")
        cursor += len(stated)
        behind = text[cursor:].lstrip()
        if behind and (text[cursor].isspace() or behind[0] in ",.;:)"):
            self._require_flag(paper.code, {TextFault.PAPER_END_UNCLEAR}, "its count ends no paper")
        return cursor

    def _compare_results(self) -> None:
        text: str = self.source["result_text"]
        cursor = 0
        for result in self.procedure.results:
            self.counted["results"] += 1
            parts = [result.name] if result.name != result.code else []
            parts += ["Mã:", result.code] if result.code else []
            for part in parts:
                at = text.find(part, cursor)
                if at < 0 or text[cursor:at].strip(" .;-+\t\n"):
                    self._report_difference("results", f"{part!r} does not follow in the source")
                cursor = max(at, cursor) + len(part)
        if text[cursor:].strip(" .;-+\t\n"):
            self._report_difference("results", "text behind the last result was left out")
        codes = {result.code for result in self.procedure.results if result.code}
        if codes != {*self.source["result_codes"]}:
            self._require_flag("results", {TextFault.RESULT_CODES_DIFFER}, "text and list differ")
        if {*self.source["result_codes"]} - {*self.procedure.result_codes}:
            self._require_flag("results", {TextFault.RESULT_CODE_MALFORMED}, "a code was left out")

    def _compare_channels(self) -> None:
        ways = self.source["channels"]
        entries = self.procedure.channels
        if [(way["channel"], way["text"]) for way in ways] != [
            (entry.channel.label, entry.text) for entry in entries
        ]:
            self._report_difference("channels", "they are not those of the source")
            return
        if any(len(way["text"]) == 600 for way in ways):  # noqa: PLR2004 -- length of the file's cut
            self._require_flag("channels", {TextFault.CHANNEL_TEXT_CUT}, "the source may be cut")
        stated: dict[int, set[int]] = {}
        for place, (entry, way) in enumerate(zip(entries, ways, strict=True), start=1):
            self.counted["channels"] += 1
            words = self._compare_term(f"channel entry {place}", entry, way)
            is_bare = words[:1].isdigit() and words == way["text"].strip()
            amount = self._compare_fee(f"channel entry {place}", entry, words, is_bare=is_bare)
            stated.setdefault(entry.channel, set()).update({amount} if amount else ())
        self._compare_cases()
        for fee in self.procedure.fees:
            self.counted["fees"] += 1
            of_channels = [stated[fee.channel]] if fee.channel else list(stated.values())
            if not all(fee.amount_vnd in amounts for amounts in of_channels):
                self._report_difference(fee.code, "the source states no such amount there")

    def _compare_term(self, at: str, entry: ProcedureChannel, way: Mapping[str, Any]) -> str:
        """Compare the term, and return the text behind it."""
        number, rest = read_number(way["text"].strip())
        unit, rest = read_unit(rest) if number is not None else (None, rest)
        if entry.duration is not None and entry.unit is not None:
            self.counted["terms"] += 1
            divisor = 8 if unit == "working_day" and entry.unit.value == "hour" else 1
            if number is None or entry.duration != number * divisor:
                self._report_difference(at, "the source states another duration")
            if divisor == 1 and unit != entry.unit.value:
                self._report_difference(at, "the source states another unit")
            if number is not None and way["duration"] != int(number):
                self._report_difference(at, "the source gives another duration as a number")
        else:
            self.counted["terms left unread"] += 1
            faults = _NO_TERM if unit or number is None else _BARE_TERM
            self._require_flag(at, faults, "its term was left unread")
        return rest if unit or number is None else way["text"].strip()

    def _compare_fee(
        self, at: str, entry: ProcedureChannel, words: str, *, is_bare: bool
    ) -> int | None:
        """Compare the amount at the head of `words` with the fees, and return it.

        It `is_bare` where a duration without a unit may run into it.
        """
        words = words.removeprefix("Không có thông tin").lstrip()
        number, rest = read_number(words, thousands=True)
        currency = rest.lstrip().startswith
        is_amount = number is not None and currency((*_CURRENCIES, "USD"))
        amount = int(number) if number is not None and is_amount else None
        fees = {
            fee.amount_vnd for fee in self.procedure.fees if fee.channel in (None, entry.channel)
        }
        if is_amount and currency("USD"):
            self._require_flag(at, {TextFault.FEE_IN_FOREIGN_CURRENCY}, "its fee is in dollars")
        elif is_amount and (is_bare or not is_grouped(words)):
            self._require_flag(at, {TextFault.FEE_UNCLEAR}, "its amount can be read in two ways")
        elif amount is not None and amount not in fees:
            if _SMALLEST_AMOUNT <= amount < _GREATEST_AMOUNT:
                self._report_difference(at, f"the amount {amount} is no fee")
            self._require_flag(at, {TextFault.FEE_UNCLEAR}, f"the amount {amount} is no fee")
        behind = rest if is_amount else words
        if list_times_in(behind):
            self._require_flag(at, {TextFault.TERM_IN_DESCRIPTION}, "its words state a time")
        if list_amounts_in(behind) - {amount}:
            self._require_flag(
                at, {TextFault.AMOUNT_IN_DESCRIPTION}, "its words state another amount"
            )
        return amount

    def _compare_cases(self) -> None:
        for channel in {entry.channel for entry in self.procedure.channels}:
            entries = [entry for entry in self.procedure.channels if entry.channel is channel]
            differ = len({(entry.duration, entry.unit) for entry in entries}) > 1
            if differ != all(entry.case_code for entry in entries):
                self._report_difference(
                    f"channel {channel.value}", "its terms and its cases do not agree"
                )
            if differ:
                self.counted["terms by case"] += len(entries)
                self._require_flag(
                    "channels", {TextFault.DURATION_DIFFERS_BY_CASE}, "its terms differ"
                )


def check_published(lines: Iterable[bytes]) -> CheckReport:
    """Compare each line of a published file with the procedure that is read from it."""
    report = CheckReport()
    pending: list[bytes] = []

    def keep_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            pending.append(line)
            yield line

    for entry in read_published(keep_lines(lines)):
        line = pending.pop()
        if not isinstance(entry, Readable):
            report.counted["refused"] += 1
            continue
        source = json.loads(unicodedata.normalize("NFC", line.decode()))
        check = _Check(source, entry, report.counted)
        check.compare_all()
        report.flagged.update(entry.faults)
        report.unexplained += check.findings
    return report
