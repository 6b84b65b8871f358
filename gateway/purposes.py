"""The rule for X-Purpose: the code of a procedure in the catalogue, or of a registered legal basis.

The most specific entry of the catalogue decides: a localised code without an entry of its own
counts by its national one, if its agency is known or is the caller's own. The code of a procedure
that has ended stays good for a step of a dossier, because dossiers filed before are still
handled.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from prometheus_client import Counter, Gauge

from gateway.legal_bases import LegalBasis
from shared.agency_codes import canonical_agency_code
from shared.clock import VIET_NAM
from shared.events.codes import CodeError, is_within, national_code

PURPOSES_UNCHECKED = Counter(
    "purposes_unchecked_total", "Calls let in before the whole catalogue of procedures was known"
)
PROCEDURES_KNOWN = Gauge("procedures_known", "Procedures that a purpose may name here")


class PurposeKind(StrEnum):
    """The meaning of a purpose, as the access record keeps it."""

    PROCEDURE = "procedure"
    ENDED_PROCEDURE = "ended_procedure"
    LEGAL_BASIS = "legal_basis"
    ENDED_LEGAL_BASIS = "ended_legal_basis"
    # It has the form of a procedure code, and the catalogue has not been received whole.
    UNCHECKED = "unchecked"
    UNKNOWN = "unknown"


_ACCEPTED: Final = frozenset(
    {PurposeKind.PROCEDURE, PurposeKind.LEGAL_BASIS, PurposeKind.UNCHECKED}
)


class CatalogueIncompleteError(Exception):
    """Procedures that were announced are missing, so codes of procedures cannot be refused."""


class PurposeRegistry:
    """The purposes that a call may name, in memory.

    `complete` is false until as many procedures are known as were announced. Until then each code
    of the right form is accepted: a new mesh must not refuse all calls for the second in which its
    catalogue arrives. Once true it stays so.
    """

    def __init__(self, legal_bases: Mapping[str, LegalBasis]) -> None:
        self.complete = False
        self._procedures: Mapping[str, PurposeKind] = {}
        self._agencies: frozenset[str] = frozenset()
        self._legal_bases = {
            code: (_start_of(basis.valid_from), _end_of(basis.valid_to))
            for code, basis in legal_bases.items()
        }
        PROCEDURES_KNOWN.set_function(lambda: len(self._procedures))

    async def check_complete(self) -> None:
        if not self.complete:
            raise CatalogueIncompleteError

    def replace_procedures(self, active: Mapping[str, bool], *, announced: int) -> None:
        """Take the whole catalogue as received: `active` by code, `announced` of them in all."""
        self._procedures = {
            code: PurposeKind.PROCEDURE if is_active else PurposeKind.ENDED_PROCEDURE
            for code, is_active in active.items()
        }
        self.complete = self.complete or 0 < announced <= len(active)

    def replace_agencies(self, codes: Iterable[str]) -> None:
        """Take all agencies that are known. While there is none, each agency is accepted."""
        self._agencies = frozenset(codes)

    def add_agencies(self, of_clients: Iterable[str]) -> None:
        """Add the agencies of clients, and the highest agency above each."""
        if added := set(of_clients) - self._agencies:
            self._agencies |= added | {code.partition(".")[0] for code in added}

    def classify(self, purpose: str, *, now: float, agency: str | None = None) -> PurposeKind:
        """`now` is in Unix seconds, `agency` that of the caller."""
        return self._procedures.get(purpose) or self._classify_unlisted(purpose, now, agency)

    def _classify_unlisted(self, purpose: str, now: float, agency: str | None) -> PurposeKind:
        if validity := self._legal_bases.get(purpose):
            begins, ends = validity
            in_force = begins <= now < ends
            return PurposeKind.LEGAL_BASIS if in_force else PurposeKind.ENDED_LEGAL_BASIS
        if (national := _find_national_code(purpose)) is None:
            return PurposeKind.UNKNOWN
        unlisted = PurposeKind.UNKNOWN if self.complete else PurposeKind.UNCHECKED
        if national != purpose and not self._is_known(_agency_of(purpose), agency):
            return PurposeKind.UNKNOWN
        return self._procedures.get(national, unlisted)

    def _is_known(self, named: str, own: str | None) -> bool:
        if not self._agencies or named in self._agencies:
            return True
        return own is not None and (is_within(named, {own}) or is_within(own, {named}))


def is_accepted(kind: PurposeKind, *, continues_dossier: bool) -> bool:
    return kind in _ACCEPTED or (kind is PurposeKind.ENDED_PROCEDURE and continues_dossier)


def is_recordable(purpose: str, kind: PurposeKind) -> bool:
    """Return whether a record may hold the purpose: a text that is no code may name a person."""
    return kind is not PurposeKind.UNKNOWN or _find_national_code(purpose) is not None


@lru_cache(maxsize=4_096)
def _find_national_code(purpose: str) -> str | None:
    try:
        return national_code(purpose)
    except CodeError:
        return None


@lru_cache(maxsize=4_096)
def _agency_of(localised: str) -> str:
    """Return the agency that a localised procedure code names, in the form of QĐ 20."""
    return canonical_agency_code(localised.removeprefix(f"{national_code(localised)}."))


def _start_of(day: date) -> float:
    return datetime.combine(day, time(), VIET_NAM).timestamp()


def _end_of(last_day: date | None) -> float:
    return math.inf if last_day is None else _start_of(last_day + timedelta(days=1))
