import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dossier_service.catalogue import cache
from dossier_service.catalogue.cache import ProcedureShelf
from dossier_service.catalogue.commands import announce
from dossier_service.catalogue.own_procedures import own_procedures
from dossier_service.catalogue.procedure import Procedure
from dossier_service.catalogue.use_cases import begin, import_file, publish, read_file
from dossier_service.seed import seed
from dossier_service.settings import Settings
from shared.codes.enums import Channel
from shared.rules.deadlines import Term, Unit
from tests.dossier_service.conftest import PERSON_KEY
from tests.dossier_service.desk import BIRTH, PROCEDURES, SEAL, Desk, at, instant
from tests.support.event_keys import key_text
from tests.support.factories import CALL_KEY, DIGEST_KEY
from tests.support.waiting import PATIENCE_SECONDS

PUBLISHED = Path(__file__).parents[4] / "shared" / "data" / "procedures.jsonl.gz"
NOW = datetime(2026, 11, 16, 2, tzinfo=UTC)


def line(code: str, **over: Any) -> dict[str, Any]:
    """A procedure as the national portal publishes it."""
    made = {
        "code": code,
        "name": f"Thủ tục {code}",
        "owner": "G15",
        "level": "Cấp xã",
        "sector": "Hộ tịch",
        "decision": "1/QĐ",
        "subjects": ["Công dân Việt Nam"],
        "competent": "Ủy ban nhân dân cấp xã",
        "channels": [{"channel": "Trực tiếp", "text": "3 Ngày làm việcMiễn phí"}],
        "documents_text": "",
        "result_codes": [],
        "result_text": "",
    }
    return made | over


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: dict[str, Any] | str, name: str = "procedures.jsonl") -> Path:
        texts = [each if isinstance(each, str) else json.dumps(each) for each in lines]
        path = tmp_path / name
        path.write_bytes("\n".join(texts).encode())
        return path

    return write


async def put(desk: Desk, *procedures: Procedure) -> Any:
    async with desk.sessions.begin() as session:
        return await publish(session, procedures, now=NOW)


def longer(code: str = SEAL) -> Procedure:
    """The same procedure with five working days instead of three."""
    old = own_procedures()[code].model_dump(mode="json")
    for channel in old["channels"]:
        channel["duration"] = 5
    return Procedure.model_validate(old)


async def test_new_content_is_a_new_version_and_the_old_stays(own_desk: Desk) -> None:
    outcome = await put(own_desk, longer(), own_procedures()[BIRTH])
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


async def test_dossier_keeps_the_version_in_force_at_its_reception(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "CURRENT_SECONDS", 0.0)
    received = await own_desk.file(procedure=SEAL)
    waiting = await own_desk.file(procedure=SEAL, channel=2)
    await put(own_desk, longer())
    handled = await own_desk.move(received, 4)
    assert (handled["procedure_version"], handled["due_at"]) == (1, received["due_at"])
    late = await own_desk.move(waiting, 2)
    assert late["procedure_version"] == 2
    # Five working days from Monday 9:00; Tuesday the 24th is a holiday, and not reached.
    assert instant(late["due_at"]) == at("11-23 09:00")


async def test_shelf_asks_the_database_once(own_desk: Desk) -> None:
    shelf = ProcedureShelf()
    async with own_desk.sessions() as session:
        first = await shelf.current(session, BIRTH)
        await session.close()
        # Closed: a query would begin a transaction again.
        assert await shelf.current(session, BIRTH) is first
        assert await shelf.version(session, BIRTH, 1) is first
        assert not session.in_transaction()
        assert await shelf.current(session, "1.999999") is None


