"""Keep the agencies that the registry announced in memory: every filing names up to three."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.agencies.models import Agency

FRESH_S = 30.0
UNKNOWN_S = 1.0

_ALL = select(Agency.code, Agency.valid_from, Agency.valid_to, Agency.successor)


@dataclass(frozen=True, slots=True)
class AgencyTerm:
    """The term of an agency: its first day, its last day, and the agency that continues it."""

    valid_from: date
    valid_to: date | None
    successor: str | None


class AgencyCache:
    """Reads all agencies again after `FRESH_S`, and sooner where it lacks a code."""

    def __init__(self) -> None:
        self._terms: Mapping[str, AgencyTerm] = {}
        self._read_at = float("-inf")

    async def read_terms(
        self, session: AsyncSession, codes: Collection[str]
    ) -> Mapping[str, AgencyTerm]:
        """Return the terms of all agencies; none until the registry has announced the first."""
        is_known = all(code in self._terms for code in codes)
        if time.monotonic() - self._read_at > (FRESH_S if is_known else UNKNOWN_S):
            self._terms = {
                code: AgencyTerm(valid_from, valid_to, successor)
                for code, valid_from, valid_to, successor in await session.execute(_ALL)
            }
            self._read_at = time.monotonic()
        return self._terms
