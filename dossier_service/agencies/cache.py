"""The agencies that the registry told of, in memory: every filing names up to three."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.agencies.models import Agency

FRESH_SECONDS = 30.0
UNKNOWN_SECONDS = 1.0

_ALL = select(Agency.code, Agency.valid_from, Agency.valid_to, Agency.successor)


@dataclass(frozen=True, slots=True)
class AgencyTerm:
    """`valid_from` is its first day, `valid_to` its last; `successor` continues it."""

    valid_from: date
    valid_to: date | None
    successor: str | None


class AgencyCache:
    """Read as a whole after `FRESH_SECONDS`, and sooner where a code is not in it."""

    def __init__(self) -> None:
        self._terms: Mapping[str, AgencyTerm] = {}
        self._read_at = float("-inf")

    async def read_terms(
        self, session: AsyncSession, codes: Collection[str]
    ) -> Mapping[str, AgencyTerm]:
        """Of all agencies; empty as long as the registry has told of none."""
        is_known = all(code in self._terms for code in codes)
        if time.monotonic() - self._read_at > (FRESH_SECONDS if is_known else UNKNOWN_SECONDS):
            self._terms = {
                code: AgencyTerm(valid_from, valid_to, successor)
                for code, valid_from, valid_to, successor in await session.execute(_ALL)
            }
            self._read_at = time.monotonic()
        return self._terms
