"""The report of a run as PDF/A, for acceptance: Vietnamese with English beside it."""

from datetime import datetime
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from deploy.conformance.report import Report, serialise_report
from shared.codes.time import VIET_NAM

_TEMPLATE = Path(__file__).with_name("data") / "report.typ"
# PDF/A-2b keeps for years: fonts are embedded, nothing is fetched.
_STANDARD: Final = "a-2b"


def is_pdf_possible() -> bool:
    """Return whether the package typst is installed, which the services do not need."""
    return find_spec("typst") is not None


def build_pdf(report: Report) -> bytes:
    """Return the PDF of the report, which names the SHA-256 of its JSON."""
    import typst  # noqa: PLC0415 -- an extra of the project

    content = serialise_report(report)
    values = {
        "report": content.decode(),
        "digest": sha256(content).hexdigest(),
        "began": _write_instant(report.began_at),
        "ended": _write_instant(report.ended_at),
    }
    return typst.compile(
        str(_TEMPLATE),
        format="pdf",
        sys_inputs=values,
        pdf_standards=_STANDARD,
        ignore_system_fonts=True,
        timestamp=int(report.ended_at.timestamp()),
    )


def _write_instant(moment: datetime) -> str:
    return f"{moment.astimezone(VIET_NAM):%d/%m/%Y %H:%M:%S} (UTC+7)"
