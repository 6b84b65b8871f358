"""The kinds of caller at the gateway's door, and what each is told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from gateway.operations.model import Operation
from gateway.operations.table import OPERATIONS
from shared.web.calls.internal_headers import RIGHT_HEADER
from tests.access.country import BIRTH, COPY, OURS, THEIRS, Country, Papers
from tests.access.routes import Row

UNPROVEN = "401 unauthenticated"
LEGAL_BASIS = "91/2025/QH15"
NO_RIGHT = "403 not-allowed"
NO_PURPOSE = "400 purpose-missing"
UNKNOWN_PURPOSE = "403 purpose-unknown"
MALFORMED = "400 request-malformed"

# Each is a client system of ours; the grants that it has, of all operations.
CLIENTS: Mapping[str, list[dict[str, object]]] = {
    "in-force": [{"agencies": [OURS]}],
    "other-agency": [{"agencies": [THEIRS]}],
    "other-procedure": [{"agencies": [OURS], "procedures": [COPY]}],
    "other-fields": [{"agencies": [OURS], "fields": ["address"]}],
    "everything": [{}],
    "ended": [{"valid_to": datetime.now(UTC) - timedelta(seconds=1)}],
    "not-begun": [{"valid_from": datetime.now(UTC) + timedelta(days=1)}],
    "revoked": [{"revoked": True}],
    "granted-nothing": [],
    # All operations but every second: each has a client that lacks that one alone.
    "lacks-even": [{"operations": list(OPERATIONS)[1::2]}],
    "lacks-odd": [{"operations": list(OPERATIONS)[::2]}],
    "inactive": [{}],
}


@dataclass(frozen=True)
class Kind:
    """`asks_for` is whose; `answer` is the end of what is expected.

    Where `proven` is false it is known of no client who calls.
    """

    headers: tuple[tuple[str, str], ...]
    answer: str
    asks_for: str = "ours"
    proven: bool = True


async def register(country: Country) -> None:
    for client, grants in CLIENTS.items():
        await country.allow(client, *grants, active=client != "inactive")


def kinds(papers: Papers, operation: Operation, row: Row) -> Iterator[tuple[str, Kind]]:
    """Every kind of caller of one operation."""
    if row.public:
        yield "no token", Kind((), row.ours, proven=False)
        yield "any token", Kind(_bearer("garbage"), row.column("bearer"), proven=False)
        return
    for name, kind in _unproven(papers):
        yield name, replace(kind, proven=name == "a token of another agency")
    yield from _without_right(papers, operation)
    yield from _unexplained(papers, operation, row)
    yield from _let_in(papers, row)


def _unproven(papers: Papers) -> Iterator[tuple[str, Kind]]:
    me, now = "in-force", int(datetime.now(UTC).timestamp())
    tokens = {
        "garbage": "garbage",
        "a token that expired": papers.token(me, iat=now - 700, exp=now - 100),
        "a token without end": papers.token(me, exp=now + 10**6),
        "a token of another issuer": papers.token(me, iss="https://elsewhere.example"),
        "a token for another audience": papers.token(me, aud="another-mesh"),
        "a token signed by somebody": papers.signed_by_somebody(papers.token(me)),
        "a token that nobody signed": papers.unsigned(papers.token(me)),
        "a right in place of a token": papers.right(me, next(iter(OPERATIONS.values()))),
        "a token of another agency": papers.token(me, THEIRS),
    }
    yield "no token", Kind(_explained(), UNPROVEN)
    yield "no token, but headers of the mesh", Kind((*_explained(), *_forged(papers)), UNPROVEN)
    for name, token in tokens.items():
        yield name, Kind((*_bearer(token), *_explained()), UNPROVEN)
    twice = (*_bearer(papers.token(me)), *_bearer(papers.token("everything")))
    yield "two tokens", Kind((*twice, *_explained()), MALFORMED)


def _without_right(papers: Papers, operation: Operation) -> Iterator[tuple[str, Kind]]:
    even = list(OPERATIONS).index(operation.name) % 2 == 0
    names = {
        "a citizen, or another caller that is no client": "nobody-registered-this",
        "a client that is no longer active": "inactive",
        "no grant": "granted-nothing",
        "grants of other operations": "lacks-even" if even else "lacks-odd",
        "a grant that ended": "ended",
        "a grant that has not begun": "not-begun",
        "a grant that was revoked": "revoked",
    }
    for name, client in names.items():
        yield name, Kind((*_bearer(papers.token(client)), *_explained()), NO_RIGHT)
    forged = (*_bearer(papers.token("granted-nothing")), *_explained(), *_forged(papers))
    yield "no grant, but headers of the mesh", Kind(forged, NO_RIGHT)
    other = _bearer(papers.token("other-procedure"))
    yield "a purpose that the grant does not name", Kind((*other, *_explained()), NO_RIGHT)


def _unexplained(papers: Papers, operation: Operation, row: Row) -> Iterator[tuple[str, Kind]]:
    needed = NO_PURPOSE if row.personal else row.ours
    token = _bearer(papers.token("in-force"))
    purpose, officer = _explained()
    yield "no purpose", Kind((*token, officer), needed)
    nonsense = (*token, ("X-Purpose", "sightseeing"), officer)
    yield "a purpose that is no code", Kind(nonsense, UNKNOWN_PURPOSE)
    yield "no officer", Kind((*token, purpose), needed)
    yield (
        "a number of a person as X-Dossier",
        Kind((*token, purpose, officer, ("X-Dossier", "001090000001")), MALFORMED),
    )


def _let_in(papers: Papers, row: Row) -> Iterator[tuple[str, Kind]]:
    def of(client: str, purpose: str = BIRTH, **claims: str) -> tuple[tuple[str, str], ...]:
        return (*_bearer(papers.token(client, **claims)), *_explained(purpose))

    yield "a right", Kind(of("in-force"), row.ours)
    yield "a right, of a production client", Kind(of("in-force", kind="production"), row.ours)
    elsewhere = (*_bearer(papers.token("in-force")), *_explained(officer="H29-officer-9"))
    yield "a right, for an officer of another agency", Kind(elsewhere, row.ours)
    yield "a right, and headers of the mesh", Kind((*of("in-force"), *_forged(papers)), row.ours)
    yield "a right to another agency", Kind(of("other-agency"), row.column("theirs"))
    yield "a right to another procedure", Kind(of("other-procedure", COPY), row.column("procedure"))
    yield "a right, for another procedure", Kind(of("in-force", COPY), row.column("purpose"))
    basis = Kind(of("in-force", LEGAL_BASIS), row.column("legal_basis"))
    yield "a right, for a legal basis", basis
    yield "a right to other fields", Kind(of("other-fields"), row.column("fields"))
    operator = (*_bearer(papers.token("operator-vpcp", "G22")), *_explained())
    yield "the operator", Kind(operator, row.column("operator"))


def _bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("Authorization", f"Bearer {token}"),)


def _explained(purpose: str = BIRTH, officer: str = "officer-1") -> tuple[tuple[str, str], ...]:
    return ("X-Purpose", purpose), ("X-Officer", officer)


def _forged(papers: Papers) -> tuple[tuple[str, str], ...]:
    """What only the gateway and the services may say."""
    right = papers.right("in-force", OPERATIONS["GET /dossier/v1/dossiers"])
    return (
        (RIGHT_HEADER, right),
        ("X-Subject", "ab" * 32),
        ("X-Fields", "name"),
        ("X_Right", right),
        ("X-Real-IP", "127.0.0.1"),
    )
