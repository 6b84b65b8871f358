"""Text that names a person stays out of the ledger, the log and the services, refused or not."""

import json
import logging
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from shared.codes.officer import OFFICER_PATTERN
from shared.events import VerificationGuessed
from tests.gateway.access.test_authorization import problem
from tests.support.gateway_harness import FILE, LIST, READ, VERIFY, Gate, make_client, make_grant

DOSSIER, OTHER_DOSSIER = "H26.14-240823-0001", "H26.14-240823-0002"
FREE_TEXTS = (
    "hỏi giúp ông Nguyễn Văn An",
    "ông Nguyễn Văn An, số 5 Hàng Bạc",
    "Nguyen Van An",
    "An/5 Hang Bac",
    "-an",
    "_an",
    "an+hanoi",
    "1.001193.Nguyễn Văn An",
    "1.001193 cho ông An",
    "79/1995",
    "\u0661.\u0660\u0660\u0661\u0661\u0669\u0663",
    "ông An " * 20,
)
# The other headers of a call that is refused for a reason of its own.
REFUSALS: dict[str, tuple[str, dict[str, str | None]]] = {
    "by the purpose alone": (VERIFY, {}),
    "without an officer": (VERIFY, {"X-Officer": None}),
    "with an officer of blanks": (VERIFY, {"X-Officer": "  "}),
    "with an officer that is no code": (VERIFY, {"X-Officer": "bà Bình"}),
    "with a number as officer": (VERIFY, {"X-Officer": "079203001234"}),
    "with a dossier that is no code": (VERIFY, {"X-Dossier": "hồ sơ của ông An"}),
    "with a dossier of blanks": (VERIFY, {"X-Dossier": " "}),
    "with a dossier of a day that is none": (VERIFY, {"X-Dossier": "H26.14-240230-0001"}),
    "with another dossier than the path": (
        READ.format(code=DOSSIER),
        {"X-Dossier": OTHER_DOSSIER},
    ),
    "where no personal data is touched": (LIST, {}),
    "without a right to the operation": (FILE, {}),
}
UNPROVEN: dict[str, dict[str, Any]] = {
    "inactive client": {"active": False},
    "client of another agency": {"agency": "H29"},
}
KINDS = {"request-malformed", "purpose-missing", "purpose-unknown", "not-allowed"}


async def assert_kept_nowhere(
    gate: Gate, client: str, answer: httpx.Response, text: str, asked: int
) -> None:
    assert answer.is_client_error, answer.text
    assert len(gate.services.asked) == asked, "the call was passed on"
    records = await gate.records(client=client)
    assert records
    spoken = [text.strip(), text.strip().encode("ascii", "backslashreplace").decode()]
    for place in (answer.text, *(str(dict(each)) for each in records)):
        assert not [each for each in spoken if each in place]
    for record in records:
        assert text.strip() not in json.loads(record["record"]).values()


@pytest.mark.parametrize("reason", REFUSALS)
async def test_purpose_that_is_no_code_is_kept_on_no_path(
    gate: Gate, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    client, asked = await gate.newcomer(make_grant()), len(gate.services.asked)
    operation, headers = REFUSALS[reason]
    for text in FREE_TEXTS:
        told = {**headers, "X-Purpose": text}
        with caplog.at_level(logging.DEBUG):
            answer = await gate.ask(operation, client=client, headers=told)
        assert answer.json()["type"].removeprefix("/problems/") in KINDS
        await assert_kept_nowhere(gate, client, answer, text, asked)
        assert text.strip() not in caplog.text


@pytest.mark.parametrize("reason", REFUSALS)
async def test_officer_that_is_no_code_is_refused_and_kept_on_no_path(
    gate: Gate, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    client, asked = await gate.newcomer(make_grant()), len(gate.services.asked)
    operation, headers = REFUSALS[reason]
    for text in FREE_TEXTS:
        told = {**headers, "X-Officer": text}
        with caplog.at_level(logging.DEBUG):
            answer = await gate.ask(operation, client=client, headers=told)
        detail = problem(answer, 400, "request-malformed")["detail"]
        assert "X-Officer" in detail
        assert "letters" in detail
        await assert_kept_nowhere(gate, client, answer, text, asked)
        assert text.strip() not in caplog.text


@pytest.mark.parametrize("change", UNPROVEN)
@pytest.mark.parametrize("name", ["X-Purpose", "X-Officer"])
async def test_client_that_may_not_call_leaves_no_text_either(
    gate: Gate, change: str, name: str
) -> None:
    client = await gate.newcomer(make_grant())
    await gate.tell(make_client(client, **{"version": 2, **UNPROVEN[change]}))
    asked, text = len(gate.services.asked), FREE_TEXTS[0]
    answer = await gate.ask(VERIFY, client=client, headers={name: text})
    await assert_kept_nowhere(gate, client, answer, text, asked)


@pytest.mark.usefixtures("stopped_quota_clock")
@pytest.mark.parametrize("name", ["X-Purpose", "X-Officer"])
async def test_spent_quota_leaves_no_text_either(gate: Gate, name: str) -> None:
    client = await gate.newcomer(make_grant(per_second=1))
    assert (await gate.ask(VERIFY, client=client)).is_success
    assert (await gate.ask(VERIFY, client=client)).status_code == HTTPStatus.TOO_MANY_REQUESTS
    asked = len(gate.services.asked)
    answer = await gate.ask(VERIFY, client=client, headers={name: FREE_TEXTS[0]})
    await assert_kept_nowhere(gate, client, answer, FREE_TEXTS[0], asked)


async def test_purpose_that_is_a_code_stays_on_record_where_the_call_is_refused(
    gate: Gate,
) -> None:
    for headers in ({"X-Officer": None}, {"X-Dossier": "none"}):
        client = await gate.newcomer(make_grant())
        told: dict[str, str | None] = {"X-Purpose": "1.001193", **headers}
        assert (await gate.ask(VERIFY, client=client, headers=told)).is_client_error
        [record] = await gate.records(client=client)
        kept = json.loads(record["record"])
        assert (kept["purpose"], kept["outcome"]) == ("1.001193", "refused")


@pytest.mark.parametrize(
    "officer",
    ["a", "7", "officer-17", "H26.14-0007", "binh.tt@hanoi.gov.vn", "a_b", "A" * 64],
)
async def test_officer_that_is_a_code_is_passed_on_and_recorded(gate: Gate, officer: str) -> None:
    client = await gate.newcomer(make_grant())
    answer = await gate.ask(VERIFY, client=client, headers={"X-Officer": officer})
    assert answer.is_success
    assert gate.services.asked[-1].headers["X-Officer"] == officer
    [record] = await gate.records(client=client)
    assert json.loads(record["record"])["officer"] == officer


def test_event_names_an_officer_by_a_code_alone() -> None:
    schema = VerificationGuessed.model_json_schema()["properties"]["officer"]
    assert [each.get("pattern") for each in schema["anyOf"]] == [f"^{OFFICER_PATTERN}$", None]
