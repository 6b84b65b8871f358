"""The document of the API is the same in both languages, but for the texts that persons read."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.api_docs.openapi import merge_api_documents
from gateway.api_docs.translation import map_texts, translate_document
from gateway.operations.model import Service
from shared.texts.languages import Language
from tests.contracts.test_openapi import DOCUMENTS
from tests.support.gateway_harness import Gate

ENGLISH = merge_api_documents({service: dict(DOCUMENTS[service.value]) for service in Service})
VIETNAMESE = translate_document(ENGLISH, Language.VIETNAMESE)
# These are the same in both languages.
SAME = {"Cấp thực hiện: bộ, tỉnh, xã, cơ quan khác."}


def list_texts(document: dict[str, Any]) -> list[str]:
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    map_texts(document, note)
    return found


def test_every_text_of_the_document_is_translated() -> None:
    pairs = zip(list_texts(ENGLISH), list_texts(VIETNAMESE), strict=True)
    assert {text for text, translation in pairs if text == translation} == SAME


def test_only_texts_differ() -> None:
    assert map_texts(ENGLISH, lambda _: "") == map_texts(VIETNAMESE, lambda _: "")


def test_default_is_the_document_of_the_services() -> None:
    assert translate_document(ENGLISH, Language.ENGLISH) == ENGLISH


def test_types_of_problems_stay_in_a_translated_answer() -> None:
    answer = VIETNAMESE["paths"]["/dossier/v1/dossiers/{code}"]["get"]["responses"]["404"]
    assert answer["description"] == (
        "Dữ liệu không tồn tại, hoặc nằm ngoài quyền: `/problems/dossier-not-found`"
    )


def test_names_and_examples_are_no_texts() -> None:
    document = {
        "components": {
            "schemas": {
                "description": {
                    "properties": {"summary": {"description": "twelve digits"}},
                    "example": {"description": "twelve digits"},
                    "examples": [{"description": "twelve digits"}],
                }
            }
        }
    }
    translated = translate_document(document, Language.VIETNAMESE)["components"]["schemas"]
    assert translated["description"] == {
        "properties": {"summary": {"description": "mười hai chữ số"}},
        "example": {"description": "twelve digits"},
        "examples": [{"description": "twelve digits"}],
    }


def list_ways() -> Iterator[tuple[str, dict[str, str], str]]:
    browser = {"Accept-Language": "vi-VN,vi;q=0.9,en;q=0.8"}
    yield "", {}, "en"
    yield "", browser, "vi"
    yield "?lang=vi", {}, "vi"
    yield "?lang=en", browser, "en"
    yield "?lang=fr", browser, "vi"
    yield "?lang=", {}, "en"


@pytest.mark.parametrize(("query", "headers", "language"), [*list_ways()])
@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
async def test_page_is_in_the_language_that_is_asked_for(
    gate: Gate, path: str, query: str, headers: dict[str, str], language: str
) -> None:
    answer = await gate.http.get(path + query, headers=headers)
    assert answer.is_success
    assert answer.headers["Content-Language"] == language
    assert answer.headers["Vary"] == "Accept-Encoding, Accept-Language"
    if path == "/docs":
        assert re.search(r'<html lang="(\w+)">', answer.text)[1] == language  # type: ignore[index]
    else:
        begin = {"en": "Send all requests", "vi": "Hãy gửi mọi yêu cầu"}[language]
        assert answer.json()["info"]["description"].startswith(begin)


async def test_copy_in_one_language_is_not_taken_for_the_other(gate: Gate) -> None:
    tag = (await gate.http.get("/openapi.json")).headers["ETag"]
    vietnamese = {"Accept-Language": "vi", "If-None-Match": tag}
    assert (await gate.http.get("/openapi.json", headers=vietnamese)).status_code == 200
    assert (await gate.http.get("/openapi.json", headers={"If-None-Match": tag})).status_code == 304


def test_document_without_a_service_says_so_in_both_languages() -> None:
    parts = {service: dict(DOCUMENTS[service.value]) for service in Service}
    document = merge_api_documents({**parts, Service.SYNC: None})
    described = translate_document(document, Language.VIETNAMESE)["info"]["description"]
    assert described.endswith("**Hiện không kết nối được nên bỏ qua: sync.**")
    assert "Unreachable now and omitted: sync" in document["info"]["description"]
