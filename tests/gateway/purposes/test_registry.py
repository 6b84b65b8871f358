"""A purpose is a procedure of the catalogue or a registered legal basis, and nothing else is."""

import re
from datetime import datetime
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.api_docs.openapi import _SHAPES
from gateway.handlers import HANDLERS
from gateway.ledger.records import PurposeKind
from gateway.operations.model import QuotaClass
from gateway.purposes.registry import PurposeRegistry, is_accepted_purpose, is_recordable_purpose
from shared.codes.procedure import PROCEDURE_PATTERN
from tests.conftest import Broker, Databases
from tests.gateway.purposes.catalogues import (
    BASES,
    BIRTH,
    CATALOGUE,
    COPY,
    DOSSIER,
    ENDED_ONES,
    LET_IN,
    NO_CODES,
    NOW,
    UNKNOWN_CODES,
    assert_refused,
    look,
    registry,
)
from tests.support.background import working
from tests.support.event_keys import publishing, send_events
from tests.support.gateway_harness import (
    LIST,
    READ,
    VERIFY,
    Gate,
    Services,
    is_reported,
    make_agency,
    make_grant,
    make_procedure,
    open_gate,
)
from tests.support.waiting import eventually


@pytest.mark.parametrize("purpose", LET_IN)
async def test_procedure_and_legal_basis_are_purposes(strict: Gate, purpose: str) -> None:
    client = await strict.newcomer(make_grant())
    answer, record = await look(strict, client, purpose)
    assert answer.is_success
    assert (record["purpose"], record["purpose_kind"]) == (purpose, LET_IN[purpose])


@pytest.mark.parametrize("purpose", [*NO_CODES, *UNKNOWN_CODES])
async def test_anything_else_is_refused_and_recorded(strict: Gate, purpose: str) -> None:
    client = await strict.newcomer(make_grant())
    asked = len(strict.services.asked)
    answer, record = await look(strict, client, purpose)
    assert_refused(answer, purpose)
    assert len(strict.services.asked) == asked
    assert (record["outcome"], record["purpose_kind"]) == ("refused", "unknown")


@pytest.mark.parametrize("purpose", [*NO_CODES, "999/2025/QH15"])
async def test_text_that_may_name_a_person_is_not_recorded(strict: Gate, purpose: str) -> None:
    client = await strict.newcomer(make_grant())
    _, record = await look(strict, client, purpose)
    assert (record["purpose"], record["purpose_kind"]) == (None, "unknown")


async def test_unknown_procedure_code_is_recorded_as_it_was_sent(strict: Gate) -> None:
    client = await strict.newcomer(make_grant())
    _, record = await look(strict, client, "9.999999.H26")
    assert (record["purpose"], record["purpose_kind"]) == ("9.999999.H26", "unknown")


async def test_list_without_personal_data_needs_no_purpose_and_takes_no_false_one(
    strict: Gate,
) -> None:
    client = await strict.newcomer(make_grant())
    assert (await strict.ask(LIST, client=client, headers={"X-Purpose": None})).is_success
    answer, _ = await look(strict, client, "9.999999", operation=LIST)
    assert_refused(answer, "9.999999")


@pytest.mark.parametrize("purpose", ENDED_ONES)
async def test_ended_procedure_is_a_purpose_for_a_dossier_alone(strict: Gate, purpose: str) -> None:
    client = await strict.newcomer(make_grant())
    refused, record = await look(strict, client, purpose)
    assert_refused(refused, purpose)
    assert (record["purpose"], record["purpose_kind"]) == (purpose, "ended_procedure")
    for_dossier, record = await look(strict, client, purpose, dossier=DOSSIER)
    assert for_dossier.is_success
    assert (record["purpose_kind"], record["dossier"]) == ("ended_procedure", DOSSIER)
    read, _ = await look(strict, client, purpose, operation=READ.format(code=DOSSIER))
    assert read.is_success


@pytest.mark.parametrize("purpose", ENDED_ONES)
@pytest.mark.parametrize(
    "operation", ["POST /dossier/v1/dossiers", LIST, "GET /sync/v1/indicators"]
)
async def test_header_opens_an_ended_procedure_to_no_call_beside_a_verification(
    strict: Gate, operation: str, purpose: str
) -> None:
    client, asked = await strict.newcomer(make_grant(operations=["*"])), len(strict.services.asked)
    answer, record = await look(strict, client, purpose, dossier=DOSSIER, operation=operation)
    assert_refused(answer, purpose)
    assert len(strict.services.asked) == asked
    assert (record["purpose"], record["outcome"]) == (purpose, "refused")


