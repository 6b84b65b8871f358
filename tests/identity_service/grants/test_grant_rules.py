"""A right is given by those whom the table names, and never beyond the giver's own."""

from typing import Any
from uuid import uuid4

import pytest

from identity_service.grants.grant_rules import list_fields, read_grant_rules
from tests.identity_service.calls import OPERATOR, POLICE, VERIFY, Identity

GIVE = "POST /identity/v1/grants"
REVOKE = "POST /identity/v1/grants/{grant_id}/revocation"
VERIFYING = f"POST {VERIFY}"
INDICATORS = "GET /sync/v1/indicators"
RESERVED = sorted(
    name for name, rule in read_grant_rules().items() if rule.granted_by == "operator"
)
OWNED = sorted(name for name, rule in read_grant_rules().items() if rule.granted_by == "owner")


def new(*operations: str, to: str = "newcomer-h14", **over: object) -> dict[str, object]:
    made = {"client_id": to, "operations": list(operations), "legal_basis": "Luật 26/2023"}
    return made | over


async def register(identity: Identity, agency: str, *grants: dict[str, Any]) -> tuple[str, str]:
    """A new client of the agency with these rights, which an operator gives it."""
    client = f"holder-{uuid4().hex}"
    made = {"client_id": client, "agency": agency, "name": "x", "kind": "production"}
    assert (await identity.call("POST /identity/v1/clients", json=made)).status_code == 201
    for grant in grants:
        given = await identity.call(GIVE, json=grant | {"client_id": client})
        assert given.status_code == 201, given.text
    return client, agency


@pytest.mark.parametrize("operation", RESERVED)
async def test_the_owner_of_data_gives_nobody_an_operation_of_administration(
    identity: Identity, operation: str
) -> None:
    owner = await register(identity, "G22", new(operation, GIVE))
    for giver in (POLICE, owner):
        for receiver in (giver[0], "newcomer-h14"):
            refused = await identity.call(GIVE, by=giver, json=new(operation, to=receiver))
            assert (refused.status_code, refused.json()["type"]) == (
                403,
                "/problems/operators-only",
            )
            assert refused.json()["operations"] == [operation]


@pytest.mark.parametrize("operation", OWNED)
async def test_an_operation_that_the_giver_lacks_is_not_given(
    identity: Identity, operation: str
) -> None:
    agency = "G01" if operation == VERIFYING else "G22"
    lacking = await register(identity, agency, new(GIVE))
    refused = await identity.call(GIVE, by=lacking, json=new(operation))
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/beyond-own-right")
    holding = await register(identity, agency, new(GIVE, operation))
    assert (await identity.call(GIVE, by=holding, json=new(operation))).status_code == 201


@pytest.mark.parametrize(
    ("own", "within", "beyond"),
    [
        ({"agencies": ["H26"]}, {"agencies": ["H26.101"]}, {"agencies": ["H26", "H29"]}),
        ({"agencies": ["H26"]}, {"agencies": ["H26"]}, {}),
        ({"procedures": ["1.001193"]}, {"procedures": ["1.001193.H26"]}, {}),
        (
            {"valid_to": "2199-01-01T00:00:00Z"},
            {"valid_to": "2198-01-01T00:00:00Z"},
            {"valid_to": "2199-01-02T00:00:00Z"},
        ),
        ({"valid_to": "2199-01-01T00:00:00Z"}, {"valid_to": "2199-01-01T00:00:00Z"}, {}),
        ({"per_second": 5}, {"per_second": 5}, {"per_second": 6}),
        ({"per_second": 5}, {"per_second": 1}, {}),
        ({"per_day": 5}, {"per_day": 5}, {"per_day": 2_000_000_000}),
        ({"per_day": 5}, {"per_day": 1}, {"per_second": 1}),
        ({}, {}, {"valid_from": "1850-01-01T00:00:00Z"}),
        ({}, {"valid_from": "2199-01-01T00:00:00Z"}, {"valid_from": "2026-01-01T00:00:00Z"}),
    ],
)
async def test_limits_of_the_operation_itself_bound_what_is_given(
    identity: Identity, own: dict[str, Any], within: dict[str, Any], beyond: dict[str, Any]
) -> None:
    giver = await register(identity, "G22", new(GIVE), new(INDICATORS, **own))
    for asked, status in ((within, 201), (beyond, 403)):
        answer = await identity.call(GIVE, by=giver, json=new(INDICATORS, **asked))
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("operations", "fields", "is_known"),
    [
        ([VERIFYING], ["name"], False),
        ([VERIFYING], ["full_name", "zzz"], False),
        ([INDICATORS], ["full_name"], False),
        ([INDICATORS, VERIFYING], ["full_name"], True),
        (["*"], ["zzz"], False),
        (["GET /ledger/v1/records"], ["subjects", "status"], True),
    ],
)
async def test_grant_names_fields_that_its_operations_have(
    identity: Identity, operations: list[str], fields: list[str], is_known: bool
) -> None:
    body = {**new(*operations), "client_id": "onestop-h29", "fields": fields}
    answer = await identity.call(GIVE, json=body)
    if is_known:
        assert answer.status_code == 201, answer.text
    else:
        refusal = answer.json()
        assert (answer.status_code, refusal["type"]) == (422, "/problems/field-unknown")
        assert (refusal["known"], refusal["count"]) == (list_fields(operations), 1)
        assert "zzz" not in answer.text


