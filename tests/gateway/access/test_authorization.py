import time
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest
from starlette.responses import JSONResponse

from gateway.ledger.record_draft import AccessRecordDraft
from gateway.operations.table import OPERATIONS
from tests.support.fake_upstream import SUBJECT
from tests.support.gateway_harness import LIST, READ, VERIFY, Gate, make_client, make_grant

DOSSIER = "H26.14-240823-0001"


def problem(answer: Any, status: int, slug: str) -> dict[str, Any]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, told["type"]) == (status, f"/problems/{slug}"), told
    return told


async def test_call_with_a_right_is_passed_on_and_on_record(gate: Gate) -> None:
    client = await gate.newcomer(make_grant())
    answer = await gate.ask(VERIFY, client=client, headers={"X-Dossier": DOSSIER}, json={"a": 1})
    assert answer.status_code == HTTPStatus.OK
    assert "X-Subject" not in answer.headers
    [record] = await gate.records(client=client)
    assert (record["agency"], record["operation"], record["outcome"]) == ("H26", VERIFY, "allowed")
    assert (record["purpose"], record["dossier"]) == ("1.001193", DOSSIER)
    assert record["subjects"] == [SUBJECT]
    assert b'"officer":"officer-1"' in record["record"]


async def test_inner_headers_from_outside_are_dropped(gate: Gate) -> None:
    forged = {"X-Right": "forged", "X-Subject": "cd" * 32, "X-Fields": "name"}
    answer = await gate.ask(VERIFY, headers=dict(forged))
    assert answer.status_code == HTTPStatus.OK
    inside = gate.services.asked[-1].headers
    assert inside["X-Right"] != "forged"
    assert inside.getlist("X-Right") == [inside["X-Right"]]
    assert "X-Subject" not in inside
    assert "X-Fields" not in inside


@pytest.mark.parametrize(
    "claims",
    [{"exp": 1}, {"aud": "others"}, {"iss": "others"}, {"agency": None}],
    ids=["expired", "other audience", "other issuer", "no agency"],
)
async def test_token_that_does_not_hold_is_refused_on_record(
    gate: Gate, claims: dict[str, Any]
) -> None:
    asked, before = len(gate.services.asked), refusals(await gate.sums())
    token = gate.authority.token(**claims)
    answer = await gate.ask(VERIFY, headers={"Authorization": f"Bearer {token}"})
    told = problem(answer, 401, "unauthenticated")
    named = f'error="invalid_token", error_description="{told["detail"]}"'
    assert answer.headers["WWW-Authenticate"] == f"Bearer {named}"
    assert len(gate.services.asked) == asked
    assert "X-Ledger-Receipt" not in answer.headers
    assert refusals(await gate.sums()) == before + 1


def refusals(sums: list[dict[str, Any]]) -> int:
    return sum(each["calls"] for each in sums if each["operation"] == "any verification")