async def test_legal_basis_that_no_longer_holds_is_no_purpose(strict: Gate) -> None:
    client = await strict.newcomer(make_grant())
    answer, record = await look(strict, client, "13/2023/ND-CP", dossier=DOSSIER)
    assert_refused(answer, "13/2023/ND-CP")
    assert (record["purpose"], record["purpose_kind"]) == ("13/2023/ND-CP", "ended_legal_basis")


async def test_refused_purposes_spend_the_quota_of_refusals(strict: Gate) -> None:
    """Each refusal is on record, so nobody may cause them without end."""
    client = await strict.newcomer(make_grant())
    spent = []
    spend = strict.admission._quotas.count_call

    def note(holder: str, quota_class: QuotaClass, **limits: Any) -> None:
        spent.append((holder, str(quota_class)))
        spend(holder, quota_class, **limits)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict.admission._quotas, "count_call", note)
        await strict.ask(VERIFY, client=client, headers={"X-Purpose": "đi chơi"})
    assert spent == [(client, "refused")]


@given(st.text(max_size=64) | st.text("0123456789./HQND-P ", max_size=24))
@example("\N{ARABIC-INDIC DIGIT ONE}.001193")
@example("9.999999\n")
def test_text_that_is_no_registered_code_is_never_a_purpose(text: str) -> None:
    known = registry()
    kind = known.classify_purpose(text, now=NOW)
    if text not in BASES and text[:8] not in CATALOGUE:
        assert kind is PurposeKind.UNKNOWN
        assert not is_accepted_purpose(kind, continues_dossier=True)
        assert not is_recordable_purpose(text, kind) or re.fullmatch(PROCEDURE_PATTERN, text)


@given(st.from_regex(re.compile(r"[1-9]\.[0-9]{6}", re.ASCII), fullmatch=True))
def test_incomplete_catalogue_refuses_no_code_of_the_right_form(code: str) -> None:
    kind = registry(complete=False).classify_purpose(code, now=NOW)
    assert kind in {PurposeKind.UNCHECKED, PurposeKind.PROCEDURE, PurposeKind.ENDED_PROCEDURE}


def test_most_specific_entry_of_the_catalogue_decides() -> None:
    known = registry()
    found = {code: known.classify_purpose(code, now=NOW) for code in (*LET_IN, *ENDED_ONES)}
    assert found == LET_IN | ENDED_ONES


LOCALISED = {
    # To a client of H26.14, while the agencies above are known and these are not.
    "1.001193.H26.14": PurposeKind.PROCEDURE,
    "1.001193.H26.14.5": PurposeKind.PROCEDURE,
    "1.001193.005.14.00.H26": PurposeKind.UNKNOWN,
    "1.001193.000.00.14.H26": PurposeKind.PROCEDURE,
    "1.001193.H26.15": PurposeKind.UNKNOWN,
    "1.001193.H29.2": PurposeKind.PROCEDURE,
    "1.001193.000.00.02.H29": PurposeKind.UNKNOWN,
    "1.001193.H29.3": PurposeKind.UNKNOWN,
    "1.001193.Z99": PurposeKind.UNKNOWN,
    "1.000656.Z99": PurposeKind.UNKNOWN,
    "1.000656.H29": PurposeKind.ENDED_PROCEDURE,
}


def test_localised_code_names_a_known_agency_or_one_of_the_callers() -> None:
    known = registry()
    found = {code: known.classify_purpose(code, now=NOW, agency="H26.14") for code in LOCALISED}
    assert found == LOCALISED


def test_localised_code_is_not_refused_for_its_agency_while_none_is_known() -> None:
    known = registry()
    known.replace_agencies(())
    assert known.classify_purpose("1.001193.Z99", now=NOW, agency="H26") is PurposeKind.PROCEDURE


async def test_agency_is_known_as_soon_as_it_is_registered_or_has_a_client(strict: Gate) -> None:
    client = await strict.newcomer(make_grant())

    async def is_answered(purpose: str, status: HTTPStatus) -> bool:
        answer, _ = await look(strict, client, purpose)
        return answer.status_code == status

    assert await is_answered("1.001193.H41.7", HTTPStatus.FORBIDDEN)
    await strict.tell(make_agency("H41.7"))
    await eventually(lambda: is_answered("1.001193.H41.7", HTTPStatus.OK))
    assert await is_answered("1.001193.G15", HTTPStatus.FORBIDDEN)
    await strict.newcomer(agency="G15.3")
    assert await is_answered("1.001193.G15", HTTPStatus.OK)


