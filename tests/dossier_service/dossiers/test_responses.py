from tests.dossier_service.desk import DOSSIERS, Desk, wish


async def test_answer_to_a_filing_names_the_path_of_the_new_dossier(desk: Desk) -> None:
    answer = await desk.try_file(wish())
    assert answer.headers["Location"] == f"{DOSSIERS}/{answer.json()['code']}"
    moved = await desk.try_change(answer.json(), "transitions", {"to": 4})
    assert (moved.status_code, moved.headers.get("Location")) == (200, None)