async def test_shelf_is_bounded(own_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_VERSIONS", 3)
    shelf = ProcedureShelf()
    async with own_desk.sessions() as session:
        for code in own_procedures():
            assert await shelf.current(session, code)
    assert len(shelf._versions) == 3


async def test_own_entry_wins_over_the_published_one(
    own_desk: Desk, file: Callable[..., Path]
) -> None:
    published = read_file(file(line(BIRTH), line("1.555555")))
    async with own_desk.sessions.begin() as session:
        outcome = await begin(session, own_procedures(), published, now=NOW)
    assert outcome
    assert (outcome.new, outcome.changed) == (1, 0)
    async with own_desk.sessions.begin() as session:
        assert await begin(session, own_procedures(), published, now=NOW) is None


async def test_published_channels_are_added_to_the_own_entry(
    own_desk: Desk, file: Callable[..., Path]
) -> None:
    by_post = {"channel": "Dịch vụ bưu chính", "text": "2 Ngày làm việc5,000 VNĐGửi bưu điện"}
    at_desk = {"channel": "Trực tiếp", "text": "3 Ngày làm việcMiễn phí"}
    published = read_file(
        file(line(BIRTH, channels=[at_desk, by_post], conditions_text="Có giấy chứng sinh"))
    )
    assert not own_procedures()[BIRTH].accepts(Channel.POST)
    async with own_desk.sessions.begin() as session:
        outcome = await import_file(session, published, own_procedures(), now=NOW)
    assert outcome.added == {BIRTH: ["channel 3", "conditions_text"]}
    assert "term of channel 1" in outcome.overruled[BIRTH]
    shown = await own_desk.call(f"GET {PROCEDURES}/{{code}}", f"{PROCEDURES}/{BIRTH}")
    procedure = Procedure.model_validate(shown.json()["procedure"])
    assert procedure.term(Channel.POST) == Term(2, Unit.WORKING_DAY)
    assert procedure.term(Channel.DESK) == Term(1, Unit.WORKING_DAY, same_day=True)
    assert [fee.amount_vnd for fee in procedure.fees_due(Channel.POST)] == [5_000]
    assert procedure.papers == own_procedures()[BIRTH].papers
    assert procedure.conditions_text == "Có giấy chứng sinh"


def run_import(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dossier_service.catalogue.commands", "import", *arguments],
        env=os.environ
        | {
            "DATABASE_URL": settings.database.render_as_string(hide_password=False),
            "KAFKA_SERVERS": settings.kafka_servers,
            "DIGEST_KEY": DIGEST_KEY.get_secret_value(),
            "EVENT_KEY": key_text("dossier_service"),
            "PERSON_HASH_KEY": PERSON_KEY,
            "CALL_KEY": CALL_KEY.get_secret_value(),
        },
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


def test_import_tells_what_came_of_every_line(
    own_settings: Settings, file: Callable[..., Path]
) -> None:
    path = file(line("1.555555"), "no json", line("1.555555"), line(BIRTH))
    done = run_import(own_settings, str(path))
    assert done.returncode == 1, done.stderr
    assert "4 read: 2 imported" in done.stdout
    assert "2 refused" in done.stdout
    assert "line 2 (no code)" in done.stdout
    assert "line 3 (1.555555): the same code as in line 1" in done.stdout
    assert "1 new, 0 changed, 1 unchanged" in done.stdout
    assert f"own entry {BIRTH}: added nothing; overruled name, requires_result, " in done.stdout
    again = json.loads(run_import(own_settings, str(path), "--json").stdout)
    assert (again["new"], again["changed"], again["unchanged"]) == (0, 0, 2)
    assert again["own"] == [BIRTH]
    assert len(again["report"]["refused"]) == 2


@pytest.mark.skipif(not PUBLISHED.exists(), reason="no published procedures beside the project")
def test_all_that_was_published_is_imported_or_named(
    own_settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "plain.jsonl"
    path.write_bytes(gzip.decompress(PUBLISHED.read_bytes()))
    read = len(path.read_text().splitlines())
    first = json.loads(run_import(own_settings, str(PUBLISHED), "--json").stdout)
    assert first["report"]["read"] == read
    assert first["report"]["imported"] + len(first["report"]["refused"]) == read
    counted = first["new"] + first["changed"] + first["unchanged"]
    assert counted == first["report"]["imported"]
    again = json.loads(run_import(own_settings, str(path), "--json").stdout)
    assert (again["new"], again["changed"]) == (0, 0)


async def test_seeding_twice_changes_nothing(own_desk: Desk, file: Callable[..., Path]) -> None:
    path = str(file(line("1.555555")))
    settings = own_desk.settings.model_copy(update={"catalogue_file": path})
    counts = "SELECT count(*), sum(version) FROM procedure_version"
    await seed(settings)
    first = await own_desk.rows(counts)
    await seed(settings)
    assert await own_desk.rows(counts) == first
    assert first[0][0] == len(own_procedures()) + 1


async def test_service_takes_no_file_that_nobody_named(own_desk: Desk) -> None:
    assert own_desk.settings.published_procedures is None
    await seed(own_desk.settings)
    assert await own_desk.rows("SELECT count(*) FROM procedure") == [(len(own_procedures()),)]


ANNOUNCED = (
    "SELECT convert_from(value, 'UTF8')::json FROM outbox"
    " WHERE headers ->> 'ce_type' = 'catalogue.procedure.published.v1' ORDER BY position"
)


async def announced(desk: Desk) -> list[dict[str, Any]]:
    return [row[0] for row in await desk.rows(ANNOUNCED)]


async def test_what_is_published_is_announced_with_its_longest_term(own_desk: Desk) -> None:
    seeded = await announced(own_desk)
    assert {each["code"] for each in seeded} == own_procedures().keys()
    await put(own_desk, longer(), own_procedures()[BIRTH])
    (event,) = (await announced(own_desk))[len(seeded) :]
    assert {name: event[name] for name in ("code", "version", "active", "levels")} == {
        "code": SEAL,
        "version": 2,
        "active": True,
        "levels": list(own_procedures()[SEAL].levels),
    }
    term = [event[f"term_{name}"] for name in ("duration", "unit", "same_day")]
    assert term == [5, "working_day", False]


async def test_each_announcement_states_how_many_procedures_there_are(own_desk: Desk) -> None:
    count = len(own_procedures())
    assert {each["catalogue_size"] for each in await announced(own_desk)} == {count}
    other = own_procedures()[BIRTH].model_copy(update={"code": "1.999999"})
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
    assert sorted(each["code"] for each in again) == sorted(own_procedures())


async def test_announcement_needs_the_publication(own_desk: Desk) -> None:
    before = await announced(own_desk)
    async with own_desk.sessions() as session:
        await publish(session, [longer()], now=NOW)
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


async def test_catalogue_is_announced_again_by_a_command(own_desk: Desk) -> None:
    seeded = await announced(own_desk)
    assert await announce(own_desk.settings) == len(seeded) > 0
    again = (await announced(own_desk))[len(seeded) :]
    assert {each["code"]: each for each in again} == {each["code"]: each for each in seeded}