def test_legal_basis_holds_from_its_first_day_to_its_last_in_viet_nam() -> None:
    known = PurposeRegistry(BASES)
    instants = {
        "2023-06-30T23:59:59+07:00": PurposeKind.ENDED_LEGAL_BASIS,
        "2023-07-01T00:00:00+07:00": PurposeKind.LEGAL_BASIS,
        "2025-12-31T23:59:59+07:00": PurposeKind.LEGAL_BASIS,
        "2026-01-01T00:00:00+07:00": PurposeKind.ENDED_LEGAL_BASIS,
    }
    found = {
        instant: known.classify_purpose(
            "13/2023/ND-CP", now=datetime.fromisoformat(instant).timestamp()
        )
        for instant in instants
    }
    assert found == instants


def test_catalogue_once_complete_stays_so_while_more_is_announced() -> None:
    known = registry()
    known.replace_procedures(CATALOGUE, announced=len(CATALOGUE) + 100)
    assert known.complete
    assert known.classify_purpose("9.999999", now=NOW) is PurposeKind.UNKNOWN


async def test_gateway_without_a_catalogue_takes_each_code_and_says_so(
    postgres: Databases, services: Services
) -> None:
    async with open_gate(postgres.migrated_url("gateway"), services) as gate:
        client = await gate.newcomer(make_grant())
        for told in (None, make_procedure(COPY, catalogue_size=2)):
            if told:
                await gate.tell(told)
            answer, record = await look(gate, client, BIRTH)
            assert answer.is_success
            assert (record["purpose"], record["purpose_kind"]) == (BIRTH, "unchecked")
            refused, _ = await look(gate, client, "đi chơi")
            assert_refused(refused, "đi chơi")
            assert await is_reported(gate, "catalogue_complete", "CatalogueIncompleteError")
            assert await gate.is_ready()
        await gate.tell(make_procedure("1.004222", catalogue_size=2))
        assert await is_reported(gate, "catalogue_complete", "ok")
        refused, _ = await look(gate, client, BIRTH)
        assert_refused(refused, BIRTH)


async def test_restarted_gateway_knows_the_catalogue_from_its_first_call(
    postgres: Databases, services: Services
) -> None:
    url = postgres.migrated_url("gateway")
    async with open_gate(url, services) as gate:
        await gate.tell(make_procedure(BIRTH))
    async with open_gate(url, services) as gate:
        client = await gate.newcomer(make_grant())
        refused, _ = await look(gate, client, COPY)
        assert_refused(refused, COPY)


@pytest.mark.broker
async def test_published_procedure_is_a_purpose_without_waiting_for_a_round(
    postgres: Databases, services: Services, own_kafka: Broker
) -> None:
    async with (
        open_gate(postgres.migrated_url("gateway"), services) as gate,
        working(gate.settings, HANDLERS, own_kafka),
        publishing(own_kafka.servers, idempotent=own_kafka.idempotent) as catalogue,
    ):
        client = await gate.newcomer(make_grant())

        async def is_answered(purpose: str, status: HTTPStatus) -> bool:
            headers: dict[str, str | None] = {"X-Purpose": purpose}
            answer = await gate.ask(VERIFY, client=client, headers=headers)
            return answer.status_code == status

        await send_events(catalogue, make_procedure(BIRTH))
        await eventually(lambda: is_answered(COPY, HTTPStatus.FORBIDDEN))
        assert await is_answered(BIRTH, HTTPStatus.OK)
        await send_events(catalogue, make_procedure(COPY, catalogue_size=2))
        await eventually(lambda: is_answered(COPY, HTTPStatus.OK))
        await send_events(catalogue, make_procedure(COPY, version=2, active=False))
        await eventually(lambda: is_answered(COPY, HTTPStatus.FORBIDDEN))


@pytest.mark.parametrize("purpose", [*LET_IN, *ENDED_ONES, *NO_CODES, *UNKNOWN_CODES, *BASES])
def test_description_allows_the_form_of_each_purpose_and_no_other(purpose: str) -> None:
    allowed = re.search(str(_SHAPES["X-Purpose"]["pattern"]), purpose) is not None
    assert allowed == (purpose not in NO_CODES)
