"""The same pushes in any order, repeated and cut into any batches, make the same state."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from sync_service.indicators.repository.verification import read_cells, recount_cells
from tests.access.test_national import clear
from tests.conftest import MORE
from tests.sync_service.conftest import TODAY
from tests.sync_service.intake.words import (
    Word,
    batches,
    full,
    judged,
    progress,
    reckoned,
    stories,
    words_of,
)
from tests.sync_service.national import DOSSIERS, EXTERNAL, PROGRESS, National, at, new_code, row

ANY_RIGHT: dict[str, Any] = {"agencies": None}
OTHER = "external-other"
# All that pushes leave behind, without the time of arrival.
STATE = {
    "national_dossier": "each.*",
    "dossier_event": "code, at, kind, status, detail, source, version, digest",
    "held_progress": "code, source, at, status, detail",
    "national_party": "each.*",
    "national_party_pending": "each.*",
    "tally": "each.*",
}


async def state(view: National) -> dict[str, list[str]]:
    async with view.sessions() as session:
        found = {}
        for table, shown in STATE.items():
            query = f"SELECT ROW({shown})::text FROM {table} AS each ORDER BY 1"
            found[table] = list(await session.scalars(text(query)))
        return found


async def push(view: National, cut: Iterable[Sequence[Word]], by: str = EXTERNAL) -> None:
    for batch in cut:
        to = DOSSIERS if batch[0].is_full else PROGRESS
        results = await view.push(*(word.row for word in batch), to=to, by=by, right=ANY_RIGHT)
        refused = [each for each in results if each["outcome"] == "refused"]
        assert not refused


def ordered(code: str, steps: str) -> list[dict[str, Any]]:
    """The full rows A and B and the progress row C of one dossier."""
    a = row(code=code, due_at="2026-11-12T17:00:00+07:00")
    b = row(code=code, due_at="2026-11-30T17:00:00+07:00", source_time="2026-11-10T09:00:00+07:00")
    c = {"code": code, "status": 9, "source_time": "2026-11-20T09:00:00+07:00"}
    return [{"A": a, "B": b, "C": c}[step] for step in steps]


async def test_moved_due_date_holds_also_when_it_comes_after_the_end(empty: National) -> None:
    seen = []
    for steps in ("ABC", "ACB", "BAC", "BCA", "CAB", "CBA", "ABCAB"):
        await clear(empty)
        code = "H41.101-261102-0001"
        for each in ordered(code, steps):
            await empty.push(each, to=PROGRESS if "step" in each or len(each) == 3 else DOSSIERS)
        seen.append((await empty.read(code), await empty.timeline(code), await state(empty)))
        figure = await empty.figure("on_time", period="2026-11", agency="H41")
        assert (figure["counts"]["ended_in_time"], figure["counts"]["ended_late"]) == (1, 0)
    assert all(each == seen[0] for each in seen)
    assert seen[0][0]["due_at"] == "2026-11-30T10:00:00Z"


async def test_end_before_another_reception_is_taken_in_any_order(empty: National) -> None:
    """Two rows tell of other receptions, and the end lies between these."""
    code = "H41.101-261102-0001"
    reception = {"received_at": "2026-11-04T08:00:00+07:00"}
    told = {
        "A": row(code=code, source_time="2026-11-05T09:00:00+07:00", **reception),
        "B": row(code=code, source_time="2026-11-06T09:00:00+07:00"),
        "P": {"code": code, "status": 7, "source_time": "2026-11-03T09:00:00+07:00"},
    }
    seen = []
    for order in permutations(told):
        await clear(empty)
        for each in order:
            (outcome,) = await empty.outcomes(told[each], to=PROGRESS if each == "P" else DOSSIERS)
            assert outcome != "refused"
        seen.append((await empty.read(code), await empty.timeline(code), await state(empty)))
    assert all(each == seen[0] for each in seen)


async def test_full_row_after_a_progress_row_of_its_second_is_taken(national: National) -> None:
    first = row(status=2)
    second = first["source_time"]
    await national.push(first)
    await national.progress({"code": first["code"], "status": 4, "source_time": second})
    moved = first | {"due_at": "2026-11-30T17:00:00+07:00", "version": 1}
    assert await national.outcomes(moved) == ["updated"]
    read = await national.read(first["code"])
    assert (read["status"], read["due_at"]) == (4, "2026-11-30T10:00:00Z")


async def test_of_two_progress_rows_of_one_second_the_higher_status_holds(
    national: National,
) -> None:
    for order in ((4, 9), (9, 4)):
        pushed = row(status=2)
        await national.push(pushed)
        for status in order:
            told = {"code": pushed["code"], "status": status, "source_time": at("11-03 08:00")}
            await national.progress(told | {"source_time": at("11-03 08:00").isoformat()})
        assert (await national.read(pushed["code"]))["status"] == 9


async def test_of_two_rows_of_one_time_and_version_the_content_decides(
    national: National,
) -> None:
    read = []
    for order in ((0, 1), (1, 0)):
        code = new_code()
        rows = [row(code=code), row(code=code, due_at="2026-11-30T17:00:00+07:00", status=5)]
        await national.push(rows[order[0]])
        (result,) = await national.push(rows[order[1]])
        assert result["outcome"] in {"updated", "stale"}
        assert "same_time_other_content" in result["warnings"]
        read.append({**await national.read(code), "code": ""})
    assert read[0] == read[1]


@given(seed=st.integers(0, 2**32), most=st.sampled_from([1, 3, 1_000]))
@settings(
    max_examples=8 * MORE,
    # A seed does not shrink.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_any_order_of_the_same_pushes_makes_the_same_state(
    empty: National, seed: int, most: int
) -> None:
    """Of several dossiers of two clients, with equal seconds and full ties of them."""
    chance = random.Random(seed)
    ours, theirs = ([new_code("H41.101") for _ in range(2)] for _ in range(2))
    words = {EXTERNAL: _of_each(ours, chance), OTHER: _of_each(theirs, chance)}
    # What one system tells of the other's dossiers is heard in no order.
    strange = [progress(code, chance) for code in theirs]
    seen = []
    for _ in range(3):
        await clear(empty)
        pushes = [
            (by, batch) for by, told in words.items() for batch in batches(told, chance, most)
        ]
        pushes += [(EXTERNAL, [word]) for word in strange]
        chance.shuffle(pushes)
        for by, batch in pushes:
            to = DOSSIERS if batch[0].is_full else PROGRESS
            await empty.push(*(word.row for word in batch), to=to, by=by, right=ANY_RIGHT)
        reads = [await empty.read(code) for code in ours + theirs]
        seen.append((reads, [await empty.timeline(c) for c in ours + theirs], await state(empty)))
    assert seen[1] == seen[0]
    assert seen[2] == seen[0]


def _of_each(codes: Iterable[str], chance: random.Random) -> list[Word]:
    words: list[Word] = []
    for code in codes:
        words += words_of(code, chance)
        first = words[-1]
        # The same time and version with other content.
        words.append(full(code, chance, source_time=first.row["source_time"]))
    return words


@pytest.mark.timeout(900)
async def test_state_and_judgement_equal_an_independent_reckoning_of_all_words(
    empty: National,
) -> None:
    chance = random.Random(766)
    words = stories(5_000, chance)
    await push(empty, batches(words, chance, 1_000))
    told: dict[str, list[Word]] = defaultdict(list)
    for word in words:
        told[word.code].append(word)
    expected = {code: reckoned(its_words) for code, its_words in told.items()}
    async with empty.sessions() as session:
        found = await session.execute(text("SELECT * FROM national_dossier"))
        rows = {each["code"]: dict(each) for each in found.mappings()}
        assert dict(await read_cells(session)) == dict(await recount_cells(session))
    assert rows.keys() == expected.keys()
    for code, state_of in expected.items():
        facts = {name: _instant(name, value) for name, value in state_of.items()}
        assert {name: rows[code][name] for name in facts} == facts
    kinds = {code: judged(each, TODAY.date()) for code, each in expected.items()}
    figure = await empty.figure("on_time", period="2026-11", agency="H41")
    assert figure["counts"] == Counter(kind for kind in kinds.values() if kind)
    assert min(figure["counts"].values()) > 50
    late = {code for code, kind in kinds.items() if kind == "open_late"}
    assert set(await all_codes(empty, overdue=True)) == late
    assert set(await all_codes(empty, overdue=False)) == kinds.keys() - late
    for code in chance.sample(sorted(kinds), 40):
        assert (await empty.read(code))["overdue"] is (code in late)


async def all_codes(view: National, **filters: Any) -> list[str]:
    codes, after = [], None
    while True:
        page = await view.listed(limit=500, **filters, **({"after": after} if after else {}))
        assert page.status_code == 200, page.text
        codes += [item["code"] for item in page.json()["items"]]
        if (after := page.json()["next"]) is None:
            return codes


def _instant(name: str, value: Any) -> Any:
    is_instant = name.endswith("_at") and isinstance(value, str)
    return datetime.fromisoformat(value) if is_instant else value
