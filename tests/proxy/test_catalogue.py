"""The catalogue as a whole: how many cases there are, and that their names tell them apart."""

from collections import Counter

import pytest

from tests.proxy import (
    test_answers,
    test_framing,
    test_headers,
    test_leaving,
    test_protocols,
    test_slow,
    test_targets,
)

FEWEST = 60
FAMILIES: dict[str, list[str]] = {
    "targets": [case.name for case in test_targets.CASES],
    "framing": [case.name for case in test_framing.CASES],
    "headers": [case.name for case in test_headers.CASES],
    "protocols": [case.name for case in test_protocols.CASES],
    "answers": [case.name for case in test_answers.CASES],
    "leaving": [*test_leaving.UPLOADS, *test_leaving.DOWNLOADS, *test_leaving.DEATHS],
    "slow": list(test_slow.STORIES),
}


def test_catalogue_is_as_large_as_promised(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {family: len(names) for family, names in FAMILIES.items()}
    with capsys.disabled():
        print(f"\n{sum(sizes.values())} proxy cases: {sizes}")  # noqa: T201 -- what is promised
    assert sum(sizes.values()) >= FEWEST


@pytest.mark.parametrize("family", FAMILIES)
def test_names_tell_the_cases_apart(family: str) -> None:
    assert [name for name, count in Counter(FAMILIES[family]).items() if count > 1] == []
