"""However rights are passed along, nobody comes to more than the first of the chain had.

The chain: a client with some rights gives grants, registers clients, adds keys and ends access,
and so does each client that it has come to hold. What each step is answered is said here once
more and independently of the service.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpx import Response
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import OKPAlgorithm

from identity_service.grants.grant_rules import list_fields
from identity_service.seed import seed
from tests.access.model import AGENCIES, Limits, limits, tried
from tests.conftest import Databases
from tests.identity_service.calls import OPERATOR, Identity
from tests.identity_service.conftest import make_settings, serving
from tests.support.factories import TestAuthority

ROOT = "/identity/v1"
GIVE, REGISTER = f"POST {ROOT}/grants", f"POST {ROOT}/clients"
ADD_KEY = f"POST {ROOT}/clients/{{client_id}}/keys"
REMOVE_KEY = f"DELETE {ROOT}/clients/{{client_id}}/keys/{{kid}}"
DEACTIVATE = f"POST {ROOT}/clients/{{client_id}}/deactivation"
REACTIVATE = f"POST {ROOT}/clients/{{client_id}}/reactivation"
ON_CLIENTS = (ADD_KEY, REMOVE_KEY, DEACTIVATE, REACTIVATE)
VERIFY, READ = f"POST {ROOT}/verifications", "GET /dossier/v1/dossiers/{code}"
OF_OPERATORS = frozenset({"*", GIVE, REGISTER, *ON_CLIENTS, "GET /sync/v1/dead-letters"})
PASSED_ON = frozenset({"GET /dossier/v1/procedures", "GET /sync/v1/indicators"})
TO_SELF = PASSED_ON | {"GET /sync/v1/dossiers"}
OPERATIONS = tuple(sorted(OF_OPERATORS | TO_SELF | {VERIFY, READ, "GET /ledger/v1/records"}))
OWNERS = ("G01", "G22")
VICTIM = "onestop-h26"


def owner(operation: str) -> str:
    return "G01" if operation == VERIFY else "G22"


@dataclass(frozen=True)
class Held:
    operations: frozenset[str]
    limits: Limits

    def names(self, operation: str) -> bool:
        return bool({operation, "*"} & self.operations)

    def includes(self, operations: frozenset[str], within: Limits) -> bool:
        return all(map(self.names, operations)) and self.limits.includes(within)


@dataclass
class Member:
    """A client of the chain."""

    client: str
    agency: str
    held: list[Held] = field(default_factory=list)

    def reaches(self, operation: str, within: Limits) -> bool:
        return any(each.includes(frozenset({operation}), within) for each in self.held)

    def may_say(self, operation: str) -> bool:
        """Is it the giver's to decide who gets it? Nobody in the chain is an operator."""
        if operation in OF_OPERATORS:
            return False
        passes_on = operation in PASSED_ON and any(operation in e.operations for e in self.held)
        return owner(operation) == self.agency or passes_on


@dataclass(frozen=True)
class Giving:
    by: int
    to: int | None  # a client that is not of the chain, where it is None
    operations: frozenset[str]
    limits: Limits


@dataclass(frozen=True)
class Registering:
    by: int
    agency: str


@dataclass(frozen=True)
class Acting:
    by: int
    operation: str
    on: int | None


Given = TypeVar("Given", Held, Giving)
places = st.integers(min_value=0, max_value=4)
operations = st.frozensets(st.sampled_from(OPERATIONS), min_size=1, max_size=3)
agencies = st.sampled_from((*OWNERS, *AGENCIES))
# Mostly without limits, which else stop nearly every chain at its first step.
wide = st.just(Limits()) | limits


def _with_known_fields(given: Given) -> Given:
    """Leave out fields that the operations do not have: such a grant is refused as malformed."""
    fields = given.limits.fields
    if fields is None or fields.issubset(list_fields(given.operations)):
        return given
    return replace(given, limits=replace(given.limits, fields=None))


steps = st.one_of(
    st.builds(Giving, places, st.none() | places, operations, wide).map(_with_known_fields),
    st.builds(Registering, places, agencies),
    st.builds(Acting, places, st.sampled_from(ON_CLIENTS), st.none() | places),
)
# What a chain needs to go on, beside what is passed along in it.
means = st.sets(st.sampled_from([GIVE, REGISTER])).map(
    lambda names: [Held(frozenset({name}), Limits()) for name in sorted(names)]
)
helds = st.lists(st.builds(Held, operations, wide).map(_with_known_fields), max_size=2)
firsts = st.builds(
    Member, st.just(""), agencies, st.tuples(helds, means).map(lambda both: both[0] + both[1])
)


@pytest.fixture(scope="session")
async def installation(postgres: Databases) -> AsyncIterator[Identity]:
    settings = make_settings(postgres.migrated_url("identity_service"), people=0)
    await seed(settings)
    async with serving(settings, TestAuthority()) as identity:
        for code in AGENCIES:
            made = {"code": code, "name": "Đơn vị", "level": "commune", "valid_from": "2026-01-01"}
            answer = await identity.call(f"POST {ROOT}/agencies", json=made)
            assert answer.status_code in {201, 409}
        yield identity


