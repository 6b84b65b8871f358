"""A problem is in Vietnamese for those who prefer it, and in English for all others."""

from typing import Any

import httpx
import pytest

from tests.shared.web.test_problems import NUMBER, client

__all__ = ["client"]

VIETNAMESE = {"Accept-Language": "vi-VN,vi;q=0.9,en;q=0.8"}


async def test_problem_without_a_preferred_language_is_english(client: httpx.AsyncClient) -> None:
    answer = await client.get("/race")
    assert answer.json()["title"] == "The resource was changed since it was read"
    assert answer.headers["Content-Language"] == "en"
    assert answer.headers["Vary"] == "Accept-Language"


async def test_problem_is_answered_in_the_language_of_its_caller(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/race", headers=VIETNAMESE)
    assert answer.headers["Content-Language"] == "vi"
    assert answer.headers["Vary"] == "Accept-Language"
    assert answer.json() == {
        "type": "/problems/changed-meanwhile",
        "title": "Dữ liệu đã bị thay đổi kể từ khi được đọc",
        "status": 412,
        "detail": "Hãy đọc lại và gửi lại thay đổi với ETag mới.",
        "trace_id": answer.headers["X-Trace-Id"],
    }


@pytest.mark.parametrize(
    ("method", "path", "title", "detail"),
    [
        ("GET", "/x", "Không tìm thấy", "Không có gì tại đường dẫn này"),
        ("PUT", "/people", "Phương thức không được phép", "GET, HEAD, POST"),
        ("GET", "/bug", "Lỗi bên trong máy chủ", "trace_id"),
    ],
)
async def test_answer_without_a_type_is_translated_too(
    client: httpx.AsyncClient, method: str, path: str, title: str, detail: str
) -> None:
    answer = await client.request(method, path, headers=VIETNAMESE)
    assert answer.headers["Content-Language"] == "vi"
    assert answer.json()["title"] == title
    assert detail in answer.json()["detail"]


TRANSLATED: dict[str, tuple[dict[str, Any], str]] = {
    "a text of pydantic": ({}, "Trường bắt buộc"),
    "one with a value": (
        {"number": NUMBER, "code": "a"},
        "Chuỗi phải khớp với mẫu '^[A-Z]$'",
    ),
    "an example": (
        {"number": NUMBER, "homes": [{"commune": NUMBER}]},
        "Không đúng hình thức yêu cầu: ví dụ 00004; mẫu ^[0-9]{5}$",
    ),
    "a description": ({"number": "x"}, "Không đúng hình thức yêu cầu: mười hai chữ số"),
    "a choice": (
        {"number": NUMBER, "sex": 3},
        "Hãy gửi một trong các giá trị 1, 2, kiểu số nguyên",
    ),
    "an unknown field": (
        {"number": NUMBER, NUMBER: 1},
        "Hãy bỏ trường này; các trường ở đây gồm: number, homes, code, birth_year, sex, proof",
    ),
    "an object": ({"number": NUMBER, "homes": [[]]}, "Hãy gửi một đối tượng JSON, {…}"),
}


@pytest.mark.parametrize(("body", "correction"), TRANSLATED.values(), ids=TRANSLATED)
async def test_correction_of_a_field_is_translated(
    client: httpx.AsyncClient, body: dict[str, Any], correction: str
) -> None:
    answer = await client.post("/people", json=body, headers=VIETNAMESE)
    assert answer.status_code == 422
    assert [fault["is"] for fault in answer.json()["errors"]] == [correction]
    assert answer.json()["title"] == "Yêu cầu không đúng hình thức"
    assert NUMBER not in answer.text