async def test_two_grants_do_not_add_up_to_one_that_is_wider(identity: Identity) -> None:
    one = new(INDICATORS, agencies=["H26"], procedures=["1.001193"])
    other = new(INDICATORS, agencies=["H29"], procedures=["2.000815"])
    giver = await register(identity, "G22", new(GIVE), one, other)
    mixed = new(INDICATORS, agencies=["H26"], procedures=["2.000815"])
    assert (await identity.call(GIVE, by=giver, json=mixed)).status_code == 403


async def test_a_holder_passes_on_what_may_be_passed_on_and_may_take_it_back(
    identity: Identity,
) -> None:
    filing = "POST /dossier/v1/dossiers"
    holder = await register(identity, "H26", new(GIVE, INDICATORS, filing))
    given = await identity.call(GIVE, by=holder, json=new(INDICATORS))
    assert given.status_code == 201
    refused = await identity.call(GIVE, by=holder, json=new(INDICATORS, filing))
    assert (refused.json()["type"], refused.json()["operations"]) == (
        "/problems/not-the-owner",
        [filing],
    )
    at, first = {"grant_id": given.json()["id"]}, {"If-Match": '"1"'}
    assert (await identity.call(REVOKE, by=holder, at=at, headers=first)).status_code == 200


async def test_an_operator_gives_only_what_it_holds_too(identity: Identity) -> None:
    made = {"client_id": "narrow-operator", "agency": "G22", "name": "x", "kind": "production"}
    await identity.call("POST /identity/v1/clients", json={**made, "operator": True})
    await identity.call(GIVE, json=new(GIVE, VERIFYING, to="narrow-operator"))
    by = ("narrow-operator", "G22")
    assert (await identity.call(GIVE, by=by, json=new(VERIFYING))).status_code == 201
    for beyond in ("*", "POST /dossier/v1/dossiers"):
        refused = await identity.call(GIVE, by=by, json=new(beyond))
        assert refused.json()["type"] == "/problems/beyond-own-right"


async def test_clients_of_one_agency_give_each_other_no_personal_data(identity: Identity) -> None:
    giver = await register(identity, "G01", new(GIVE, VERIFYING))
    beside, _ = await register(identity, "G01")
    refused = await identity.call(GIVE, by=giver, json=new(VERIFYING, to=beside))
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/grant-to-self")
    assert (await identity.call(GIVE, json=new(VERIFYING, to=beside))).status_code == 201


@pytest.mark.parametrize("operation", ["*", GIVE, VERIFYING])
async def test_nobody_gives_itself_administration_or_personal_data(
    identity: Identity, operation: str
) -> None:
    giver = POLICE if operation == VERIFYING else OPERATOR
    refused = await identity.call(GIVE, by=giver, json=new(operation, to=giver[0]))
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/grant-to-self")


@pytest.mark.parametrize(
    "operation",
    [
        "GET /identity/v1/nothing",
        "DELETE /identity/v1/grants",
        "GET /identity/v1/grants/{id}",
        "POST /oauth/token",  # needs no right
        "GET /healthz",
    ],
)
async def test_an_operation_that_does_not_exist_is_not_granted(
    identity: Identity, operation: str
) -> None:
    refused = await identity.call(GIVE, json=new(VERIFYING, operation))
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/operation-unknown")
    assert refused.json()["operations"] == [operation]


async def test_a_refusal_names_twenty_operations_at_most(identity: Identity) -> None:
    many = [f"GET /identity/v1/nothing-{number}" for number in range(100)]
    assert len((await identity.call(GIVE, json=new(*many))).json()["operations"]) == 20


async def test_only_an_operator_revokes_what_operators_give(identity: Identity) -> None:
    given = await identity.call(GIVE, json=new("GET /identity/v1/clients"))
    at, first = {"grant_id": given.json()["id"]}, {"If-Match": '"1"'}
    refused = await identity.call(REVOKE, by=POLICE, at=at, headers=first)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/operators-only")