async def test_call_without_a_token_is_refused(gate: Gate) -> None:
    answer = await gate.ask(LIST, headers={"Authorization": None})
    problem(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_unknown_client_has_no_right(gate: Gate) -> None:
    told = problem(await gate.ask(LIST, client="nobody"), 403, "not-allowed")
    assert told["lacking"] == "client"


async def test_inactive_client_has_no_right(gate: Gate) -> None:
    client = await gate.newcomer(make_grant())
    await gate.tell(make_client(client, version=2, active=False))
    told = problem(await gate.ask(VERIFY, client=client), 403, "not-allowed")
    assert told["lacking"] == "client"
    [record] = await gate.records(client=client)
    assert record["outcome"] == "refused"


async def test_token_of_a_former_agency_is_refused(gate: Gate) -> None:
    client = await gate.newcomer(make_grant(), agency="H29")
    problem(await gate.ask(LIST, client=client, agency="H26"), 401, "unauthenticated")


async def test_refusal_names_the_operation_that_no_grant_covers(gate: Gate) -> None:
    client = await gate.newcomer(make_grant(operations=[LIST]))
    told = problem(await gate.ask(VERIFY, client=client), 403, "not-allowed")
    assert (told["operation"], told["lacking"]) == (VERIFY, "operation")
    [record] = await gate.records(client=client)
    assert (record["operation"], record["outcome"]) == (VERIFY, "refused")


@pytest.mark.parametrize(
    ("operation", "giver"), [(VERIFY, "owner"), ("GET /identity/v1/clients", "operator")]
)
async def test_refusal_names_the_one_that_may_give_the_right(
    gate: Gate, operation: str, giver: str
) -> None:
    client = await gate.newcomer(make_grant(operations=[LIST]))
    told = problem(await gate.ask(operation, client=client), 403, "not-allowed")
    assert giver in told["detail"]


async def test_refusal_says_that_only_the_purpose_lacks(gate: Gate) -> None:
    client = await gate.newcomer(make_grant(procedures=["1.004222"]))
    told = problem(await gate.ask(VERIFY, client=client), 403, "not-allowed")
    assert (told["operation"], told["lacking"]) == (VERIFY, "purpose")


async def test_star_covers_every_operation(gate: Gate) -> None:
    client = await gate.newcomer(make_grant(operations=["*"]))
    assert (await gate.ask(VERIFY, client=client)).is_success
    assert (await gate.ask("GET /sync/v1/indicators", client=client)).is_success


@pytest.mark.parametrize(
    "validity",
    [
        {"valid_to": datetime(2024, 1, 1, tzinfo=UTC)},
        {"valid_from": datetime(2100, 1, 1, tzinfo=UTC)},
        {"revoked": True},
    ],
    ids=["expired", "not yet valid", "revoked"],
)
async def test_grant_not_in_force_refuses(gate: Gate, validity: dict[str, Any]) -> None:
    client = await gate.newcomer(make_grant(**validity))
    problem(await gate.ask(VERIFY, client=client), 403, "not-allowed")


async def test_grant_ends_at_its_instant_without_any_event(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    client = await gate.newcomer(make_grant(valid_to=end))
    statuses = []
    for seconds in (-3_600, -0.001, 0, 0.001):
        now = end.timestamp() + seconds
        monkeypatch.setattr("gateway.access.authorization.unix_now", partial(float, now))
        statuses.append((await gate.ask(LIST, client=client)).status_code)
    ok, refused = HTTPStatus.OK, HTTPStatus.FORBIDDEN
    assert statuses == [ok, ok, refused, refused]


@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        ({"X-Purpose": None}, ["X-Purpose"]),
        ({"X-Officer": "  "}, ["X-Officer"]),
        ({"X-Purpose": None, "X-Officer": None}, ["X-Purpose", "X-Officer"]),
    ],
)
async def test_personal_call_says_what_for_and_who_acts(
    gate: Gate, lacking: dict[str, str | None], named: list[str]
) -> None:
    told = problem(await gate.ask(VERIFY, headers=lacking), 400, "purpose-missing")
    assert told["headers"] == named
    assert all(name in told["detail"] for name in named)


async def test_list_needs_no_purpose(gate: Gate) -> None:
    nothing: dict[str, str | None] = {"X-Purpose": None, "X-Officer": None}
    assert (await gate.ask(LIST, headers=nothing)).is_success


async def test_legal_basis_may_be_the_purpose_of_an_unlimited_right(gate: Gate) -> None:
    client = await gate.newcomer(make_grant())
    basis = "91/2025/QH15"
    assert (await gate.ask(VERIFY, client=client, headers={"X-Purpose": basis})).is_success
    [record] = await gate.records(client=client)
    assert record["purpose"] == basis


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"X-Purpose": "x" * 201}, "X-Purpose"),
        ({"X-Purpose": "1.001193\x01"}, "X-Purpose"),
        ({"X-Purpose": "a\u2028b"}, "X-Purpose"),
        ({"X-Officer": "y" * 65}, "X-Officer"),
        ({"X-Officer": "a\tb"}, "X-Officer"),
        ({"X-Dossier": "079203001234"}, "X-Dossier"),
        ({"X-Purpose": "079203001234"}, "X-Purpose"),
        ({"X-Purpose": "1.001193 079203001234"}, "X-Purpose"),
        ({"X-Officer": "nguyen.van.an-079203001234"}, "X-Officer"),
        ({"X-Officer": "0792030012345"}, None),
        ({"X-Dossier": "H26.14-240823-0001 "}, None),
        ({"x-dossier": "H26.14-240230-0001"}, "X-Dossier"),
    ],
)
async def test_malformed_header_is_named_and_not_repeated(
    gate: Gate, headers: dict[str, str | None], named: str | None
) -> None:
    answer = await gate.ask(VERIFY, headers=headers)
    if named is None:
        assert answer.is_success
        return
    told = problem(answer, 400, "request-malformed")
    assert named in told["detail"]
    assert all(str(value) not in answer.text for value in headers.values())


