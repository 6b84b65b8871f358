"""Look people up by HTTP in a population service behind the national data platform (NDXP).

The request follows the published field list of that service (MaTichHop 037, look-up); the response
is a collection of citizen records. The list of errors is not published, so an unreadable response
counts as an outage. No content of a request or a response is logged.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import httpx
import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError, model_validator

from identity_service.persons.matching import Claim, Recorded, compare_claim
from identity_service.persons.result import VerificationResult
from identity_service.persons.sources.source import Finding, Inquiry
from identity_service.settings import Settings
from shared.codes.persons.birth_date import parse_birth_date
from shared.codes.persons.folding import fold_accented, fold_bare
from shared.codes.time import utc_now
from shared.web.http_client import open_client

log = structlog.get_logger()

LOOK_UP = "037"


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, read: Any) -> Any:
        if not isinstance(read, dict):
            return read
        return {name: value for name, value in read.items() if value is not None}


class _HoVaTen(_Read):
    Ho: str = ""
    ChuDem: str = ""
    Ten: str = ""


class _NgaySinh(_Read):
    Nam: str | None = None
    NgayThangNam: str | None = None

    @property
    def birth_date(self) -> str | None:
        """Return the date, else the year; None where the record has no possible one."""
        for written in (self.NgayThangNam, self.Nam):
            with suppress(ValueError):
                if written:
                    return parse_birth_date(written)
        return None


class _DiaChi(_Read):
    MaTinhThanh: str | None = None
    MaPhuongXa: str | None = None


class _CongDan(_Read):
    HoVaTen: _HoVaTen
    GioiTinh: int = 0
    NgayThangNamSinh: _NgaySinh = _NgaySinh()
    ThuongTru: _DiaChi = _DiaChi()

    def build_record(self) -> Recorded:
        name = f"{self.HoVaTen.Ho} {self.HoVaTen.ChuDem} {self.HoVaTen.Ten}"
        return Recorded(
            name_key=fold_accented(name),
            bare_name_key=fold_bare(name),
            birth_date=self.NgayThangNamSinh.birth_date,
            sex=self.GioiTinh,
            residence_province=self.ThuongTru.MaTinhThanh,
            residence_commune=self.ThuongTru.MaPhuongXa,
        )


class _RemoteResponse(_Read):
    """`KetQua` is the result that the service reports where a record cannot show it (a death)."""

    CongdanCollection: Sequence[_CongDan] = ()
    KetQua: VerificationResult | None = None
    ThoiDiem: AwareDatetime | None = None

    def build_finding(self, claim: Claim, received_at: datetime) -> Finding:
        as_of = self.ThoiDiem or received_at
        records = [record.build_record() for record in self.CongdanCollection]
        if not records:
            return Finding(as_of, reported=self.KetQua or VerificationResult.NOT_FOUND)
        if len(records) == 1:
            return Finding(as_of, records[0], self.KetQua)
        # A caller that knows one of the persons gets the result that there are several.
        known = (record for record in records if compare_claim(claim, record).knows_person)
        return Finding(as_of, next(known, records[0]), VerificationResult.AMBIGUOUS)


class RemoteSource:
    """`seconds` limits a look-up as a whole: the timeouts of `http` restart at each byte."""

    def __init__(self, http: httpx.AsyncClient, url: str, *, seconds: float) -> None:
        self._http, self._url, self._seconds = http, url, seconds

    async def look_up(self, inquiry: Inquiry) -> Finding:
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._http.post(self._url, json=_build_request(inquiry))
            response.raise_for_status()
            answer = _RemoteResponse.model_validate_json(response.content)
            return answer.build_finding(inquiry.claim, utc_now())
        except (TimeoutError, httpx.HTTPError, ValidationError, ValueError) as error:
            # Only the type is logged: the text of an error may repeat received data.
            log.warning("source_unavailable", error=type(error).__name__)
            return Finding(utc_now(), reported=VerificationResult.SOURCE_UNAVAILABLE)


def _build_request(inquiry: Inquiry) -> dict[str, str | None]:
    return {
        "MaYeuCau": inquiry.trace_id,
        "MaDVC": inquiry.purpose,
        "MaTichHop": LOOK_UP,
        "MaDonVi": inquiry.agency,
        "MaCanBo": inquiry.officer,
        "SoDinhDanh": inquiry.personal_number,
        "HoVaTen": (inquiry.claim.full_name or "").upper(),
        "NgayThangNamSinh": inquiry.claim.birth_date,
    }


@asynccontextmanager
async def open_remote(settings: Settings) -> AsyncIterator[RemoteSource]:
    if not settings.source_url:
        raise ValueError("SOURCE_URL is needed where SOURCE is `remote`")
    timeout = httpx.Timeout(settings.source_seconds, connect=min(1.0, settings.source_seconds))
    async with open_client(timeout=timeout) as http:
        if settings.source_client:
            http.headers["X-Road-Client"] = settings.source_client
        if settings.source_api_key:
            http.headers["ApiKey"] = settings.source_api_key.get_secret_value()
        yield RemoteSource(http, settings.source_url, seconds=settings.source_seconds)
