"""Each question that `make bench` asks is one that the services accept."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import islice
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from pydantic import SecretStr

from deploy.bench.load import LoadRequest
from deploy.bench.mesh import Mesh, _claim
from deploy.bench.questions import (
    ALL_COMMUNES,
    FILTERS,
    INDICATORS,
    later_page,
    lists,
    look_ups,
    visible_codes,
)
from deploy.bench.transitions import moves
from deploy.postgres import plain_url
from gateway.operations.matching import Match, match_operation
from identity_service.persons.schemas import VerificationIn
from identity_service.sandbox.generator import generate_people
from shared.web.pagination import read_cursor
from sync_service.settings import Settings as SyncSettings
from tests.conftest import Databases
from tests.deploy.filled import filled_database
from tests.dossier_service.conftest import make_settings as make_dossier_settings
from tests.dossier_service.conftest import serving as serving_dossiers
from tests.support.event_keys import key_text
from tests.support.factories import CALL_KEY, DIGEST_KEY, TestAuthority
from tests.sync_service.conftest import serving as serving_national_view

BASE = "http://gateway"
CLIENT = {"X-Purpose": "1.001193", "X-Officer": "bench"}
SOME = 20


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority()


class Service:
    """Answers the bench's requests as it does behind the gateway, for a client with all rights."""

    def __init__(self, name: str, http: httpx.AsyncClient, authority: TestAuthority) -> None:
        self.name, self.http, self._authority = name, http, authority

    def signed(self, method: str, path: str) -> dict[str, str]:
        found = match_operation(method, path)
        assert isinstance(found, Match), path
        return self._authority.headers(found.operation.name, self.name, agencies=None)

    async def ask(self, sent: LoadRequest) -> httpx.Response:
        head, _, body = sent.partition(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        method, target, _ = line.split(" ")
        headers = dict(field.split(": ", 1) for field in fields)
        signed = self.signed(method, target.partition("?")[0])
        return await self.http.request(method, target, headers=headers | signed, content=body)


@asynccontextmanager
async def filled_dossier_service(
    postgres: Databases, authority: TestAuthority
) -> AsyncIterator[tuple[Service, str]]:
    settings = await asyncio.to_thread(make_dossier_settings, postgres)
    async with (
        filled_database("dossier_service", settings),
        serving_dossiers(settings, authority) as desk,
    ):
        url = settings.database.set(username="postgres").render_as_string()
        yield Service("dossier_service", desk.http, authority), url


@asynccontextmanager
async def filled_sync_service(
    postgres: Databases, authority: TestAuthority
) -> AsyncIterator[Service]:
    settings = SyncSettings(
        database_url=postgres.migrated_url("sync_service"),
        kafka_servers="127.0.0.1:1",
        call_key=CALL_KEY,
        digest_key=DIGEST_KEY,
        event_key=SecretStr(key_text("sync_service")),
    )
    async with (
        filled_database("sync_service", settings),
        serving_national_view(settings, authority) as national,
    ):
        yield Service("sync_service", national.http, authority)


async def assert_lists_are_answered(service: Service) -> None:
    questions = lists(BASE, service.name, CLIENT)
    assert questions.keys() > FILTERS.keys()
    found: Mapping[str, int] = {}
    for kind, requests in questions.items():
        for sent in islice(requests, SOME if kind == "deep cursor" else 1):
            answer = await service.ask(sent)
            assert answer.status_code == 200, (kind, answer.text)
            found = {**found, kind: found.get(kind, 0) + len(answer.json()["items"])}
    assert [kind for kind, count in found.items() if not count] == ["nothing found"]


async def test_dossier_service_answers_the_lists_and_look_ups_of_the_bench(
    postgres: Databases, authority: TestAuthority
) -> None:
    async with filled_dossier_service(postgres, authority) as (service, url):
        await assert_lists_are_answered(service)
        codes = await visible_codes(plain_url(url))
        assert codes
        for sent in islice(look_ups(BASE, service.name, CLIENT, codes), SOME):
            assert (await service.ask(sent)).status_code == 200


async def test_sync_service_answers_the_lists_and_indicators_of_the_bench(
    postgres: Databases, authority: TestAuthority
) -> None:
    async with filled_sync_service(postgres, authority) as service:
        await assert_lists_are_answered(service)
        signed = service.signed("GET", ALL_COMMUNES.partition("?")[0])
        service.http.headers.update(signed)
        for kind, path in INDICATORS.items():
            assert (await service.http.get(path)).status_code == 200, kind
        for pages in (1, 2):
            later = await later_page(service.http, ALL_COMMUNES, pages)
            assert read_cursor(later.partition("&after=")[2])
            page = await service.http.get(later)
            assert page.status_code == 200
            assert page.json()["groups"]["items"]


async def test_dossier_service_takes_the_filings_and_moves_of_the_bench(
    postgres: Databases, authority: TestAuthority
) -> None:
    mesh = cast("Mesh", SimpleNamespace(headers=lambda: CLIENT, url=BASE))
    settings = await asyncio.to_thread(make_dossier_settings, postgres)
    async with serving_dossiers(settings, authority) as desk:
        service = Service("dossier_service", desk.http, authority)
        answers = [await service.ask(sent) for sent in islice(Mesh.filings(mesh), 3)]
        assert [answer.status_code for answer in answers] == [201] * 3
        codes = [answer.json()["code"] for answer in answers]
        moved = [await service.ask(sent) for sent in islice(moves(mesh, BASE, codes), 12)]
        assert [answer.status_code for answer in moved] == [200] * 12


def test_claims_of_the_bench_are_read_by_the_identity_service() -> None:
    for person in generate_people(SOME, seed=1):
        VerificationIn.model_validate_json(_claim(person))
