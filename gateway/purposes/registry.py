"""Decide whether X-Purpose is the code of a procedure or of a registered legal basis.

The most specific entry of the catalogue decides: a localised code without an entry of its own has
the state of the nearest agency above that has one, else of its national code, if its agency is
known or is the caller's own. The code of a procedure that has ended stays valid for a step of a
dossier, because dossiers filed before are still handled.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from prometheus_client import Counter, Gauge

from gateway.ledger.records import PurposeKind
from gateway.purposes.legal_bases import LegalBasis
from shared.codes.agency import CodeError, canonical_agency_code
from shared.codes.coverage import (
    canonical_code,
    canonical_codes,
    is_within,
    list_self_and_above,
)
from shared.codes.procedure import parse_national_code
from shared.codes.time import start_of_day_in_viet_nam

PURPOSES_UNCHECKED = Counter(
    "purposes_unchecked_total", "Calls accepted before the whole catalogue of procedures was known"
)
PROCEDURES_KNOWN = Gauge("procedures_known", "Procedures that a purpose may name here")

_ACCEPTED: Final = frozenset(
    {PurposeKind.PROCEDURE, PurposeKind.LEGAL_BASIS, PurposeKind.UNCHECKED}
)


class CatalogueIncompleteError(Exception):
    """Announced procedures are missing, so codes of procedures cannot be refused."""


class PurposeRegistry:
    """Hold the purposes that a call may name, in memory.

    `complete` is false until as many procedures are known as were announced, and stays true
    afterwards. Until then each well-formed code is accepted, because a new mesh must not refuse all
    calls while its catalogue arrives.
    """

    def __init__(self, legal_bases: Mapping[str, LegalBasis]) -> None:
        self.complete = False
        self._procedures: Mapping[str, PurposeKind] = {}
        self._agencies: frozenset[str] = frozenset()
        self._legal_bases = {
            code: (
                start_of_day_in_viet_nam(basis.valid_from).timestamp(),
                _end_of_day(basis.valid_to),
            )
            for code, basis in legal_bases.items()
        }
        PROCEDURES_KNOWN.set_function(lambda: len(self._procedures))

    async def check_complete(self) -> None:
        if not self.complete:
            raise CatalogueIncompleteError

    def replace_procedures(self, active: Mapping[str, bool], *, announced: int) -> None:
        """Replace the catalogue by `active`, the state by code; `announced` is its full size.

        A procedure that is listed in both written forms of its code has the state of the newer.
        """
        # The newer form follows the older one in this order, so that it is the one that is kept.
        self._procedures = {
            canonical_code(code): (
                PurposeKind.PROCEDURE if is_active else PurposeKind.ENDED_PROCEDURE
            )
            for code, is_active in sorted(active.items())
        }
        self.complete = self.complete or 0 < announced <= len(self._procedures)

    def replace_agencies(self, codes: Iterable[str]) -> None:
        """Replace the known agencies. While there is none, each agency is accepted."""
        self._agencies = canonical_codes(codes)

    def add_agencies(self, of_clients: Iterable[str]) -> None:
        """Add the agencies of clients, and the highest agency above each."""
        if added := canonical_codes(of_clients) - self._agencies:
            self._agencies |= added | {code.partition(".")[0] for code in added}

    def classify_purpose(
        self, purpose: str, *, now: float, agency: str | None = None
    ) -> PurposeKind:
        """Return the kind of a purpose; `now` is in Unix seconds, `agency` is the caller's."""
        listed = self._procedures.get(canonical_code(purpose))
        return listed or self._classify_unlisted(purpose, now, agency)

    def _classify_unlisted(self, purpose: str, now: float, agency: str | None) -> PurposeKind:
        if validity := self._legal_bases.get(purpose):
            begins, ends = validity
            in_force = begins <= now < ends
            return PurposeKind.LEGAL_BASIS if in_force else PurposeKind.ENDED_LEGAL_BASIS
        if (national := _find_national_code(purpose)) is None:
            return PurposeKind.UNKNOWN
        unlisted = PurposeKind.UNKNOWN if self.complete else PurposeKind.UNCHECKED
        if national == purpose:
            return self._procedures.get(national, unlisted)
        named = _parse_localised_agency(purpose)
        if not self._is_known_agency(named, agency):
            return PurposeKind.UNKNOWN
        return self._find_state_above(national, named) or unlisted

    def _find_state_above(self, national: str, agency: str) -> PurposeKind | None:
        """Return the state of the nearest listed code above; the national one is the last."""
        codes = (*(f"{national}.{above}" for above in list_self_and_above(agency)), national)
        return next((self._procedures[code] for code in codes if code in self._procedures), None)

    def _is_known_agency(self, agency: str, caller_agency: str | None) -> bool:
        if not self._agencies or agency in self._agencies:
            return True
        if caller_agency is None:
            return False
        caller_agency = canonical_code(caller_agency)
        return is_within(agency, {caller_agency}) or is_within(caller_agency, {agency})


def is_accepted_purpose(kind: PurposeKind, *, continues_dossier: bool) -> bool:
    return kind in _ACCEPTED or (kind is PurposeKind.ENDED_PROCEDURE and continues_dossier)


def is_recordable_purpose(purpose: str, kind: PurposeKind) -> bool:
    """Return whether a record may hold the purpose; any text that is no code may name a person."""
    return kind is not PurposeKind.UNKNOWN or _find_national_code(purpose) is not None


@lru_cache(maxsize=4_096)
def _find_national_code(purpose: str) -> str | None:
    try:
        return parse_national_code(purpose)
    except CodeError:
        return None


@lru_cache(maxsize=4_096)
def _parse_localised_agency(localised: str) -> str:
    """Return the agency that a localised procedure code names, in the form of QĐ 20."""
    return canonical_agency_code(localised.removeprefix(f"{parse_national_code(localised)}."))


def _end_of_day(last_day: date | None) -> float:
    if last_day is None:
        return math.inf
    return start_of_day_in_viet_nam(last_day + timedelta(days=1)).timestamp()
