import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import stamina
import structlog

from identity_service.answers import Answer
from identity_service.matching import Recorded
from identity_service.people import personas
from identity_service.sources.source import Finding, Inquiry
from shared.hashing import person_hash
from shared.telemetry import configure_logging
from tests.conftest import Databases
from tests.identity_service.calls import VERIFY, Identity, asked

ANSWERS = (
    "result",
    "differing",
    "without_diacritics",
    "at_coarser_precision",
    "not_comparable",
    "as_of",
)


@pytest.mark.parametrize("persona", personas())
async def test_every_persona_is_answered_as_its_file_says(identity: Identity, persona: str) -> None:
    known = personas()[persona]
    response = await identity.verify(asked(persona))
    assert response.status_code == 200
    answer = response.json()
    assert tuple(answer) == ANSWERS
    assert answer["result"] == known.answer
    assert answer["differing"] == list(known.differing)
    assert abs(datetime.fromisoformat(answer["as_of"]) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_the_gateway_is_told_whose_data_and_which_fields(identity: Identity) -> None:
    number = personas()["match"].personal_number
    response = await identity.verify(asked("match"))
    assert response.headers["X-Subject"] == person_hash(number, identity.settings.hash_key)
    assert response.headers["X-Fields"] == (
        "full_name,birth_date,sex,residence_province,residence_commune"
    )
    absent = await identity.verify(asked("not_found", sex=None, residence=None))
    assert len(absent.headers["X-Subject"]) == 64
    assert absent.headers["X-Fields"] == "full_name,birth_date"


async def test_an_answer_never_holds_what_the_register_holds(identity: Identity) -> None:
    response = await identity.verify(asked("mismatch_name"))
    assert response.json()["differing"] == ["full_name"]
    assert "Chiến" not in response.text


async def test_who_does_not_know_the_person_is_not_told_of_the_death(identity: Identity) -> None:
    response = await identity.verify(asked("deceased", full_name="Người Nào Khác"))
    assert response.json()["result"] == "MISMATCH"


async def test_a_name_that_agrees_only_without_diacritics_says_so(identity: Identity) -> None:
    answer = (await identity.verify(asked("match", full_name="NGUYEN VAN AN"))).json()
    assert (answer["result"], answer["without_diacritics"]) == ("MATCH", ["full_name"])


async def test_year_against_a_whole_date_agrees_and_proves_nothing(identity: Identity) -> None:
    answer = (await identity.verify(asked("match", birth_date="1990"))).json()
    assert (answer["result"], answer["at_coarser_precision"]) == ("AMBIGUOUS", ["birth_date"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("personal_number", "00109000000"),
        ("personal_number", "0010900000012"),
        ("personal_number", "00109000000A"),
        ("personal_number", "٠٠١٠٩٠٠٠٠٠٠١"),
        ("personal_number", 1090000001),
        ("birth_date", "14/05/1990"),
        ("birth_date", "1990-02-30"),
        ("full_name", "   "),
        ("sex", 5),
        ("residence", {"province": "1"}),
        ("residence", {"commune": "000700"}),
    ],
)
async def test_malformed_input_is_refused_and_not_repeated(
    identity: Identity, field: str, value: object
) -> None:
    response = await identity.verify(asked("match", **{field: value}))
    assert response.status_code == 422
    problem = response.json()
    assert problem["type"] == "/problems/invalid-request"
    assert problem["errors"][0]["at"].startswith(f"body.{field}")
    if isinstance(value, str) and value.strip():
        assert value not in response.text
    assert personas()["match"].personal_number not in response.text


async def test_unknown_fields_and_lacking_ones_are_named(identity: Identity) -> None:
    response = await identity.verify({"personal_number": "001090000001", "ho_ten": "x"})
    places = {error["at"] for error in response.json()["errors"]}
    assert {"body.full_name", "body.birth_date"} <= places
    assert response.status_code == 422


async def test_a_body_that_is_no_json_is_refused(identity: Identity) -> None:
    headers = {"Content-Type": "application/json"}
    response = await identity.call(f"POST {VERIFY}", content=b"{", headers=headers)
    assert response.status_code == 422
    unnamed = await identity.call(f"POST {VERIFY}", content=b"{}")
    assert unnamed.status_code == 415


async def test_a_purpose_outside_the_right_is_refused(identity: Identity) -> None:
    right = {"procedures": ["1.001193"]}
    covered = await identity.verify(asked("match"), right=right, purpose="1.001193")
    assert covered.status_code == 200
    for purpose in ("2.002621", None):
        refused = await identity.verify(asked("match"), right=right, purpose=purpose)
        assert refused.status_code == 403
        assert refused.json()["type"] == "/problems/purpose-not-covered"
        number = personas()["match"].personal_number
        assert refused.headers["X-Subject"] == person_hash(number, identity.settings.hash_key)


async def test_a_field_outside_the_right_is_refused_by_its_name(identity: Identity) -> None:
    right = {"fields": ["full_name", "birth_date"]}
    refused = await identity.verify(asked("match", residence=None), right=right)
    assert refused.status_code == 403
    assert refused.json()["fields"] == ["sex"]
    number = personas()["match"].personal_number
    assert refused.headers["X-Subject"] == person_hash(number, identity.settings.hash_key)
    answered = await identity.verify(asked("match", residence=None, sex=None), right=right)
    assert answered.json()["result"] == "MATCH"


async def test_fields_and_procedures_of_two_grants_do_not_cancel_each_other(
    identity: Identity,
) -> None:
    names = {"procedures": None, "fields": ["full_name", "birth_date"], "agencies": None}
    others = {"procedures": ["2.000815"], "fields": ["full_name", "sex"], "agencies": None}
    claim = asked("match", residence=None, sex=None)
    for first, second in ((names, others), (others, names)):
        right = {**first, "others": [second]}
        assert (await identity.verify(claim, right=right)).status_code == 200
        # The fields of the one and those of the other are not one right to both.
        whole = asked("match", residence=None)
        mixed = await identity.verify(whole, right=right, purpose="2.000815")
        assert mixed.json()["type"] == "/problems/fields-not-allowed"
        assert mixed.json()["fields"]


async def test_who_shows_no_token_or_a_right_to_something_else_is_refused(
    identity: Identity,
) -> None:
    assert (await identity.http.post(VERIFY, json=asked("match"))).status_code == 401
    other = identity.authority.headers("GET /identity/v1/agencies", identity.settings.name)
    assert (await identity.http.post(VERIFY, json=asked("match"), headers=other)).status_code == 403
    elsewhere = identity.authority.headers(f"POST {VERIFY}", "dossier_service")
    refused = await identity.http.post(VERIFY, json=asked("match"), headers=elsewhere)
    assert refused.status_code == 401


async def test_a_database_that_is_away_is_told_and_comes_back(
    identity: Identity, postgres: Databases
) -> None:
    postgres.server.stop()
    try:
        for attempt in range(2):
            response = await identity.verify(asked("match"))
            assert response.status_code == 503, attempt
            assert response.headers["Retry-After"]
            assert response.json()["type"] == "/problems/unavailable"
        listed = await identity.call("GET /identity/v1/clients")
        assert listed.status_code == 503
    finally:
        postgres.server.start()
    assert (await identity.verify(asked("match"))).json()["result"] == "MATCH"


@pytest.fixture
def logs() -> Iterator[None]:
    """For a test that sets the logs up as a process does; leaves them as they were."""
    root, structure = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    # Not by the attribute: each logger below remembers whether it is enabled.
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()
    structlog.configure(**structure)
    stamina.instrumentation.set_on_retry_hooks(None)


async def test_no_number_and_no_name_stands_in_the_logs(
    identity: Identity, postgres: Databases, logs: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(identity.settings.model_copy(update={"log_level": "DEBUG"}))
    # A logger that were kept would go on writing so in later tests.
    structlog.configure(cache_logger_on_first_use=False)
    logging.getLogger().setLevel(logging.DEBUG)
    secret = asked("match")
    try:
        await identity.verify(secret)
        await identity.verify(asked("match", sex=9))
        await identity.verify(secret, right={"fields": []})
        await identity.call(f"POST {VERIFY}", content=b"{" + str(secret).encode())
        postgres.server.stop()
        assert (await identity.verify(secret)).status_code == 503
    finally:
        postgres.server.start()
    logged = capsys.readouterr().out
    assert "answered_unavailable" in logged
    for word in (secret["personal_number"], "Nguyễn", "Văn An", "1990-05-14"):
        assert str(word) not in logged


class Holding:
    """A source that holds one record or none, and may say something of it."""

    def __init__(self, recorded: Recorded | None, said: Answer | None = None) -> None:
        self._recorded, self._said = recorded, said

    async def look_up(self, _: Inquiry) -> Finding:
        return Finding(datetime.now(UTC), self._recorded, self._said)


@pytest.mark.parametrize("said", [None, Answer.DECEASED])
async def test_a_record_without_name_or_birth_date_proves_nobody(
    identity: Identity, said: Answer | None
) -> None:
    state, register = identity.app.state, identity.app.state.source
    state.source = Holding(Recorded("", "", None, 1, None, None), said)
    try:
        answer = (await identity.verify(asked("match"))).json()
        other_sex = (await identity.verify(asked("match", sex=2))).json()
    finally:
        state.source = register
    for each in (answer, other_sex):
        assert (each["result"], each["differing"]) == ("AMBIGUOUS", [])
        assert each["not_comparable"] == ["full_name", "birth_date"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (Answer.LOCKED, "AMBIGUOUS"),
        (Answer.DECEASED, "AMBIGUOUS"),
        (Answer.AMBIGUOUS, "AMBIGUOUS"),
        (Answer.NOT_YET_REPLICATED, "NOT_YET_REPLICATED"),
        (Answer.NOT_FOUND, "NOT_FOUND"),
    ],
)
async def test_state_of_a_record_that_nobody_can_prove_to_know_is_not_told(
    identity: Identity, said: Answer, told: str
) -> None:
    state, register = identity.app.state, identity.app.state.source
    state.source = Holding(None, said)
    try:
        answer = (await identity.verify(asked("match"))).json()
    finally:
        state.source = register
    assert (answer["result"], answer["differing"], answer["not_comparable"]) == (told, [], [])


async def test_birth_in_the_future_is_refused_by_its_place(identity: Identity) -> None:
    for born in ("2099", "2999-01-01", "2099-12"):
        response = await identity.verify(asked("match", birth_date=born))
        assert response.status_code == 422
        assert response.json()["errors"][0]["at"] == "body.birth_date"
        assert born not in response.text


@pytest.mark.parametrize(
    "name", ["\u200b", "-", "\u02bc", "\u0640", "\u00aa", "\u00ba", "Lê\u2028Hai"], ids=ascii
)
async def test_name_that_shows_nothing_is_refused(identity: Identity, name: str) -> None:
    response = await identity.verify(asked("match", full_name=name))
    assert response.status_code == 422
