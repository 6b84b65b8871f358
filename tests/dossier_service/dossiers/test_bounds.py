"""How many changes and results one dossier takes, and that it can end all the same."""

from typing import Any

import pytest

from dossier_service.dossiers.use_cases import changing, results
from tests.dossier_service.desk import COPY, COPY_FEE, COPY_RESULT, STAY, Desk, result

MAX_CHANGES = 5


@pytest.fixture(autouse=True)
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests short: the bounds themselves are asserted below."""
    monkeypatch.setattr(changing, "MAX_CHANGES", MAX_CHANGES)
    monkeypatch.setattr(results, "MAX_RESULTS", 2)


@pytest.fixture(scope="module", autouse=True)
def published_bounds() -> None:
    assert (changing.MAX_CHANGES, results.MAX_RESULTS) == (500, 50)


async def note_progress(desk: Desk, dossier: dict[str, Any]) -> dict[str, Any]:
    """Return the dossier after so many notes that one more change is too many."""
    while dossier["version"] <= MAX_CHANGES:
        dossier = await desk.change(dossier, "progress", step="desk")
    return dossier


async def test_dossier_with_the_most_changes_takes_none_that_keeps_it_open(desk: Desk) -> None:
    dossier = await note_progress(desk, await desk.file())
    for what, body in (("progress", {"step": "desk"}), ("transitions", {"to": 4})):
        answer = await desk.try_change(dossier, what, body)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/too-many-changes")
        assert answer.json()["limit"] == MAX_CHANGES
    assert (await desk.read(dossier["code"])).json()["version"] == dossier["version"]


async def test_refused_transition_is_told_before_the_bound(desk: Desk) -> None:
    dossier = await note_progress(desk, await desk.file())
    answer = await desk.try_change(dossier, "transitions", {"to": 1})
    assert answer.json()["type"] == "/problems/transition-refused"


@pytest.mark.parametrize(
    "path", [(9, 10), (8, 9), (8, 10), (7, 10)], ids=lambda path: "-".join(map(str, path))
)
async def test_dossier_with_the_most_changes_ends(desk: Desk, path: tuple[int, ...]) -> None:
    dossier = await note_progress(desk, await desk.file(procedure=STAY))
    assert (await desk.move(dossier, *path, reason="applicant-request"))["status"] == path[-1]


async def test_dossier_with_the_most_changes_takes_payment_and_result(desk: Desk) -> None:
    dossier = await note_progress(desk, await desk.move(await desk.file(procedure=COPY), 4))
    dossier = await desk.move(await desk.issue(dossier, code=COPY_RESULT), 9)
    dossier = await desk.pay(dossier, fee=COPY_FEE, amount_vnd=2000)
    assert (await desk.move(dossier, 10))["status"] == 10


async def test_dossier_with_the_most_changes_is_not_opened_again(desk: Desk) -> None:
    dossier = await desk.move(await note_progress(desk, await desk.file(procedure=STAY)), 9)
    answer = await desk.try_change(dossier, "transitions", {"to": 4, "reason": "wrong-result"})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/too-many-changes")


async def test_recalled_results_count_too(desk: Desk) -> None:
    dossier = await desk.issue(await desk.move(await desk.file(), 4))
    dossier = await desk.move(await desk.move(dossier, 9), 4, reason="wrong-result")
    dossier = await desk.issue(dossier)
    answer = await desk.try_change(dossier, "results", result())
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/too-many-results")
    assert answer.json()["limit"] == 2
    assert len((await desk.read(dossier["code"])).json()["results"]) == 2
