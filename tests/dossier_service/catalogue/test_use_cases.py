import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.procedure import Procedure
from dossier_service.catalogue.use_cases import (
    import_catalogue_file,
    publish_first_procedures,
    publish_procedures,
    read_catalogue_file,
)
from dossier_service.seed import seed
from shared.codes.enums import Channel
from shared.rules.deadlines import Term, Unit
from tests.dossier_service.catalogue.samples import NOW, announced, line, longer, put
from tests.dossier_service.desk import BIRTH, PROCEDURES, SEAL, Desk


async def test_new_content_is_a_new_version_and_the_old_stays(own_desk: Desk) -> None:
    outcome = await put(own_desk, longer(), read_own_procedures()[BIRTH])
    assert (outcome.new, outcome.changed, outcome.unchanged) == (0, 1, 1)
    for version, days in ((1, 3), (2, 5)):
        answer = await own_desk.call(
            f"GET {PROCEDURES}/{{code}}", f"{PROCEDURES}/{SEAL}", params={"version": version}
        )
        assert answer.json()["procedure"]["channels"][0]["duration"] == days
    current = await own_desk.call(f"GET {PROCEDURES}/{{code}}", f"{PROCEDURES}/{SEAL}")
    assert current.json()["version"] == 2


async def test_database_refuses_to_change_a_version(own_desk: Desk) -> None:
    for statement in (
        "UPDATE procedure_version SET version = 9",
        "DELETE FROM procedure_version",
        "UPDATE dossier_step SET reason = 'x'",
        "DELETE FROM dossier_step",
    ):
        await own_desk.file()
        with pytest.raises(DBAPIError, match="are never changed"):
            await own_desk.rows(statement)


async def test_own_entry_wins_over_the_published_one(
    own_desk: Desk, file: Callable[..., Path]
) -> None:
    published = read_catalogue_file(file(line(BIRTH), line("1.555555")))
    async with own_desk.sessions.begin() as session:
        outcome = await publish_first_procedures(session, read_own_procedures(), published, now=NOW)
    assert outcome
    assert (outcome.new, outcome.changed) == (1, 0)
    async with own_desk.sessions.begin() as session:
        assert (
            await publish_first_procedures(session, read_own_procedures(), published, now=NOW)
            is None
        )


async def test_published_channels_are_added_to_the_own_entry(
    own_desk: Desk, file: Callable[..., Path]
) -> None:
    by_post = {"channel": "Dịch vụ bưu chính", "text": "2 Ngày làm việc5,000 VNĐGửi bưu điện"}
    at_desk = {"channel": "Trực tiếp", "text": "3 Ngày làm việcMiễn phí"}
    published = read_catalogue_file(
        file(line(BIRTH, channels=[at_desk, by_post], conditions_text="Có giấy chứng sinh"))
    )
    assert not read_own_procedures()[BIRTH].accepts_channel(Channel.POST)
    async with own_desk.sessions.begin() as session:
        outcome = await import_catalogue_file(session, published, read_own_procedures(), now=NOW)
    assert outcome.added == {BIRTH: ["channel 3", "conditions_text"]}
    assert "term of channel 1" in outcome.overruled[BIRTH]
    shown = await own_desk.call(f"GET {PROCEDURES}/{{code}}", f"{PROCEDURES}/{BIRTH}")
    procedure = Procedure.model_validate(shown.json()["procedure"])
    assert procedure.term(Channel.POST) == Term(2, Unit.WORKING_DAY)
    assert procedure.term(Channel.DESK) == Term(1, Unit.WORKING_DAY, same_day=True)
    assert [fee.amount_vnd for fee in procedure.list_fees_due(Channel.POST)] == [5_000]
    assert procedure.papers == read_own_procedures()[BIRTH].papers
    assert procedure.conditions_text == "Có giấy chứng sinh"


async def test_seeding_twice_changes_nothing(own_desk: Desk, file: Callable[..., Path]) -> None:
    path = str(file(line("1.555555")))
    settings = own_desk.settings.model_copy(update={"catalogue_file": path})
    counts = "SELECT count(*), sum(version) FROM procedure_version"
    await seed(settings)
    first = await own_desk.rows(counts)
    await seed(settings)
    assert await own_desk.rows(counts) == first
    assert first[0][0] == len(read_own_procedures()) + 1


async def test_service_takes_no_file_that_nobody_named(own_desk: Desk) -> None:
    assert own_desk.settings.published_procedures is None
    await seed(own_desk.settings)
    assert await own_desk.rows("SELECT count(*) FROM procedure") == [(len(read_own_procedures()),)]


async def test_what_is_published_is_announced_with_its_longest_term(own_desk: Desk) -> None:
    seeded = await announced(own_desk)
    assert {each["code"] for each in seeded} == read_own_procedures().keys()
    await put(own_desk, longer(), read_own_procedures()[BIRTH])
    (event,) = (await announced(own_desk))[len(seeded) :]
    assert {name: event[name] for name in ("code", "version", "active", "levels")} == {
        "code": SEAL,
        "version": 2,
        "active": True,
        "levels": list(read_own_procedures()[SEAL].levels),
    }
    term = [event[f"term_{name}"] for name in ("duration", "unit", "same_day")]
    assert term == [5, "working_day", False]


async def test_each_announcement_states_how_many_procedures_there_are(own_desk: Desk) -> None:
    count = len(read_own_procedures())
    assert {each["catalogue_size"] for each in await announced(own_desk)} == {count}
    other = read_own_procedures()[BIRTH].model_copy(update={"code": "1.999999"})
    await put(own_desk, other, longer())
    assert [each["catalogue_size"] for each in (await announced(own_desk))[count:]] == [
        count + 1
    ] * 2


async def test_catalogue_that_was_announced_in_an_older_shape_is_announced_once_more(
    own_desk: Desk,
) -> None:
    await seed(own_desk.settings)
    before = await announced(own_desk)
    older = hashlib.sha256(b"catalogue.procedure.published.v1").digest()
    change = "UPDATE catalogue_import SET digest = :older WHERE source = 'announcement' RETURNING 1"
    async with own_desk.sessions.begin() as session:
        assert (await session.scalars(text(change), {"older": older})).all() == [1]
    for _ in range(2):
        await seed(own_desk.settings)
    again = (await announced(own_desk))[len(before) :]
    assert sorted(each["code"] for each in again) == sorted(read_own_procedures())


async def test_announcement_needs_the_publication(own_desk: Desk) -> None:
    before = await announced(own_desk)
    async with own_desk.sessions() as session:
        await publish_procedures(session, [longer()], now=NOW)
        await session.rollback()
    assert await announced(own_desk) == before


async def test_catalogue_that_was_published_before_is_announced_once_when_seeded_again(
    own_desk: Desk,
) -> None:
    seeded = await announced(own_desk)
    async with own_desk.sessions.begin() as session:
        await session.execute(text("DELETE FROM outbox"))
    await seed(own_desk.settings)
    await seed(own_desk.settings)
    again = await announced(own_desk)
    assert len(again) == len(seeded)
    assert {each["code"]: each for each in again} == {each["code"]: each for each in seeded}