@dataclass
class Chain:
    identity: Identity
    members: list[Member]

    async def call(self, member: Member, right: Limits, operation: str, **how: Any) -> Response:
        by = (member.client, member.agency)
        return await self.identity.call(operation, by=by, right=right.claims, **how)

    def named(self, place: int | None) -> str:
        return VICTIM if place is None else self.members[place % len(self.members)].client

    async def take(self, step: Giving | Registering | Acting) -> None:
        """Each right by which the gateway would let it in; without one it lets it in to nothing."""
        member = self.members[step.by % len(self.members)]
        operation = {Giving: GIVE, Registering: REGISTER}.get(type(step), "")
        operation = operation or getattr(step, "operation", "")
        for right in [each.limits for each in member.held if each.names(operation)]:
            match step:
                case Giving():
                    await self.give(member, right, step)
                case Registering():
                    await self.register(member, right, step)
                case Acting():
                    await self.act(member, right, step)

    async def give(self, member: Member, right: Limits, step: Giving) -> None:
        to = self.named(step.to)
        body = {"client_id": to, "operations": sorted(step.operations), **step.limits.claims}
        answer = await self.call(member, right, GIVE, json=body | {"legal_basis": "Luật 26/2023"})
        known = {each.client: each.agency for each in self.members} | {VICTIM: "H26"}
        allowed = (
            all(map(member.may_say, step.operations))
            and right.includes(step.limits)
            and any(each.includes(step.operations, step.limits) for each in member.held)
            and (known.get(to) != member.agency or step.operations <= TO_SELF)
        )
        if not allowed:
            assert answer.status_code == 403, answer.text
            return
        assert answer.status_code == (201 if right.reaches(known[to]) else 422), answer.text
        for each in self.members:
            if each.client == to and answer.status_code == 201:
                each.held.append(Held(step.operations, step.limits))

    async def register(self, member: Member, right: Limits, step: Registering) -> None:
        client = f"chained-{uuid4().hex}"
        body = {"client_id": client, "agency": step.agency, "name": "Hệ", "kind": "production"}
        above = await self.call(member, right, REGISTER, json=body | {"operator": True})
        assert above.status_code == 403
        answer = await self.call(member, right, REGISTER, json=body)
        assert answer.status_code == (201 if right.reaches(step.agency) else 422), answer.text
        if answer.status_code == 201:
            self.members.append(Member(client, step.agency))

    async def act(self, member: Member, right: Limits, step: Acting) -> None:
        """Nobody of the chain is an operator or has the client's key, so nothing comes of it."""
        at = {"client_id": self.named(step.on), "kid": "k1"}
        jwk = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key(), as_dict=True)
        sent: dict[str, Any] = {"json": jwk} if step.operation == ADD_KEY else {}
        headers = {"If-Match": '"1"'}
        answer = await self.call(member, right, step.operation, at=at, headers=headers, **sent)
        assert answer.status_code in {403, 404}, answer.text


@tried(40)
@given(firsts, st.lists(steps, min_size=1, max_size=4))
async def test_nobody_comes_to_more_than_the_first_of_the_chain_had(
    installation: Identity, had: Member, taken: Sequence[Giving | Registering | Acting]
) -> None:
    first = Member(f"chained-{uuid4().hex}", had.agency, [*had.held])
    await _begin(installation, first)
    before = await _state(installation, VICTIM)
    chain = Chain(installation, [first])
    for step in taken:
        await chain.take(step)
    assert await _state(installation, VICTIM) == before
    for member in chain.members:
        for grant in await _grants(installation, member.client):
            within = Limits(*(_set(grant[name]) for name in ("agencies", "procedures", "fields")))
            for operation in grant["operations"]:
                assert had.reaches(operation, within), (operation, within, had)
    await _revoke_all(installation, first.client)
    for member in chain.members:
        assert [g for g in await _grants(installation, member.client) if not g["revoked_at"]] == []


async def _begin(identity: Identity, first: Member) -> None:
    """By the operator, who may do everything."""
    made = {"client_id": first.client, "agency": first.agency, "name": "Hệ", "kind": "production"}
    assert (await identity.call(REGISTER, json=made)).status_code == 201
    for each in first.held:
        body = {"client_id": first.client, "operations": sorted(each.operations)}
        body |= {"legal_basis": "Luật 26/2023", **each.limits.claims}
        answer = await identity.call(GIVE, json=body)
        assert answer.status_code == 201, answer.text


async def _revoke_all(identity: Identity, client: str) -> None:
    """Revoke by the operator what the operator gave; what the client gave itself rests on it."""
    for grant in await _grants(identity, client):
        if grant["given_by"] == OPERATOR[0]:
            at, headers = {"grant_id": grant["id"]}, {"If-Match": f'"{grant["version"]}"'}
            revoked = await identity.call(
                f"POST {ROOT}/grants/{{grant_id}}/revocation", at=at, headers=headers
            )
            assert revoked.status_code == 200, revoked.text


async def _state(identity: Identity, client: str) -> tuple[object, ...]:
    shown = await identity.call(f"GET {ROOT}/clients/{{client_id}}", at={"client_id": client})
    return tuple(shown.json()[name] for name in ("version", "active", "keys", "operator"))


async def _grants(identity: Identity, client: str) -> list[dict[str, Any]]:
    params = {"client_id": client, "limit": 500}
    answer = await identity.call(f"GET {ROOT}/grants", params=params)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def _set(codes: list[str] | None) -> frozenset[str] | None:
    return None if codes is None else frozenset(codes)