async def test_dossier_of_the_path_is_on_record(gate: Gate) -> None:
    client = await gate.newcomer(make_grant())
    await gate.ask(READ.format(code=DOSSIER), client=client)
    [record] = await gate.records(client=client)
    assert record["dossier"] == DOSSIER


async def test_header_given_twice_is_refused(gate: Gate) -> None:
    token = gate.authority.token()
    headers = [("Authorization", f"Bearer {token}"), ("X-Purpose", "1"), ("X-Officer", "a")]
    answer = await gate.http.post(VERIFY.split()[1], headers=[*headers, ("x-purpose", "2")])
    assert "once" in problem(answer, 400, "request-malformed")["detail"]


async def test_header_that_is_no_utf8_is_refused(gate: Gate) -> None:
    token = gate.authority.token()
    headers = [(b"Authorization", f"Bearer {token}".encode()), (b"X-Purpose", b"\xff")]
    answer = await gate.http.post(VERIFY.split()[1], headers=headers)
    problem(answer, 400, "request-malformed")


@pytest.mark.usefixtures("stopped_quota_clock")
@pytest.mark.parametrize("quota", [{"per_second": 2}, {"per_day": 2}])
async def test_quota_of_the_grant_is_kept(gate: Gate, quota: dict[str, Any]) -> None:
    client = await gate.newcomer(make_grant(**quota))
    answers = [await gate.ask(VERIFY, client=client) for _ in range(2)]
    assert all(answer.is_success for answer in answers)
    refused = await gate.ask(VERIFY, client=client)
    problem(refused, 429, "quota-spent")
    assert int(refused.headers["Retry-After"]) >= 1
    assert [r["outcome"] for r in await gate.records(client=client)][-1] == "refused"


async def test_answer_that_names_nobody_is_held_back_on_record(gate: Gate) -> None:
    client, told = await gate.newcomer(make_grant()), gate.services.answer
    gate.services.answer = lambda: JSONResponse({"name": "Nguyễn Văn An"})
    try:
        answer = await gate.ask(READ.format(code=DOSSIER), client=client)
    finally:
        gate.services.answer = told
    problem(answer, 502, "subject-not-named")
    assert "Nguyễn" not in answer.text
    [record] = await gate.records(client=client)
    assert (record["outcome"], record["subjects"]) == ("unknown", [])


async def test_number_in_place_of_the_hash_is_neither_passed_on_nor_recorded(gate: Gate) -> None:
    client, told = await gate.newcomer(make_grant()), gate.services.answer
    gate.services.answer = lambda: JSONResponse({}, headers={"X-Subject": "001099000001"})
    try:
        problem(await gate.ask(VERIFY, client=client), 502, "subject-not-named")
    finally:
        gate.services.answer = told
    [record] = await gate.records(client=client)
    assert b"001099000001" not in record["record"]


async def test_answer_about_nobody_says_so(gate: Gate) -> None:
    client, told = await gate.newcomer(make_grant()), gate.services.answer
    gate.services.answer = lambda: JSONResponse({}, headers={"X-Subject": "-"})
    try:
        assert (await gate.ask(VERIFY, client=client)).is_success
    finally:
        gate.services.answer = told
    [record] = await gate.records(client=client)
    assert (record["outcome"], record["subjects"]) == ("allowed", [])


async def test_token_request_needs_no_token(gate: Gate) -> None:
    answer = await gate.ask("POST /oauth/token", headers={"Authorization": "Basic YTpi"})
    assert answer.is_success
    assert "X-Right" not in gate.services.asked[-1].headers


async def test_known_caller_costs_less_than_60_microseconds(gate: Gate) -> None:
    client = await gate.newcomer(make_grant(per_second=10**6))
    token = gate.authority.token(client)
    headers = {"authorization": f"Bearer {token}", "x-purpose": "1.001193", "x-officer": "a"}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "client": ("127.0.0.1", 1), "headers": raw}

    async def round_of_calls() -> float:
        began = time.process_time()
        for _ in range(500):
            await gate.admission(AccessRecordDraft(OPERATIONS[VERIFY], "request"), scope, {})
        return (time.process_time() - began) / 500

    assert min([await round_of_calls() for _ in range(5)]) < 60e-6
