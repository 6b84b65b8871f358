"""Dossiers as a country has them, in columns of numbers: the same for the same size and seed.

Real agencies and procedures; a few procedures and communes have most dossiers, offices rest at
night and on most weekends, most results come in time. Instants are Unix seconds, -1 where there is
none; agencies and procedures are places in the lists of `Country`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.procedure import ProcedureLevel
from identity_service.agencies.registry_seed import AgencySeed, list_seed_agencies
from shared.codes.enums import Channel, DossierStatus

SEED = 20_261_120
LAST_DAY = date(2026, 11, 20)
DAYS = 730
HOUR, DAY = 3_600, 86_400
OPENING_S, OFFICE_S = 30 * 60, 9 * HOUR  # half past seven in Viet Nam, in UTC, and how long
SATURDAY, WEEKEND_SHARE = 5, 0.15
NONE = -1
# Made at once: however many there are, no more of them are in memory.
CHUNK = 100_000
# How long after its reception a dossier is handled, asked about, taken up again.
HANDLED_S, ASKED_S, SUPPLEMENTED_S, LEAST_S = HOUR // 2, HOUR, 2 * HOUR, 4 * HOUR
ELSEWHERE_SHARE, HELPED_SHARE = 0.04, 0.03
REFUSED_SHARE, DUE_SHARE, ASKED_SHARE = 0.03, 0.95, 0.05
TERM_DAYS = (1, 2, 3, 5, 7, 10, 15, 20, 30)
OPEN = (
    DossierStatus.PROCESSING,
    DossierStatus.SUPPLEMENT_REQUESTED,
    DossierStatus.PAYMENT_REQUIRED,
)
ENDINGS = {
    DossierStatus.RETURNED: 0.78,
    DossierStatus.PROCESSED: 0.14,
    DossierStatus.STOPPED: 0.05,
    DossierStatus.WITHDRAWN: 0.03,
}

Numbers = NDArray[np.int64]
Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Country:
    """`province_of` is the place of each commune's province in `list_seed_agencies`."""

    agencies: tuple[AgencySeed, ...]
    communes: Numbers
    province_of: Numbers
    procedures: tuple[str, ...]
    decided_by_commune: NDArray[np.bool_]


@dataclass(frozen=True)
class Dossiers:
    """One column for each field, all of the same length."""

    number: Numbers
    day: Numbers
    serial: Numbers
    procedure: Numbers
    channel: Numbers
    status: Numbers
    helped_by: Numbers
    received_by: Numbers
    decided_by: Numbers
    filed_at: Numbers
    received_at: Numbers
    due_at: Numbers
    ended_at: Numbers
    requested_at: Numbers

    def columns(self) -> dict[str, Numbers]:
        return dict(vars(self))


@cache
def country() -> Country:
    living = tuple(agency for agency in list_seed_agencies() if agency.valid_to is None)
    places = {agency.code: place for place, agency in enumerate(living)}
    communes = [agency for agency in living if agency.level == "commune"]
    procedures = read_own_procedures()
    return Country(
        agencies=living,
        communes=np.array([places[each.code] for each in communes]),
        province_of=np.array([places[str(each.parent)] for each in communes]),
        procedures=tuple(sorted(procedures)),
        decided_by_commune=np.array(
            [ProcedureLevel.COMMUNE in procedures[code].levels for code in sorted(procedures)]
        ),
    )


def dossiers(size: int, seed: int = SEED, chunk: int = CHUNK) -> Iterator[Dossiers]:
    """Yield one chunk after the other."""
    rng, of = np.random.default_rng(seed), country()
    asked, busy = _draw_popularity(rng, len(of.procedures)), _draw_popularity(rng, len(of.communes))
    serials = np.zeros(len(of.agencies) * DAYS, np.int64)
    for begin in range(0, size, chunk):
        numbers = np.arange(begin, min(begin + chunk, size))
        yield _make_dossiers(rng, numbers, (asked, busy), serials)


def _draw_popularity(rng: Generator, count: int) -> Shares:
    """Return shares that fall with the root of the rank, in a random order: few have many."""
    weights = 1 / np.sqrt(np.arange(1, count + 1))
    return rng.permutation(weights / weights.sum())


