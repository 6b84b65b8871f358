"""Report on an import: every line is counted, and every unclear part is named."""

from collections.abc import Iterable, Iterator

from pydantic import BaseModel, ConfigDict

from dossier_service.catalogue.portal_import.faults import TextFault
from dossier_service.catalogue.portal_import.reader import Readable, Unreadable

_CODES_PRINTED = 5


class RefusedLine(BaseModel):
    model_config = ConfigDict(frozen=True)

    line: int
    code: str | None
    reasons: tuple[str, ...]


class ImportReport(BaseModel):
    """Counts the lines of a file; `faults` lists the codes of imported entries by their faults."""

    read: int = 0
    imported: int = 0
    with_faults: int = 0
    faults: dict[TextFault, list[str]] = {}
    refused: list[RefusedLine] = []

    def count_entry(self, entry: Readable | Unreadable) -> None:
        self.read += 1
        if isinstance(entry, Unreadable):
            refusal = RefusedLine(line=entry.line, code=entry.code, reasons=entry.reasons)
            self.refused.append(refusal)
            return
        self.imported += 1
        self.with_faults += bool(entry.faults)
        for fault in sorted(entry.faults):
            self.faults.setdefault(fault, []).append(entry.procedure.code)

    def __str__(self) -> str:
        return "\n".join(self._format_lines())

    def _format_lines(self) -> Iterator[str]:
        yield (
            f"{self.read} read: {self.imported} imported ({self.with_faults} of them with "
            f"faults), {len(self.refused)} refused"
        )
        for fault, codes in sorted(self.faults.items(), key=lambda item: -len(item[1])):
            more = ", ..." if len(codes) > _CODES_PRINTED else ""
            yield f"  {len(codes):>6}  {fault}: {', '.join(codes[:_CODES_PRINTED])}{more}"
        for refusal in self.refused:
            reasons = "; ".join(refusal.reasons)
            yield f"  line {refusal.line} ({refusal.code or 'no code'}): {reasons}"


def make_import_report(entries: Iterable[Readable | Unreadable]) -> ImportReport:
    report = ImportReport()
    for entry in entries:
        report.count_entry(entry)
    return report