def _make_dossiers(
    rng: Generator, numbers: Numbers, popularity: tuple[Shares, Shares], serials: Numbers
) -> Dossiers:
    """`popularity` is that of procedures and of communes."""
    size, of = len(numbers), country()
    procedure, deciding = (rng.choice(len(shares), size=size, p=shares) for shares in popularity)
    # Filing anywhere: some are received, or helped with, by another commune than their own.
    receiving = np.where(
        rng.random(size) < ELSEWHERE_SHARE, rng.integers(len(of.communes), size=size), deciding
    )
    helping = np.where(
        rng.random(size) < HELPED_SHARE, rng.integers(len(of.communes), size=size), NONE
    )
    by_commune = of.decided_by_commune[procedure]
    channel = rng.choice(list(Channel), size=size, p=(0.35, 0.60, 0.05)).astype(np.int64)
    day, filed_at = _draw_filings(rng, size)
    received_at, status, due_at, ended_at, requested_at = _draw_course(
        rng, channel, filed_at, procedure
    )
    return Dossiers(
        number=numbers,
        day=day,
        serial=_assign_serials(of.communes[receiving] * DAYS + day - _first_day(), serials),
        procedure=procedure,
        channel=channel,
        status=status,
        helped_by=np.where(helping == NONE, NONE, of.communes[helping]),
        received_by=of.communes[receiving],
        decided_by=np.where(by_commune, of.communes[deciding], of.province_of[deciding]),
        filed_at=filed_at,
        received_at=received_at,
        due_at=due_at,
        ended_at=ended_at,
        requested_at=requested_at,
    )


def _first_day() -> int:
    last = datetime(LAST_DAY.year, LAST_DAY.month, LAST_DAY.day, tzinfo=UTC)
    return int(last.timestamp()) // DAY - DAYS + 1


def end_of_time() -> int:
    """Return the instant of the last state of the dossiers: the evening of the last day."""
    return (_first_day() + DAYS - 1) * DAY + OPENING_S + OFFICE_S


def _draw_filings(rng: Generator, size: int) -> tuple[Numbers, Numbers]:
    days = _first_day() + np.arange(DAYS)
    weekday = (days + 3) % 7  # the first day of Unix was a Thursday
    weights = np.where(weekday >= SATURDAY, WEEKEND_SHARE, 1.0)
    day = rng.choice(days, size=size, p=weights / weights.sum())
    return day, day * DAY + OPENING_S + rng.integers(OFFICE_S, size=size)


def _assign_serials(desk_days: Numbers, last: Numbers) -> Numbers:
    """Return the serials after the `last` ones of the same agency and day, and advance `last`."""
    order = np.argsort(desk_days, kind="stable")
    alike = desk_days[order]
    place_among_alike = np.arange(len(alike)) - np.searchsorted(alike, alike)
    serials = np.empty_like(desk_days)
    serials[order] = last[alike] + place_among_alike + 1
    last += np.bincount(desk_days, minlength=len(last))
    return serials


def _draw_course(
    rng: Generator, channel: Numbers, filed_at: Numbers, procedure: Numbers
) -> tuple[Numbers, Numbers, Numbers, Numbers, Numbers]:
    """Return the reception, the status, the deadline, the end and the request for supplements."""
    size, end = len(channel), end_of_time()
    online = channel == Channel.ONLINE
    received = filed_at + np.where(online, rng.integers(1, 8 * HOUR, size=size), 0)
    refused = online & (rng.random(size) < REFUSED_SHARE) & (received <= end)
    waiting = online & (received > end) & ~refused
    term = np.array(TERM_DAYS)[procedure % len(TERM_DAYS)] * DAY
    due = np.where(rng.random(size) < DUE_SHARE, received + term, NONE)
    # Nine of ten in time, the median at half of the term.
    ended = received + np.maximum(
        LEAST_S, (term * rng.lognormal(-0.7, 0.55, size)).astype(np.int64)
    )
    is_open = ended > end
    fresh = is_open & (received + LEAST_S > end)
    status = np.select(
        [refused, waiting, fresh, is_open],
        [
            np.full(size, DossierStatus.NOT_RECEIVED),
            np.full(size, DossierStatus.REGISTERED),
            np.full(size, DossierStatus.RECEIVED),
            rng.choice(list(OPEN), size=size, p=(0.85, 0.10, 0.05)),
        ],
        rng.choice(list(ENDINGS), size=size, p=list(ENDINGS.values())),
    ).astype(np.int64)
    handled = ~(refused | waiting | fresh) & (status != DossierStatus.WITHDRAWN)
    paying = status == DossierStatus.PAYMENT_REQUIRED
    asked = (handled & ~paying & (rng.random(size) < ASKED_SHARE)) | (
        status == DossierStatus.SUPPLEMENT_REQUESTED
    )
    unreceived = refused | waiting
    return (
        np.where(unreceived, NONE, received),
        status,
        np.where(unreceived, NONE, due),
        np.where(refused, received, np.where(waiting | is_open, NONE, ended)),
        np.where(asked, received + ASKED_S, NONE),
    )
